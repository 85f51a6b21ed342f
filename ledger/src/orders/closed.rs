//! Orders that are over, remembered for a while: a repeated request gets the same answer (P8)
//! and a late message finds that nothing is to be held any more.

use std::collections::VecDeque;

use crate::command::{CloseReason, OpenOrder, Pass, Want};
use crate::ids::*;
use crate::limits::{CLOSED_ORDER_KEPT_MS, CLOSED_ORDERS_MAX};
use crate::orders::Order;
use crate::slab::{Keyed, Slab};

/// Forgotten at most so many an entry: more than close in an entry on average, so memory is
/// bounded, and few, so no entry stalls.
const FORGOTTEN_PER_APPLY_MAX: usize = 8;

/// What remains of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClosedOrder {
    /// Its id.
    pub id: OrderId,
    /// The show.
    pub event: EventId,
    /// Who wanted to buy.
    pub buyer: BuyerId,
    /// Mark of what was asked for.
    pub content: u64,
    /// Why it ended.
    pub why: CloseReason,
    /// When.
    pub closed_at: Timestamp,
    /// Payment attempts it had started.
    pub attempts: u8,
}

/// The remembered ones, oldest first to be forgotten. In a slab: there may be a million of them, and a
/// table that grows copies all it has, which stopped every replica of the shard at the same entry.
#[derive(Clone, Debug, Default)]
pub struct ClosedOrders {
    by_id: Slab<ClosedOrder>,
    by_age: VecDeque<OrderId>,
}

impl Keyed for ClosedOrder {
    type Key = OrderId;

    fn key(&self) -> OrderId {
        self.id
    }
}

impl ClosedOrders {
    pub(crate) fn get(&self, order: OrderId) -> Option<&ClosedOrder> {
        self.by_id.get(&order)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ClosedOrder> + '_ {
        self.by_age.iter().filter_map(|id| self.by_id.get(id))
    }

    /// Remembers `order`; when that is one too many, tells which is forgotten for it.
    pub(crate) fn remember(&mut self, closed: ClosedOrder) {
        match self.by_id.get_mut(&closed.id) {
            Some(known) => *known = closed,
            None => {
                self.by_id.insert(closed);
                self.by_age.push_back(closed.id);
            }
        }
    }

    /// Forgets a few that are past their time or past the bound.
    pub(crate) fn forget_old(&mut self, now: Timestamp, mut forgotten: impl FnMut(ClosedOrder)) {
        for _ in 0..FORGOTTEN_PER_APPLY_MAX {
            let Some(oldest) = self.by_age.front().and_then(|id| self.by_id.get(id)) else {
                return;
            };
            let kept_until = oldest.closed_at.plus_ms(CLOSED_ORDER_KEPT_MS);
            if now < kept_until && self.by_age.len() <= CLOSED_ORDERS_MAX {
                return;
            }
            let oldest = *oldest;
            self.by_age.pop_front();
            self.by_id.remove(&oldest.id);
            forgotten(oldest);
        }
    }
}

impl ClosedOrder {
    pub(crate) fn of(order: &Order, why: CloseReason, closed_at: Timestamp) -> Self {
        let mut mark = Mark::of(order.event, order.buyer, order.pass_index());
        for leg in order.legs.iter() {
            mark.put_leg(leg.shard, leg.asked_mark());
        }
        Self {
            id: order.id,
            event: order.event,
            buyer: order.buyer,
            content: mark.0,
            why,
            closed_at,
            attempts: order.attempts,
        }
    }

    pub(crate) fn same_content(&self, open: &OpenOrder) -> bool {
        let index = open.pass.map(|Pass { index, .. }| index);
        let mut mark = Mark::of(open.event, open.buyer, index);
        for leg in &open.legs {
            mark.put_leg(leg.shard, super::leg::mark(&leg.want));
        }
        let legs = open.legs.iter().map(|leg| (leg.shard, &leg.want));
        self.content == mark.0 || self.content == old_mark(open.event, open.buyer, index, legs)
    }
}

/// The mark that was made when orders kept their whole content: snapshots may still hold some.
fn old_mark<'a>(
    event: EventId,
    buyer: BuyerId,
    pass_index: Option<u64>,
    legs: impl Iterator<Item = (ShardId, &'a Want)>,
) -> u64 {
    let mut mark = Mark::of(event, buyer, pass_index);
    for (shard, want) in legs {
        mark.put(u64::from(shard.0));
        match want {
            Want::Seats { section, seats } => {
                mark.put(1 << 32 | u64::from(section.0));
                mark.put(seats.as_slice().len() as u64);
                seats
                    .as_slice()
                    .iter()
                    .for_each(|seat| mark.put(u64::from(seat.0)));
            }
            Want::Standing { section, count } => {
                mark.put(2 << 32 | u64::from(section.0));
                mark.put(u64::from(*count));
            }
            Want::Best {
                sections,
                count,
                accessible,
            } => {
                mark.put(3 << 32 | sections.len() as u64);
                sections
                    .iter()
                    .for_each(|section| mark.put(u64::from(section.0)));
                mark.put(u64::from(*count) << 1 | u64::from(*accessible));
            }
        }
    }
    mark.0
}

/// A 64-bit mark of an order's content: folds words into one (multiply wide, fold the halves).
/// Not cryptographic: whoever makes two contents collide under an id of their own gains an answer
/// they had anyway.
struct Mark(u64);

impl Mark {
    fn of(event: EventId, buyer: BuyerId, pass_index: Option<u64>) -> Self {
        let mut mark = Self(0x9e37_79b9_7f4a_7c15);
        mark.put_wide(event.0);
        mark.put_wide(buyer.0);
        mark.put(pass_index.map_or(0, |_| 1));
        mark.put(pass_index.unwrap_or(0));
        mark
    }

    fn put_leg(&mut self, shard: ShardId, asked: u32) {
        self.put(4 << 32 | u64::from(shard.0));
        self.put(u64::from(asked));
    }

    fn put(&mut self, word: u64) {
        let product =
            u128::from(self.0 ^ word.wrapping_add(0xa076_1d64_78bd_642f)) * 0xe703_7ed1_a0b4_28db;
        self.0 = (product >> 64) as u64 ^ (product as u64).rotate_left(23) ^ word;
    }

    fn put_wide(&mut self, word: u128) {
        self.put((word >> 64) as u64);
        self.put(word as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::LegWant;

    #[test]
    fn an_order_closed_by_a_release_that_made_other_marks_is_still_known() {
        let want = Want::Standing {
            section: SectionNo(3),
            count: 2,
        };
        let shard = ShardId(1);
        let mut open = OpenOrder {
            order: OrderId::new(shard, 5),
            event: EventId(1),
            buyer: BuyerId(2),
            pass: None,
            legs: vec![LegWant { shard, want }],
        };
        let legs = open.legs.iter().map(|leg| (leg.shard, &leg.want));
        let closed = ClosedOrder {
            id: open.order,
            event: open.event,
            buyer: open.buyer,
            content: old_mark(open.event, open.buyer, None, legs),
            why: CloseReason::Cancelled,
            closed_at: Timestamp(1),
            attempts: 0,
        };
        assert!(closed.same_content(&open));
        open.legs[0].shard = ShardId(2);
        assert!(!closed.same_content(&open));
    }
}
