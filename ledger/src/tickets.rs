//! Tickets of the seats sold in this shard: one a place, void when the money went back.
//!
//! A ticket's id follows from its order, leg and place, so selling a leg twice gives the same
//! tickets (P8). Void tickets stay, so that the gate can say why it refuses one.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::ids::*;
use crate::table::Table;

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

/// All tickets of a shard.
#[derive(Clone, Debug, Default)]
pub struct TicketTable {
    tickets: Table<TicketId, Ticket>,
}

impl TicketTable {
    /// The ticket with this id.
    pub fn get(&self, id: TicketId) -> Option<&Ticket> {
        self.tickets.get(&id)
    }

    /// Issues a ticket, or puts one back from a snapshot.
    pub fn insert(&mut self, ticket: Ticket) {
        self.tickets.insert(ticket.id, ticket);
    }

    /// Makes a ticket void.
    pub fn void(&mut self, id: TicketId) {
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.state = TicketState::Void;
        }
    }

    /// How many, void ones included.
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// All tickets, by id.
    pub fn sorted(&self) -> Vec<&Ticket> {
        self.tickets
            .sorted()
            .into_iter()
            .map(|(_, ticket)| ticket)
            .collect()
    }

    /// Writes the table into the state's digest.
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
