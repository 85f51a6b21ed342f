//! The ledger's clock: set by the stamps of log entries, and only ever forward.

use crate::ids::Timestamp;

/// What time it is for every decision. Part of the state and of every snapshot (P5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The latest stamp seen.
    pub now: Timestamp,
}

impl Clock {
    /// Moves on to `at`, or stays when a stamp lies in the past. Returns the time it is now.
    pub fn advance(&mut self, at: Timestamp) -> Timestamp {
        self.now = self.now.max(at);
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_from_the_past_does_not_turn_the_clock_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(Timestamp(50)), Timestamp(50));
        assert_eq!(clock.advance(Timestamp(20)), Timestamp(50));
        assert_eq!(clock.advance(Timestamp(51)), Timestamp(51));
    }
}
