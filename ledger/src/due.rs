//! What must happen when a moment comes (P5): one ordered list for the whole shard.
//!
//! A `Tick` takes due things in the order (moment, what), so every replica sweeps the same ones.
//! Whoever sets an entry clears it when its reason goes; a late sweep is never wrong, since each
//! owner checks its own deadline again.

use std::collections::BTreeSet;

use crate::ids::{EventId, LegKey, OrderId, Timestamp};

/// Something that has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// An order's hold, pins or payment.
    Order(OrderId),
    /// A leg held here for an order decided elsewhere.
    Leg(LegKey),
    /// A waiting room's draw or its next admission.
    Room(EventId),
    /// Telling the waiting room how much is left here.
    Stock(EventId),
}

/// All deadlines of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueIndex {
    entries: BTreeSet<(Timestamp, Due)>,
}

impl DueIndex {
    /// Notes that `due` is due `at`. Noting it twice is the same.
    pub fn set(&mut self, at: Timestamp, due: Due) {
        self.entries.insert((at, due));
    }

    /// Forgets it.
    pub fn clear(&mut self, at: Timestamp, due: Due) {
        self.entries.remove(&(at, due));
    }

    /// The earliest moment at which anything is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// Takes out the first thing due at `now` or before.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop_first()
    }

    /// Whether `due` is noted for `at`.
    pub fn contains(&self, at: Timestamp, due: Due) -> bool {
        self.entries.contains(&(at, due))
    }

    /// Everything noted, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, Due)> + '_ {
        self.entries.iter().copied()
    }

    /// How many deadlines.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing has a deadline.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_due_in_order_of_moment_then_kind_and_never_early() {
        let mut due = DueIndex::default();
        let order = OrderId(5);
        due.set(Timestamp(20), Due::Order(order));
        due.set(Timestamp(10), Due::Room(EventId(1)));
        due.set(Timestamp(10), Due::Leg(LegKey { order, leg: 0 }));
        due.set(Timestamp(10), Due::Leg(LegKey { order, leg: 1 }));
        due.clear(Timestamp(10), Due::Leg(LegKey { order, leg: 1 }));
        assert_eq!(due.next(), Some(Timestamp(10)));
        assert_eq!(due.pop_due(Timestamp(9)), None);
        let first = Due::Leg(LegKey { order, leg: 0 });
        assert_eq!(due.pop_due(Timestamp(10)), Some((Timestamp(10), first)));
        assert_eq!(
            due.pop_due(Timestamp(10)),
            Some((Timestamp(10), Due::Room(EventId(1))))
        );
        assert_eq!(due.pop_due(Timestamp(19)), None);
        assert_eq!(
            due.pop_due(Timestamp(25)),
            Some((Timestamp(20), Due::Order(order)))
        );
        assert!(due.is_empty());
    }
}
