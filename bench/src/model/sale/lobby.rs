//! Who comes to the lobby when, and how often those who are connected poll.

use super::plan::Plan;
use super::room::Room;
use crate::model::calendar::Nanos;
use crate::model::chance::ln;

/// Before the draw (`api/src/queue/status.rs`).
const LOBBY_POLL_S: f64 = 2.0;
/// After it: a fortieth of the wait, at least and at most so long.
const POLL_S_MIN: f64 = 1.0;
const POLL_S_MAX: f64 = 30.0;
/// A wait of a minute is polled every so many seconds: a fortieth.
const POLL_S_PER_MINUTE: f64 = 1.5;

/// The lobby.
#[derive(Debug)]
pub(super) struct Lobby {
    buyers: u64,
    connected: u64,
    opening: Nanos,
    poll_seconds: Option<u64>,
    cdn_percent: u32,
    came: u64,
    /// Those who have their place.
    pub(super) joined: u64,
    /// Who comes to which door in this slot.
    pub(super) doors: Vec<u64>,
}

impl Lobby {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            buyers: plan.buyers,
            connected: plan.connected,
            opening: plan.opening(),
            poll_seconds: plan.poll_seconds,
            cdn_percent: plan.cdn_percent,
            came: 0,
            joined: 0,
            doors: Vec::new(),
        }
    }

    /// How many come within a slot. Of all, `(t / T)^4` have come by the time `t`: the rate rises with the
    /// cube of time and is greatest at the opening, four times the mean.
    pub(super) fn arrivals(&mut self, now: Nanos, slot: Nanos) -> u64 {
        let part = ((now + slot).min(self.opening)) as f64 / self.opening as f64;
        let square = part * part;
        let until = (self.buyers as f64 * square * square + 0.5) as u64;
        let count = until.saturating_sub(self.came);
        self.came = until;
        count
    }

    /// Polls that reach a door, a second.
    pub(super) fn polls_per_s(&self, now: Nanos, room: &Room) -> f64 {
        let through = f64::from(100 - self.cdn_percent) / 100.0;
        let waiting = self.joined.saturating_sub(room.cursor);
        let connected = self.connected.min(waiting) as f64;
        if let Some(seconds) = self.poll_seconds {
            return connected / seconds as f64 * through;
        }
        if now < self.opening {
            return connected / LOBBY_POLL_S * through;
        }
        if waiting == 0 {
            return 0.0;
        }
        // People who are connected lie evenly over those who wait.
        connected / waiting as f64 * told(waiting as f64, room.per_minute as f64) * through
    }
}

/// Polls a second of so many people in a line, each of whom polls as often as they are told to. The sum over
/// places is an integral: `period(ahead) = clamp(1.5 s ahead / rate, 1 s, 30 s)`.
fn told(waiting: f64, per_minute: f64) -> f64 {
    let per_place = POLL_S_PER_MINUTE / per_minute.max(1e-9);
    let near = (POLL_S_MIN / per_place).min(waiting);
    let far = (POLL_S_MAX / per_place).min(waiting);
    let between = match far > near {
        true => ln(far / near) / per_place,
        false => 0.0,
    };
    near / POLL_S_MIN + between + (waiting - far) / POLL_S_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integral_is_the_sum_over_all_places() {
        for (waiting, rate) in [(100_000, 600), (1_000_000, 6_000), (50, 600), (5_000, 600)] {
            let each = (0..waiting).map(|ahead| {
                let period = f64::from(ahead) * POLL_S_PER_MINUTE / f64::from(rate);
                1.0 / period.clamp(POLL_S_MIN, POLL_S_MAX)
            });
            let sum: f64 = each.sum();
            let ratio = told(f64::from(waiting), f64::from(rate)) / sum;
            assert!((0.99..1.01).contains(&ratio), "{waiting}, {rate}: {ratio}");
        }
    }

    #[test]
    fn everybody_comes_and_most_of_them_at_the_end() {
        let plan = Plan::small();
        let mut lobby = Lobby::new(&plan);
        let slot = plan.opening() / 100;
        let came: Vec<u64> = (0..120).map(|n| lobby.arrivals(n * slot, slot)).collect();
        assert_eq!(came.iter().sum::<u64>(), plan.buyers);
        // By one they may differ: people are whole.
        assert!(came[..100].windows(2).all(|pair| pair[1] + 1 >= pair[0]));
        assert!(came[100..].iter().all(|n| *n == 0), "{came:?}");
        let peak = came[99] as f64 / (plan.buyers as f64 / 100.0);
        assert!((3.8..4.1).contains(&peak), "{peak}");
    }
}
