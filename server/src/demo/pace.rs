//! Slowing a sale down, so that it outlasts the chaos planned for it.
//!
//! Buyers take a turn before each reservation. While the pace is kept, turns come at a rate that
//! is set again and again from what is left to sell and to survive; once released, at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

const BEAT: Duration = Duration::from_millis(50);
/// Turns saved up while nobody took them, in beats.
const SAVED_BEATS: f64 = 4.0;

/// Turns to reserve.
#[derive(Debug)]
pub struct Pace {
    turns: Semaphore,
    released: AtomicBool,
}

impl Pace {
    /// No pace: every turn comes at once.
    pub fn free() -> Self {
        let pace = Self::kept();
        pace.release();
        pace
    }

    /// No turn comes before [`Pace::beat`] gives some.
    pub fn kept() -> Self {
        Self {
            turns: Semaphore::new(0),
            released: AtomicBool::new(false),
        }
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        if self.released.load(Ordering::Relaxed) {
            return;
        }
        // A closed semaphore means that the pace was released meanwhile.
        if let Ok(turn) = self.turns.acquire().await {
            turn.forget();
        }
    }

    /// From now on every turn comes at once.
    pub fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
        self.turns.close();
    }

    /// Gives turns at the rate that `per_second` tells, until the pace is released.
    pub async fn beat(&self, per_second: impl Fn() -> f64) {
        let mut owed = 0.0;
        while !self.released.load(Ordering::Relaxed) {
            let each_beat = per_second() * BEAT.as_secs_f64();
            owed = (owed + each_beat).min(1.0 + each_beat * SAVED_BEATS);
            let saved = self.turns.available_permits() as f64;
            if owed >= 1.0 && saved < 1.0 + each_beat * SAVED_BEATS {
                self.turns.add_permits(owed as usize);
                owed = owed.fract();
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn turns_come_at_the_rate_asked_for_and_all_at_once_when_released() {
        let pace = Arc::new(Pace::kept());
        let beating = pace.clone();
        let beat = tokio::spawn(async move { beating.beat(|| 200.0).await });
        let start = Instant::now();
        for _ in 0..60 {
            pace.turn().await;
        }
        assert!(
            start.elapsed() > Duration::from_millis(150),
            "{:?}",
            start.elapsed()
        );
        pace.release();
        let start = Instant::now();
        for _ in 0..10_000 {
            pace.turn().await;
        }
        assert!(start.elapsed() < Duration::from_secs(2));
        beat.await.unwrap();
    }
}
