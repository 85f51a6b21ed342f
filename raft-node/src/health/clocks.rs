//! How far a peer's clock is from ours: a question and its answer bound it (Cristian, "Probabilistic
//! clock synchronization", 1989), without trusting the way to be as long as the way back.
//!
//! ```text
//!   ours    asked ─────────────╮            ╭── answered        rtt = answered - asked
//!   theirs                     ╰─ their now ╯                   their now - (answered - rtt/2), give or take rtt/2
//! ```

use std::time::Duration;

/// A peer's clock, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerClock {
    /// How far it is ahead of ours, in ms; negative when it is behind.
    pub ahead_ms: i64,
    /// By so much that may be wrong, either way.
    pub error_ms: u64,
}

impl PeerClock {
    /// From one question: its round trip, our wall clock when the answer came, and theirs in it.
    pub(super) fn measured(round_trip: Duration, ours_ms: u64, theirs_ms: u64) -> Self {
        let half_ms = (round_trip.as_millis() / 2) as u64;
        let then_ms = ours_ms.saturating_sub(half_ms);
        let ahead_ms = i128::from(theirs_ms) - i128::from(then_ms);
        Self {
            ahead_ms: ahead_ms.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
            // Both clocks count in whole milliseconds.
            error_ms: half_ms + 1,
        }
    }

    /// Whether it is certainly further away than this.
    pub fn is_further_than(&self, limit_ms: u64) -> bool {
        self.ahead_ms.unsigned_abs().saturating_sub(self.error_ms) > limit_ms
    }

    /// The better of what was known and what was just measured: a slow answer tells little, unless
    /// it contradicts.
    pub(super) fn or_newer(self, newer: Self) -> Self {
        let apart = self.ahead_ms.abs_diff(newer.ahead_ms);
        let agree = apart <= self.error_ms + newer.error_ms;
        match agree && newer.error_ms > 3 * self.error_ms {
            true => self,
            false => newer,
        }
    }
}

/// Whether it is our clock that is wrong: most of the peers, those that do not answer counted as
/// agreeing with us, are further away than the limit.
pub(super) fn ours_is_far(answered: &[PeerClock], peers: usize, limit_ms: u64) -> bool {
    let far = answered
        .iter()
        .filter(|clock| clock.is_further_than(limit_ms))
        .count();
    limit_ms > 0 && 2 * far > peers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(round_trip_ms: u64, ours_ms: u64, theirs_ms: u64) -> PeerClock {
        PeerClock::measured(Duration::from_millis(round_trip_ms), ours_ms, theirs_ms)
    }

    #[test]
    fn the_truth_lies_within_the_error_however_unequal_the_ways_are() {
        for truth_ms in [-7_000_i64, -1, 0, 3, 60_000] {
            for (there_ms, back_ms) in [(0, 0), (5, 5), (0, 900), (900, 0), (31, 2)] {
                let asked_ms = 1_000_000_u64;
                let theirs_ms = (asked_ms + there_ms).saturating_add_signed(truth_ms);
                let ours_ms = asked_ms + there_ms + back_ms;
                let clock = measured(there_ms + back_ms, ours_ms, theirs_ms);
                let wrong_by = clock.ahead_ms.abs_diff(truth_ms);
                assert!(wrong_by <= clock.error_ms, "{clock:?} {truth_ms}");
            }
        }
    }

    #[test]
    fn a_slow_answer_replaces_a_quick_one_only_when_they_contradict_each_other() {
        let quick = measured(4, 1_000_000, 1_000_100);
        let slow = measured(4_000, 1_000_000, 999_000);
        assert_eq!(quick.or_newer(slow), quick);
        let leapt = measured(4_000, 1_000_000, 1_060_000);
        assert_eq!(quick.or_newer(leapt), leapt);
        assert_eq!(slow.or_newer(quick), quick);
    }

    #[test]
    fn a_node_doubts_its_own_clock_only_when_most_peers_contradict_it() {
        let far = measured(2, 1_000_000, 1_009_000);
        let near = measured(2, 1_000_000, 1_000_400);
        assert!(ours_is_far(&[far, far], 2, 5_000));
        assert!(!ours_is_far(&[far, near], 2, 5_000), "theirs may be wrong");
        assert!(!ours_is_far(&[far, far], 4, 5_000), "the others are silent");
        assert!(ours_is_far(&[far, far, far], 4, 5_000));
        assert!(!ours_is_far(&[far, far], 2, 0), "switched off");
        let uncertain = measured(9_000, 1_000_000, 1_004_000);
        assert!(!uncertain.is_further_than(5_000));
    }
}
