//! Courses written by hand, for the checkers' own tests.

use std::time::Duration;

use ledger::change::{Change, Moved, OrderRef};
use ledger::outcome::Places;
use ledger::seat_list::SeatList;
use ledger::{
    BuyerId, Command, EventId, LegKey, OrderId, Receipt, SeatNo, SectionKey, SectionNo, ShardId,
    Timestamp,
};
use serde_json::Value;

use super::course::{Act, Course, DrawnView, Entry, RoomView};
use crate::client::Reply;
use crate::history::Op;

/// An entry of `shard` at `ms`, applied at once, that did this.
pub fn entry(shard: u16, index: u64, ms: u64, facts: Vec<Change>) -> Entry {
    Entry {
        shard: ShardId(shard),
        index,
        term: 1,
        at: Timestamp(ms),
        clock: Timestamp(ms),
        proposed_at: Some(Duration::from_millis(ms)),
        applied_at: Duration::from_millis(ms),
        acts: vec![Act {
            command: Command::Tick,
            outcome: Ok(Receipt::Ticked { swept: 0 }),
            facts,
            holds: Vec::new(),
            pins: Vec::new(),
        }],
        sections: Vec::new(),
        buyers: Vec::new(),
    }
}

/// A course of these entries; the wall clock began at 0.
pub fn with(trail: Vec<Entry>) -> Course {
    Course {
        trail,
        healed_at: Some(Duration::ZERO),
        ended_at: Duration::from_secs(100),
        ..Course::default()
    }
}

/// A waiting room of `shard` in which two people have swapped places at the draw.
pub fn swapped(shard: u16, roster: [BuyerId; 2]) -> RoomView {
    RoomView {
        event: EventId(1),
        shard: ShardId(shard),
        roster: roster.into(),
        secret: [0; 32],
        drawn: Some(DrawnView {
            people: 2,
            root: [0; 32],
            beacon: Vec::new(),
            seed: [0; 32],
            positions: vec![1, 0],
        }),
    }
}

/// Order number `n` of the shard, and its buyer.
pub fn order(shard: u16, n: u128) -> OrderRef {
    OrderRef {
        order: OrderId::new(ShardId(shard), n),
        event: EventId(1),
        buyer: BuyerId(n),
    }
}

/// A seat of section 0 that moved for an order's first leg.
pub fn seat(order: OrderRef, seat: u16) -> Moved {
    let list = SeatList::new(&[SeatNo(seat)]).expect("one seat fits");
    Moved {
        leg: LegKey {
            order: order.order,
            leg: 0,
        },
        buyer: order.buyer,
        section: SectionKey {
            event: EventId(1),
            section: SectionNo(0),
        },
        places: Places::Seats(list),
    }
}

/// The text of an order's id.
pub fn text(order: OrderRef) -> String {
    uuid::Uuid::from_u128(order.order.0).to_string()
}

/// A request of `who` from one moment to another.
pub fn op(
    who: &str,
    from: u64,
    to: u64,
    method: &str,
    path: &str,
    reply: Option<(u16, Value)>,
) -> Op {
    Op {
        who: who.to_owned(),
        token: String::new(),
        invoked: Duration::from_millis(from),
        returned: Duration::from_millis(to),
        method: method.to_owned(),
        path: path.to_owned(),
        key: None,
        body: Value::Null,
        reply: reply.map_or(Reply::Unknown, |(status, body)| {
            Reply::Answered(status, body)
        }),
    }
}
