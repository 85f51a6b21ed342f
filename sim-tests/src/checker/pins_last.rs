//! P5, §6: money is asked for only while every place of its order is pinned, and no pin is undone
//! before the payment has ended: no clock can take a seat away while the money is on its way.
//!
//! Told from the facts of all shards, in the order in which they were first applied: what a shard
//! says follows, in real time, from what it was told.

use std::collections::{BTreeMap, BTreeSet};

use ledger::change::{Change, Moved};
use ledger::{Command, LegKey, OrderId};

use super::Course;
use super::course::Entry;

#[derive(Default)]
struct Pins {
    /// How many legs an order has.
    legs: BTreeMap<OrderId, u8>,
    pinned: BTreeSet<LegKey>,
    paying: BTreeSet<OrderId>,
    wrong: Vec<String>,
}

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut pins = Pins::default();
    for entry in course.by_time() {
        for act in &entry.acts {
            if let Command::OpenOrder(open) = &act.command {
                let count = open.legs.len() as u8;
                pins.legs.entry(open.order).or_insert(count);
            }
            act.facts.iter().for_each(|fact| pins.fact(entry, fact));
        }
    }
    pins.wrong
}

impl Pins {
    fn fact(&mut self, entry: &Entry, fact: &Change) {
        match fact {
            Change::SeatsPinned(moved) => _ = self.pinned.insert(moved.leg),
            Change::SeatsUnpinned(moved) => self.lost(entry, moved),
            // Home frees its own places in the entry in which it ends the order.
            Change::SeatsFreed(moved) if moved.leg.order.home() == entry.shard => {
                self.pinned.remove(&moved.leg);
            }
            Change::SeatsFreed(moved) => self.lost(entry, moved),
            Change::PaymentStarted { order, .. } => self.starts(entry, order.order),
            Change::OrderHeld { order, .. }
            | Change::OrderPaid { order, .. }
            | Change::OrderClosed { order, .. } => _ = self.paying.remove(&order.order),
            _ => {}
        }
    }

    fn starts(&mut self, entry: &Entry, order: OrderId) {
        let legs = self.legs.get(&order).copied().unwrap_or(0);
        let loose = (0..legs).find(|leg| !self.pinned.contains(&LegKey { order, leg: *leg }));
        if let Some(leg) = loose {
            let found = format!("{order} is being paid, and its leg {leg} is not pinned");
            self.note(entry, &found);
        }
        self.paying.insert(order);
    }

    fn lost(&mut self, entry: &Entry, moved: &Moved) {
        self.pinned.remove(&moved.leg);
        if self.paying.contains(&moved.leg.order) {
            let found = format!("{:?} loses its pin while it is being paid", moved.leg);
            self.note(entry, &found);
        }
    }

    fn note(&mut self, entry: &Entry, found: &str) {
        let (shard, index) = (entry.shard, entry.index);
        self.wrong
            .push(format!("shard {shard} entry {index}: {found}"));
    }
}

#[cfg(test)]
mod tests {
    use ledger::command::{CloseReason, LegWant, OpenOrder, Want};
    use ledger::{SectionNo, ShardId, Timestamp};

    use super::*;
    use crate::checker::hand::{entry, order, seat, with};

    /// An order of shard 1 whose only leg is in shard 2, and what happened to it, by shard.
    fn run(facts: Vec<(u16, Change)>) -> usize {
        let of = order(1, 1);
        let mut opened = entry(1, 1, 10, vec![Change::OrderOpened { order: of }]);
        let want = Want::Standing {
            section: SectionNo(0),
            count: 1,
        };
        opened.acts[0].command = Command::OpenOrder(Box::new(OpenOrder {
            order: of.order,
            event: of.event,
            buyer: of.buyer,
            pass: None,
            legs: vec![LegWant {
                shard: ShardId(2),
                want,
            }],
        }));
        let facts = (2..).zip(facts);
        let rest = facts.map(|(index, (shard, fact))| entry(shard, index, 10 * index, vec![fact]));
        check(&with(std::iter::once(opened).chain(rest).collect())).len()
    }

    #[test]
    fn money_is_asked_for_while_all_places_are_pinned_and_no_longer() {
        let of = order(1, 1);
        let leg = seat(of, 3);
        let starts = Change::PaymentStarted {
            order: of,
            attempt: 1,
            amount: 5,
        };
        let held = Change::OrderHeld {
            order: of,
            until: Timestamp(9_000),
        };
        let closed = Change::OrderClosed {
            order: of,
            why: CloseReason::Declined,
        };
        let (pinned, unpinned) = (Change::SeatsPinned(leg), Change::SeatsUnpinned(leg));
        let freed = Change::SeatsFreed(leg);
        let good = vec![(2, pinned), (1, starts), (1, held), (2, unpinned)];
        assert_eq!(run(good), 0);
        let again = vec![(2, pinned), (1, starts), (1, closed), (2, freed)];
        assert_eq!(run(again), 0);
        assert_eq!(run(vec![(1, starts)]), 1, "nothing is pinned");
        let early = vec![(2, pinned), (2, unpinned), (1, starts)];
        assert_eq!(run(early), 1, "not any more");
        let crossed = vec![(2, pinned), (1, starts), (2, unpinned)];
        assert_eq!(run(crossed), 1, "while it is being paid");
        assert_eq!(run(vec![(2, pinned), (1, starts), (2, freed)]), 1);
    }
}
