//! When a leader closes a batch: a copy of the rules of `raft-node/src/propose.rs` and `gather.rs`.
//!
//! So many entries may be in flight (1). When one may leave, the leader expects as many commands as the
//! last entry carried and as wait already, at most 24, and waits for them for 1 to 2 ms once the first is
//! there; everything that waits then, at most 1,024 commands, is the entry. Commands that were expected
//! in vain make it wait less often (ADR 0007).

use std::collections::VecDeque;

use super::calendar::{MILLISECOND, Nanos};

/// Bounds, as in `raft-node/src/config.rs`.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Entries in flight. At least 1.
    pub in_flight_max: usize,
    /// Commands that are waited for, at most.
    pub gather_max: usize,
    /// Commands in an entry, at most.
    pub batch_max: usize,
}

/// The defaults of the real thing.
pub const BOUNDS: Bounds = Bounds {
    in_flight_max: 1,
    gather_max: 24,
    batch_max: 1_024,
};
/// Commands that may wait; with more of them the real thing answers "overloaded". Here they wait, and
/// it is reported.
pub const QUEUE_MAX: usize = 8_192;
/// Entries proposed without waiting after those expected failed to come again and again.
const HASTE_MAX: u32 = 255;

/// What a leader does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It waits.
    Nothing,
    /// It will be patient until its timer, of this number, goes off ([`patience`] from now).
    Patience(u64),
    /// It takes a batch.
    Take,
}

/// How long a leader is patient: 1 ms on a timer that counts whole ones.
#[must_use]
pub fn patience(now: Nanos) -> Nanos {
    (now + MILLISECOND).div_ceil(MILLISECOND) * MILLISECOND - now
}

/// A shard's queue on its leader.
#[derive(Debug)]
pub struct Proposer<C> {
    bounds: Bounds,
    queue: VecDeque<C>,
    in_flight: usize,
    /// For how many commands it waits; `None` while no entry may leave.
    expected: Option<usize>,
    /// Number of the timer that runs, of all there were.
    timer: u64,
    ticking: bool,
    last: usize,
    haste: u32,
    penalty: u32,
}

impl<C> Proposer<C> {
    /// A new leader's: empty, and ready.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            queue: VecDeque::new(),
            in_flight: 0,
            expected: Some(1),
            timer: 0,
            ticking: false,
            last: 0,
            haste: 0,
            penalty: 0,
        }
    }

    /// Commands that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// A command comes.
    pub fn push(&mut self, command: C) -> Next {
        self.queue.push_back(command);
        self.look()
    }

    /// An entry is done: its callers are answered, and its place is free.
    pub fn finished(&mut self) -> Next {
        self.in_flight -= 1;
        self.wait()
    }

    /// A timer went off.
    pub fn rang(&mut self, timer: u64) -> Next {
        if self.ticking && self.timer == timer && self.expected.is_some() {
            Next::Take
        } else {
            Next::Nothing
        }
    }

    /// What goes into the next entry. To be called after [`Next::Take`]; then what to do next, as more
    /// than one entry may be in flight.
    pub fn take(&mut self) -> (Vec<C>, Next) {
        let expected = self.expected.take().unwrap_or(1);
        let came = self.queue.len() >= expected;
        self.ticking = false;
        let count = self.queue.len().min(self.bounds.batch_max);
        let batch: Vec<C> = self.queue.drain(..count).collect();
        self.took(batch.len(), came);
        self.in_flight += 1;
        (batch, self.wait())
    }

    fn wait(&mut self) -> Next {
        if self.in_flight >= self.bounds.in_flight_max || self.expected.is_some() {
            return Next::Nothing;
        }
        let expected = match self.haste {
            0 => (self.last + self.queue.len()).max(1),
            _ => 1,
        };
        self.expected = Some(expected.min(self.bounds.gather_max));
        self.look()
    }

    fn look(&mut self) -> Next {
        match self.expected {
            Some(expected) if self.queue.len() >= expected => Next::Take,
            Some(_) if !self.queue.is_empty() && !self.ticking => {
                self.ticking = true;
                self.timer += 1;
                Next::Patience(self.timer)
            }
            _ => Next::Nothing,
        }
    }

    fn took(&mut self, commands: usize, came: bool) {
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
    fn a_lonely_command_leaves_at_once_and_company_shares_the_next_entry() {
        let mut proposer = Proposer::new(BOUNDS);
        assert_eq!(proposer.push('a'), Next::Take);
        assert_eq!(proposer.take(), (vec!['a'], Next::Nothing));
        assert_eq!(proposer.push('b'), Next::Nothing, "one is in flight");
        assert_eq!(proposer.push('c'), Next::Nothing);
        assert_eq!(
            proposer.finished(),
            Next::Patience(1),
            "two wait, one was just answered"
        );
        assert_eq!(proposer.push('a'), Next::Take, "and came again");
        assert_eq!(proposer.take().0, ['b', 'c', 'a']);
    }

    #[test]
    fn those_who_do_not_come_are_waited_for_for_a_moment_and_then_less_often() {
        let mut proposer = Proposer::new(BOUNDS);
        let mut waited = 0;
        let mut next = proposer.push(0);
        for command in 1..1_000 {
            if let Next::Patience(timer) = next {
                waited += 1;
                next = proposer.rang(timer);
            }
            assert_eq!(next, Next::Take);
            assert_eq!(proposer.take().0.len(), 1);
            assert_eq!(proposer.push(command), Next::Nothing);
            next = proposer.finished();
        }
        assert!((8..20).contains(&waited), "{waited} times of a thousand");
    }

    #[test]
    fn many_who_wait_are_not_kept_waiting_and_an_entry_has_its_bound() {
        let mut proposer = Proposer::new(BOUNDS);
        proposer.push(0);
        proposer.take();
        for command in 0..2_000 {
            assert_eq!(proposer.push(command), Next::Nothing);
        }
        assert_eq!(proposer.finished(), Next::Take);
        assert_eq!(proposer.take().0.len(), 1_024);
        assert_eq!(proposer.waiting(), 976);
        assert_eq!(proposer.rang(1), Next::Nothing, "an old timer says nothing");
    }

    #[test]
    fn patience_ends_on_a_whole_millisecond_one_to_two_later() {
        for now in [0, 1, 999_999, 1_000_000, 1_500_000] {
            let until = now + patience(now);
            assert_eq!(until % MILLISECOND, 0);
            assert!((MILLISECOND..=2 * MILLISECOND).contains(&patience(now)));
        }
    }
}
