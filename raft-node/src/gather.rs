//! How large an entry a leader waits for.
//!
//! An entry costs every replica a frame each way, a sync and a dozen wake-ups, whatever it carries.
//! When one is done its callers are answered, and those of them who have more to ask do so at once:
//! waiting for them for a moment makes one entry of what would be two, which on busy machines is
//! faster for everybody. PostgreSQL calls it `commit_delay`; here it sets itself. Who was expected
//! and did not come makes the leader wait less often.

use std::time::Duration;

/// Longest wait for commands that are expected. Timers count whole milliseconds, so it can be two.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1);
/// Entries proposed without waiting after those expected failed to come again and again.
const HASTE_MAX: u32 = 255;

/// What a leader has seen of its callers' habits.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    /// Commands in the last entry.
    last: usize,
    /// Entries still to be proposed without waiting.
    haste: u32,
    /// How many they were the last time.
    penalty: u32,
}

impl Gather {
    /// How many commands the next entry should wait for: those that wait already, and as many as
    /// were answered just now. At least 1.
    pub(crate) fn expected(&self, waiting: usize) -> usize {
        if self.haste > 0 {
            1
        } else {
            (self.last + waiting).max(1)
        }
    }

    /// An entry of `commands` leaves; `came` tells whether as many as expected had come.
    pub(crate) fn took(&mut self, commands: usize, came: bool) {
        self.last = commands;
        if self.haste > 0 {
            self.haste -= 1;
        } else if came {
            self.penalty /= 2;
        } else {
            self.penalty = (self.penalty * 2 + 1).min(HASTE_MAX);
            self.haste = self.penalty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_who_come_back_at_once_end_in_one_entry() {
        let mut gather = Gather::default();
        gather.took(8, true);
        let expected = gather.expected(8);
        assert_eq!(expected, 16, "eight wait, eight were just answered");
        gather.took(16, true);
        assert_eq!(gather.expected(0), 16);
    }

    #[test]
    fn a_lonely_caller_never_waits() {
        let mut gather = Gather::default();
        assert_eq!(gather.expected(0), 1);
        gather.took(1, true);
        assert_eq!(gather.expected(0), 1);
    }

    #[test]
    fn who_does_not_come_back_is_expected_less_and_less_often() {
        let mut gather = Gather::default();
        gather.took(4, true);
        let mut waited = 0;
        for _ in 0..1_000 {
            let expected = gather.expected(3);
            waited += u32::from(expected > 3);
            gather.took(3, expected <= 3);
        }
        assert!((8..20).contains(&waited), "{waited} times of a thousand");
        for _ in 0..HASTE_MAX {
            gather.took(3, true);
        }
        assert_eq!(gather.expected(3), 6, "and is given another chance");
    }
}
