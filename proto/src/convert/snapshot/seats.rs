//! Legs that have places, legs that may not come back, and tickets.

use ledger::outcome::Places;
use ledger::seats::{Leg, LegState, SavedEnded};
use ledger::tickets::{Ticket, TicketState};
use ledger::*;
use probes::Bug;

use super::super::ids::*;
use super::super::outcome::held_leg;
use super::counter;
use crate::error::{DecodeError, narrow, required};
use crate::v1;

impl From<&Leg> for v1::SavedLeg {
    fn from(leg: &Leg) -> Self {
        let state = match leg.state {
            LegState::Held => 1,
            LegState::Pinned => 2,
            LegState::Sold => 3,
        };
        Self {
            order: Some(id(leg.key.order.0)),
            held: Some((&leg.held()).into()),
            event: Some(id(leg.event.0)),
            buyer: Some(id(leg.buyer.0)),
            until_ms: leg.until.0,
            state,
            expires_here: leg.expires_here,
            content: leg.content,
        }
    }
}

impl TryFrom<v1::SavedLeg> for Leg {
    type Error = DecodeError;

    fn try_from(leg: v1::SavedLeg) -> Result<Self, DecodeError> {
        let held = held_leg(required(leg.held, "leg.held")?)?;
        distinct(&held.places)?;
        Ok(Self {
            key: LegKey {
                order: OrderId(from_id(leg.order, "leg.order")?),
                leg: held.leg,
            },
            event: EventId(from_id(leg.event, "leg.event")?),
            buyer: BuyerId(from_id(leg.buyer, "leg.buyer")?),
            section: held.section,
            places: held.places,
            price_each: held.price_each,
            generation: Generation(counter(held.generation.0, "leg.generation")?),
            until: Timestamp(leg.until_ms),
            state: match leg.state {
                1 => LegState::Held,
                2 if probes::planted(Bug::SnapshotForgetsPins) => LegState::Held,
                2 => LegState::Pinned,
                3 => LegState::Sold,
                _ => return Err(DecodeError::Missing("leg.state")),
            },
            expires_here: leg.expires_here,
            content: leg.content,
        })
    }
}

/// A leg has a seat once; the seats it is put back into rely on that.
fn distinct(places: &Places) -> Result<(), DecodeError> {
    let Places::Seats(seats) = places else {
        return Ok(());
    };
    let seats = seats.as_slice();
    let twice = |(at, seat)| seats[..at].contains(seat);
    if seats.iter().enumerate().any(twice) {
        return Err(DecodeError::Range("leg.seats"));
    }
    Ok(())
}

impl From<&SavedEnded> for v1::Until {
    fn from(ended: &SavedEnded) -> Self {
        Self {
            leg: Some(ended.leg.into()),
            until_ms: ended.until.0,
        }
    }
}

impl TryFrom<v1::Until> for SavedEnded {
    type Error = DecodeError;

    fn try_from(ended: v1::Until) -> Result<Self, DecodeError> {
        Ok(Self {
            leg: leg_key(ended.leg)?,
            until: Timestamp(ended.until_ms),
        })
    }
}

impl From<&Ticket> for v1::SavedTicket {
    fn from(ticket: &Ticket) -> Self {
        let leg = LegKey {
            order: ticket.order,
            leg: ticket.leg,
        };
        Self {
            ticket: Some(id(ticket.id.0)),
            leg: Some(leg.into()),
            ordinal: ticket.ordinal.into(),
            buyer: Some(id(ticket.buyer.0)),
            event: Some(id(ticket.section.event.0)),
            section: ticket.section.section.0.into(),
            seat: ticket.seat.map(|seat| seat.0.into()),
            state: match ticket.state {
                TicketState::Valid => 1,
                TicketState::Void => 2,
            },
        }
    }
}

impl TryFrom<v1::SavedTicket> for Ticket {
    type Error = DecodeError;

    fn try_from(ticket: v1::SavedTicket) -> Result<Self, DecodeError> {
        let leg = leg_key(ticket.leg)?;
        let seat = |seat| narrow(seat, "ticket.seat").map(SeatNo);
        Ok(Self {
            id: TicketId(from_id(ticket.ticket, "ticket.ticket")?),
            order: leg.order,
            leg: leg.leg,
            ordinal: narrow(ticket.ordinal, "ticket.ordinal")?,
            buyer: BuyerId(from_id(ticket.buyer, "ticket.buyer")?),
            section: SectionKey {
                event: EventId(from_id(ticket.event, "ticket.event")?),
                section: section(ticket.section)?,
            },
            seat: ticket.seat.map(seat).transpose()?,
            state: match ticket.state {
                1 => TicketState::Valid,
                2 => TicketState::Void,
                _ => return Err(DecodeError::Missing("ticket.state")),
            },
        })
    }
}
