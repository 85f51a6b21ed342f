//! What happens when: events in the order of their time, and of their making where times are equal, so
//! that a run is the same every time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Simulated time since the run began, or a span of it, in nanoseconds.
pub type Nanos = u64;

/// A microsecond.
pub const MICROSECOND: Nanos = 1_000;
/// A millisecond.
pub const MILLISECOND: Nanos = 1_000_000;
/// A second.
pub const SECOND: Nanos = 1_000_000_000;
/// A minute.
pub const MINUTE: Nanos = 60 * SECOND;

/// Events to come.
#[derive(Debug)]
pub struct Calendar<E> {
    now: Nanos,
    made: u64,
    heap: BinaryHeap<Entry<E>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: Nanos,
    sequence: u64,
    what: E,
}

impl<E> Calendar<E> {
    /// Empty, at time 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: 0,
            made: 0,
            heap: BinaryHeap::new(),
        }
    }

    /// The time of the event that came last.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Events made so far, those that came included.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Lets something happen after `delay`.
    pub fn after(&mut self, delay: Nanos, what: E) {
        self.made += 1;
        self.heap.push(Entry {
            at: self.now + delay,
            sequence: self.made,
            what,
        });
    }

    /// When the next event comes.
    #[must_use]
    pub fn next_at(&self) -> Option<Nanos> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The next event; it is now its time. `None` when nothing is to come.
    pub fn next_event(&mut self) -> Option<E> {
        let entry = self.heap.pop()?;
        debug_assert!(entry.at >= self.now, "time only moves forward");
        self.now = entry.at;
        Some(entry.what)
    }
}

impl<E> Default for Calendar<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Entry<E> {
    /// Earliest is greatest: the heap hands out what is greatest.
    fn key(&self) -> (std::cmp::Reverse<Nanos>, std::cmp::Reverse<u64>) {
        (std::cmp::Reverse(self.at), std::cmp::Reverse(self.sequence))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_their_making() {
        let mut calendar = Calendar::new();
        for (delay, name) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            calendar.after(delay, name);
        }
        let order: String = std::iter::from_fn(|| calendar.next_event()).collect();
        assert_eq!(order, "abcd");
        assert_eq!((calendar.now(), calendar.made()), (5, 4));
    }
}
