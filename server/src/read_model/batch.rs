//! What an entry's facts write. Facts go into chunks, a few entries a value; beside them stand
//! only the lists that people ask for. All of it, and how far it goes, is one atomic batch.

use std::collections::{BTreeMap, BTreeSet};

use ledger::change::{Change, Moved};
use ledger::outcome::Places;
use ledger::tickets::{Ticket, TicketState, ticket_id};
use ledger::{SectionKey, ShardId, Timestamp};

use super::codec::{self, Standing};
use super::inbox::Entry;
use super::keys;

/// A shard's facts on their way into one chunk.
struct Chunk {
    first: u64,
    bytes: Vec<u8>,
    sections: BTreeSet<SectionKey>,
    standing: Standing,
}

/// Facts of some entries, of any shards.
#[derive(Default)]
pub struct Batch {
    chunks: BTreeMap<ShardId, Chunk>,
    puts: BTreeMap<Vec<u8>, Vec<u8>>,
    facts: usize,
}

impl Batch {
    /// How many facts are in it.
    pub fn facts(&self) -> usize {
        self.facts
    }

    /// Adds an entry's facts, which follow `standing`; gives the standing after them.
    pub fn add(&mut self, standing: Standing, entry: &Entry, changes: &[Change]) -> Standing {
        let chunk = self.chunks.entry(entry.shard).or_insert_with(|| Chunk {
            first: entry.first,
            bytes: Vec::with_capacity(changes.len() * 80),
            sections: BTreeSet::new(),
            standing,
        });
        codec::put_entry(
            &mut chunk.bytes,
            entry.index,
            entry.at,
            changes.len() as u32,
        );
        for change in changes {
            codec::put_change(&mut chunk.bytes, change);
            if let Some(moved) = change.moved() {
                chunk.sections.insert(moved.section);
            }
            list(&mut self.puts, entry.shard, entry.at, change);
        }
        self.facts += changes.len();
        chunk.standing = Standing {
            index: entry.index,
            through: standing.through + changes.len() as u64,
            ..standing
        };
        chunk.standing
    }

    /// As the database wants it.
    pub fn into_sled(self) -> sled::Batch {
        let mut batch = sled::Batch::default();
        for (key, value) in self.puts {
            batch.insert(key, value);
        }
        for (shard, chunk) in self.chunks {
            for section in chunk.sections {
                batch.insert(keys::section_chunk(section, chunk.first), &[]);
            }
            batch.insert(keys::chunk(shard, chunk.first), chunk.bytes);
            batch.insert(keys::standing(shard), chunk.standing.encode());
        }
        batch
    }
}

/// What a fact changes in people's lists.
fn list(puts: &mut BTreeMap<Vec<u8>, Vec<u8>>, shard: ShardId, at: Timestamp, change: &Change) {
    let (order, closed) = match change {
        Change::OrderOpened { order } => (order, None),
        Change::OrderClosed { order, why } => (order, Some(*why)),
        Change::SeatsSold(moved) => return tickets(puts, shard, moved, TicketState::Valid),
        Change::SaleRevoked(moved) => return tickets(puts, shard, moved, TicketState::Void),
        _ => return,
    };
    let key = keys::order_of(order.buyer, order.order);
    puts.insert(key, codec::order_line(order.event, at, closed));
}

fn tickets(
    puts: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    shard: ShardId,
    moved: &Moved,
    state: TicketState,
) {
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
