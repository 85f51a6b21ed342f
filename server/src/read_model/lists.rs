//! People's lists, written from the feed a little at a time.
//!
//! A rush writes its feed at once, a few values a beat; a line of a list is a place of its own in
//! the tree and costs more than all of a fact's way there. So lists follow when there is time, each
//! shard's with a number that says how far they are; until then an answer says it is not complete.

use std::collections::BTreeMap;

use api::history::FeedLine;
use ledger::change::{Change, Moved};
use ledger::outcome::Places;
use ledger::tickets::{Ticket, TicketState, ticket_id};
use ledger::{ShardId, Timestamp};

use super::store::{Store, StoreError};
use super::{codec, keys, query};

/// Facts listed between two looks at the clock.
const STEP_FACTS: usize = 100;

type Puts = BTreeMap<Vec<u8>, Vec<u8>>;

/// Lists the facts behind number `after`, some of them; the number of the last one listed then, or
/// `None` when the feed goes no further.
pub fn follow(store: &Store, shard: ShardId, after: u64) -> Result<Option<u64>, StoreError> {
    let page = query::feed(store, shard, after + 1, STEP_FACTS)?;
    let Some(lines) = page.map(|page| page.lines) else {
        return Ok(None);
    };
    let Some(last) = lines.last().map(|line| line.number) else {
        return Ok(None);
    };
    let mut puts = Puts::new();
    for line in &lines {
        list(&mut puts, shard, line);
    }
    let mut batch = sled::Batch::default();
    for (key, value) in puts {
        batch.insert(key, value);
    }
    batch.insert(keys::listed(shard), &last.to_be_bytes());
    store.db.apply_batch(batch)?;
    Ok(Some(last))
}

/// What a fact changes in people's lists.
fn list(puts: &mut Puts, shard: ShardId, line: &FeedLine) {
    let (order, closed) = match &line.change {
        Change::OrderOpened { order } => (order, None),
        Change::OrderClosed { order, why } => (order, Some(*why)),
        Change::SeatsSold(moved) => return tickets(puts, shard, moved, TicketState::Valid),
        Change::SaleRevoked(moved) => return tickets(puts, shard, moved, TicketState::Void),
        _ => return,
    };
    let key = keys::order_of(order.buyer, order.order);
    puts.insert(key, codec::order_line(order.event, line.at, closed));
}

fn tickets(puts: &mut Puts, shard: ShardId, moved: &Moved, state: TicketState) {
    for ordinal in 0..moved.places.count() as u8 {
        let ticket = Ticket {
            id: ticket_id(shard, moved.leg, ordinal),
            order: moved.leg.order,
            leg: moved.leg.leg,
            ordinal,
            buyer: moved.buyer,
            section: moved.section,
            seat: match &moved.places {
                Places::Seats(seats) => seats.as_slice().get(usize::from(ordinal)).copied(),
                Places::Standing(_) => None,
            },
            state,
        };
        puts.insert(
            keys::ticket_of(ticket.buyer, ticket.id),
            codec::ticket(&ticket),
        );
    }
}
