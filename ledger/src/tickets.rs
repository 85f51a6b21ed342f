//! Tickets of the seats sold in this shard: one a place, void when the money went back.
//!
//! A ticket's id follows from its order, leg and place, so selling a leg twice gives the same
//! tickets (P8). Void tickets stay, so that the gate can say why it refuses one.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::ids::*;
use crate::seats::SeatTable;
use crate::slot_index::SlotIndex;
use crate::table::{Table, hash_of};

/// The right to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// The order it was bought with.
    pub order: OrderId,
    /// Which leg of the order.
    pub leg: u8,
    /// Which place of the leg, from 0.
    pub ordinal: u8,
    /// Whose it is.
    pub buyer: BuyerId,
    /// The section.
    pub section: SectionKey,
    /// The seat; `None` in a standing section.
    pub seat: Option<SeatNo>,
    /// Whether it still opens the gate.
    pub state: TicketState,
}

/// Whether a ticket still opens the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// It does.
    Valid,
    /// Its money went back.
    Void,
}

/// Where a shard's tickets are found.
///
/// All that is known of a ticket follows from the leg it was issued for, so of a valid one only
/// the way to its leg is kept: 8 bytes and some air. A void one outlives its leg and is kept whole.
#[derive(Clone, Debug, Default)]
pub struct TicketTable {
    /// From an id's hash to the number of a sold leg.
    live: SlotIndex,
    /// Tickets that do not follow from a leg.
    other: Table<TicketId, Ticket>,
}

impl TicketTable {
    /// Notes that these are the tickets of leg `leg`, which was sold just now.
    pub(crate) fn issue(&mut self, ids: &[TicketId], leg: u32) {
        for id in ids {
            if !self.other.is_empty() {
                self.other.remove(id);
            }
            self.live.insert(hash_of(id), leg);
        }
    }

    /// Makes tickets void that follow from leg `leg`, which has its places no longer.
    pub(crate) fn void(&mut self, tickets: impl Iterator<Item = Ticket>, leg: u32) {
        let state = TicketState::Void;
        for ticket in tickets {
            if let Some(other) = self.other.get_mut(&ticket.id) {
                other.state = state;
            } else if self.is_live(ticket.id, leg) {
                self.live.remove(hash_of(&ticket.id), leg);
                self.other.insert(ticket.id, Ticket { state, ..ticket });
            }
        }
    }

    /// Puts a ticket back from a snapshot; `leg` is the one it follows from.
    pub(crate) fn restore(&mut self, ticket: Ticket, leg: Option<u32>) {
        match leg {
            Some(leg) if !self.is_live(ticket.id, leg) => {
                self.live.insert(hash_of(&ticket.id), leg);
            }
            Some(_) => {}
            None => drop(self.other.insert(ticket.id, ticket)),
        }
    }

    fn is_live(&self, id: TicketId, leg: u32) -> bool {
        self.live.find(hash_of(&id), |of| of == leg).is_some()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.live.heap_bytes() + self.other.heap_bytes()
    }
}

/// All tickets of a shard, to read.
#[derive(Clone, Copy, Debug)]
pub struct Tickets<'a> {
    pub(crate) table: &'a TicketTable,
    pub(crate) seats: &'a SeatTable,
}

impl Tickets<'_> {
    /// The ticket with this id.
    pub fn get(&self, id: TicketId) -> Option<Ticket> {
        if let Some(ticket) = self.table.other.get(&id) {
            return Some(*ticket);
        }
        let has_it = |leg: u32| self.seats.tickets_of(leg).any(|ticket| ticket.id == id);
        let leg = self.table.live.find(hash_of(&id), has_it)?;
        self.seats.tickets_of(leg).find(|ticket| ticket.id == id)
    }

    /// How many, void ones included.
    pub fn len(&self) -> usize {
        self.table.live.len() + self.table.other.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All tickets, by id. Costs a sort.
    pub fn sorted(&self) -> Vec<Ticket> {
        // A leg is found once for each of its tickets.
        let mut legs: Vec<u32> = self.table.live.slots_unordered().collect();
        legs.sort_unstable();
        legs.dedup();
        let mut all = Vec::with_capacity(self.len());
        all.extend(self.table.other.sorted().into_iter().map(|(_, void)| *void));
        for leg in legs {
            let known = |ticket: &Ticket| self.table.is_live(ticket.id, leg);
            all.extend(self.seats.tickets_of(leg).filter(known));
        }
        all.sort_unstable_by_key(|ticket| ticket.id);
        all
    }

    /// Writes them into the state's digest.
    pub fn digest(&self, digest: &mut Digest) {
        digest.put_table("tickets", self.len());
        for ticket in self.sorted() {
            digest.put_u128(ticket.id.0);
            digest.put_leg(LegKey {
                order: ticket.order,
                leg: ticket.leg,
            });
            digest.put_u8(ticket.ordinal);
            digest.put_u128(ticket.buyer.0);
            digest.put_section(ticket.section);
            digest.put_u32(ticket.seat.map_or(u32::MAX, |seat| u32::from(seat.0)));
            digest.put_bool(ticket.state == TicketState::Valid);
        }
    }
}

/// The id of the ticket for place `ordinal` of `leg`, issued by `shard`.
pub fn ticket_id(shard: ShardId, leg: LegKey, ordinal: u8) -> TicketId {
    let mut hasher = Sha256::new();
    hasher.update(b"usher ticket 1");
    hasher.update(leg.order.0.to_be_bytes());
    hasher.update([leg.leg, ordinal]);
    let hash: [u8; 32] = hasher.finalize().into();
    let chosen: [u8; 16] = hash[..16].try_into().expect("a SHA-256 hash has 32 bytes");
    TicketId::new(shard, u128::from_be_bytes(chosen))
}
