//! What must happen when a moment comes (P5): one ordered list for the whole shard.
//!
//! A `Tick` takes due things in the order (moment, what), so every replica sweeps the same ones.
//! Whoever sets an entry clears it when its reason goes; a late sweep is never wrong, since each
//! owner checks its own deadline again.

use std::collections::BTreeSet;

use probes::Bug;

use crate::ids::{EventId, Halves, LegKey, OrderId, Timestamp};

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
    entries: BTreeSet<Entry>,
}

/// A moment and a [`Due`] in half the bytes, in the same order: there is one for every hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: u64,
    kind: u8,
    id: Halves,
    leg: u8,
}

const _: () = assert!(size_of::<Entry>() <= 32);

impl Entry {
    fn new(at: Timestamp, due: Due) -> Self {
        let (kind, id, leg) = match due {
            Due::Order(order) => (0, order.0, 0),
            Due::Leg(LegKey { order, leg }) => (1, order.0, leg),
            Due::Room(event) => (2, event.0, 0),
            Due::Stock(event) => (3, event.0, 0),
        };
        Self {
            at: at.0,
            kind,
            id: Halves::of(id),
            leg,
        }
    }

    fn due(self) -> (Timestamp, Due) {
        let id = self.id.id();
        let due = match self.kind {
            0 => Due::Order(OrderId(id)),
            1 => Due::Leg(LegKey {
                order: OrderId(id),
                leg: self.leg,
            }),
            2 => Due::Room(EventId(id)),
            _ => Due::Stock(EventId(id)),
        };
        (Timestamp(self.at), due)
    }
}

impl DueIndex {
    /// Notes that `due` is due `at`. Noting it twice is the same.
    pub fn set(&mut self, at: Timestamp, due: Due) {
        self.entries.insert(Entry::new(at, due));
    }

    /// Forgets it.
    pub fn clear(&mut self, at: Timestamp, due: Due) {
        self.entries.remove(&Entry::new(at, due));
    }

    /// The earliest moment at which anything is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.entries.first().map(|entry| Timestamp(entry.at))
    }

    /// Takes out the first thing due at `now` or before.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        if self.next()? > now {
            return None;
        }
        if probes::planted(Bug::HashOrderInSweep) {
            let due = |entry: &&Entry| entry.at <= now.0;
            let many = self.entries.iter().take_while(due).count();
            let any = *self.entries.iter().nth(probes::chance(many))?;
            self.entries.remove(&any);
            return Some(any.due());
        }
        self.entries.pop_first().map(Entry::due)
    }

    /// Whether `due` is noted for `at`.
    pub fn contains(&self, at: Timestamp, due: Due) -> bool {
        self.entries.contains(&Entry::new(at, due))
    }

    /// Everything noted, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, Due)> + '_ {
        self.entries.iter().map(|entry| entry.due())
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

    /// Goal: what is packed comes out whole, in the order of [`Due`] itself.
    #[test]
    fn packed_entries_sort_as_moments_and_dues_do() {
        let ids = [0u128, 1, u128::from(u64::MAX), 1 << 64, u128::MAX];
        let dues = ids.into_iter().flat_map(|id| {
            let order = OrderId(id);
            let leg = |leg| Due::Leg(LegKey { order, leg });
            let (room, stock) = (Due::Room(EventId(id)), Due::Stock(EventId(id)));
            [Due::Order(order), leg(0), leg(255), room, stock]
        });
        let mut plain: Vec<(Timestamp, Due)> = dues
            .flat_map(|due| [3, 1, u64::MAX].map(|at| (Timestamp(at), due)))
            .collect();
        let mut index = DueIndex::default();
        plain.iter().for_each(|(at, due)| index.set(*at, *due));
        plain.sort_unstable();
        assert!(index.iter().eq(plain));
    }

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
