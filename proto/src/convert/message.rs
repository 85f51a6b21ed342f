//! Messages between shards.

use ledger::message::Message;
use ledger::*;

use super::ids::*;
use super::outcome::{held_leg, rejection, wire_rejection};
use crate::error::{DecodeError, required};
use crate::v1;
use crate::v1::message::Kind;

impl From<&Message> for v1::Message {
    fn from(message: &Message) -> Self {
        let until = |leg: &LegKey, until: &Timestamp| v1::Until {
            leg: Some((*leg).into()),
            until_ms: until.0,
        };
        let kind = match message {
            Message::Hold(hold) => Kind::Hold((&**hold).into()),
            Message::LegHeld { order, held } => Kind::LegHeld(v1::LegHeld {
                order: Some(id(order.0)),
                held: Some(held.into()),
            }),
            Message::LegRefused { leg, why } => Kind::LegRefused(v1::LegRefused {
                leg: Some((*leg).into()),
                why: Some(wire_rejection(*why)),
            }),
            Message::Pin { leg, generation } => Kind::Pin(v1::Pin {
                leg: Some((*leg).into()),
                generation: generation.0,
            }),
            Message::LegPinned { leg } => Kind::LegPinned((*leg).into()),
            Message::PinRefused { leg } => Kind::PinRefused((*leg).into()),
            Message::Unpin { leg, until: at } => Kind::Unpin(until(leg, at)),
            Message::Sell { leg } => Kind::Sell((*leg).into()),
            Message::LegSold { leg, tickets } => Kind::LegSold(v1::LegSold {
                leg: Some((*leg).into()),
                tickets: pack(tickets.iter().map(|ticket| ticket.0)),
            }),
            Message::Release { leg } => Kind::Release((*leg).into()),
            Message::Extend { leg, until: at } => Kind::Extend(until(leg, at)),
            Message::Stock {
                event,
                available,
                held,
            } => Kind::Stock(v1::Stock {
                event: Some(id(event.0)),
                available: *available,
                held: *held,
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::Message> for Message {
    type Error = DecodeError;

    fn try_from(message: v1::Message) -> Result<Self, DecodeError> {
        let key = |leg| leg_key(Some(leg));
        Ok(match required(message.kind, "message")? {
            Kind::Hold(hold) => Self::Hold(Box::new(hold.try_into()?)),
            Kind::LegHeld(held) => Self::LegHeld {
                order: OrderId(from_id(held.order, "order")?),
                held: held_leg(required(held.held, "held")?)?,
            },
            Kind::LegRefused(refused) => Self::LegRefused {
                leg: leg_key(refused.leg)?,
                why: rejection(required(refused.why, "why")?)?,
            },
            Kind::Pin(pin) => Self::Pin {
                leg: leg_key(pin.leg)?,
                generation: Generation(pin.generation),
            },
            Kind::LegPinned(leg) => Self::LegPinned { leg: key(leg)? },
            Kind::PinRefused(leg) => Self::PinRefused { leg: key(leg)? },
            Kind::Unpin(until) => Self::Unpin {
                leg: leg_key(until.leg)?,
                until: Timestamp(until.until_ms),
            },
            Kind::Sell(leg) => Self::Sell { leg: key(leg)? },
            Kind::LegSold(sold) => Self::LegSold {
                leg: leg_key(sold.leg)?,
                tickets: unpack(&sold.tickets, "tickets", TicketId)?,
            },
            Kind::Release(leg) => Self::Release { leg: key(leg)? },
            Kind::Extend(until) => Self::Extend {
                leg: leg_key(until.leg)?,
                until: Timestamp(until.until_ms),
            },
            Kind::Stock(stock) => Self::Stock {
                event: EventId(from_id(stock.event, "event")?),
                available: stock.available,
                held: stock.held,
            },
        })
    }
}
