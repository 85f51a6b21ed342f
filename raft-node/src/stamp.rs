//! The leader's clock, as its stamps show it: close to the wall clock, and never wild.
//!
//! Stamps of one leader never go back, and run between 0.9 and 1.1 times as fast as its monotonic
//! clock since its first one. A wall clock that leaps is followed at that rate, so no hold ends
//! minutes early because somebody corrected a clock (P5), and none is stuck because it went back.
//!
//! A new leader goes on from the newest stamp in its state, should its own clock be behind: after a
//! leader whose clock was ahead, time runs a little slower until the two meet, and never stands
//! still. Otherwise nothing would be due for as long as that clock had been ahead (seed 182).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use probes::Bug;

use crate::machine::Stamp;
use crate::platform::{Clock, Entropy, Platform};

/// Draws stamps for one leader of one term.
pub(crate) struct Stamper {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    first_ms: u64,
    first_at: Duration,
    last_ms: Mutex<u64>,
}

impl Stamper {
    /// For a leader in whose state the newest stamp is `stamped_ms`.
    pub(crate) fn new(platform: &Platform, stamped_ms: u64) -> Self {
        let now_ms = platform.clock.now_ms();
        let first_ms = match probes::planted(Bug::StampsForgetTheLog) {
            true => now_ms,
            false => now_ms.max(stamped_ms),
        };
        Self {
            first_at: platform.clock.monotonic(),
            clock: platform.clock.clone(),
            entropy: platform.entropy.clone(),
            first_ms,
            last_ms: Mutex::new(first_ms),
        }
    }

    /// The bounded clock, in ms since the epoch.
    pub(crate) fn now_ms(&self) -> u64 {
        let passed = self.clock.monotonic().saturating_sub(self.first_at);
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let slowest = self.first_ms.saturating_add(passed - passed / 10);
        let fastest = self
            .first_ms
            .saturating_add(passed.saturating_add(passed / 10));
        let mut bounded = self.clock.now_ms().clamp(slowest, fastest);
        if bounded == slowest || bounded == fastest {
            probes::reached(probes::Mark::StampBounded);
        }
        if probes::planted(Bug::StampsFollowLeaps) {
            bounded = self.clock.now_ms();
        }
        let mut last = self.last_ms.lock().expect("nothing panics with this lock");
        *last = bounded.max(*last);
        *last
    }

    /// Time and chance for one entry.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            at_ms: self.now_ms(),
            draw: self.entropy.next_32(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Hands {
        wall: AtomicU64,
        monotonic: AtomicU64,
    }

    impl Clock for Hands {
        fn now_ms(&self) -> u64 {
            self.wall.load(Ordering::SeqCst)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.monotonic.load(Ordering::SeqCst))
        }
    }

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn stamper(hands: &Arc<Hands>) -> Stamper {
        hands.wall.store(1_000_000, Ordering::SeqCst);
        Stamper {
            clock: hands.clone(),
            entropy: Arc::new(Zeros),
            first_ms: 1_000_000,
            first_at: Duration::ZERO,
            last_ms: Mutex::new(1_000_000),
        }
    }

    #[test]
    fn a_leader_behind_the_log_goes_on_from_there_and_waits_for_its_clock() {
        let hands = Arc::new(Hands::default());
        let mut stamper = stamper(&hands);
        stamper.first_ms = 1_060_000;
        *stamper.last_ms.lock().unwrap() = 1_060_000;
        let at = |seconds: u64| {
            hands
                .wall
                .store(1_000_000 + seconds * 1_000, Ordering::SeqCst);
            hands.monotonic.store(seconds * 1_000, Ordering::SeqCst);
            stamper.now_ms() - 1_000_000
        };
        assert_eq!(at(0), 60_000);
        assert_eq!(at(100), 150_000, "a minute ahead, 0.9 times");
        assert_eq!(at(600), 600_000, "they meet");
        assert_eq!(at(700), 700_000);
    }

    #[test]
    fn a_leaping_wall_clock_is_followed_slowly_and_never_backwards() {
        let hands = Arc::new(Hands::default());
        let stamper = stamper(&hands);
        let at = |wall: u64, monotonic: u64| {
            hands.wall.store(wall, Ordering::SeqCst);
            hands.monotonic.store(monotonic, Ordering::SeqCst);
            stamper.now_ms() - 1_000_000
        };
        assert_eq!(
            at(1_001_000, 1_000),
            1_000,
            "an honest clock is taken as it is"
        );
        assert_eq!(at(9_000_000, 2_000), 2_200, "a leap ahead: 1.1 times");
        assert_eq!(at(1_002_100, 2_100), 2_200, "and back: it waits");
        assert_eq!(at(500_000, 10_000), 9_000, "a leap back: 0.9 times");
        assert_eq!(
            at(1_010_001, 10_001),
            10_001,
            "it meets an honest clock again"
        );
    }
}
