//! Values of the read model as bytes. Persisted, under [`FORMAT`](super::keys::FORMAT); numbers
//! are big-endian. Whatever cannot be read is `None`: damage, which ends in a rebuild.

use api::history::{FeedLine, OrderLine};
use ledger::change::{Change, Moved, OrderRef};
use ledger::command::CloseReason;
use ledger::outcome::Places;
use ledger::seat_list::SeatList;
use ledger::seats::{Leg, LegState};
use ledger::tickets::{Ticket, TicketState};
use ledger::*;

/// Reads a value front to back.
pub struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub fn u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_be_bytes)
    }
}

/// Where a shard's feed begins and how far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Log index of the last entry with facts that are here.
    pub index: u64,
    /// Number of the first fact kept.
    pub first: u64,
    /// Number of the last fact that is here; `first - 1` when none is.
    pub through: u64,
}

impl Default for Standing {
    /// Of a shard of which nothing is known yet, from its first fact on.
    fn default() -> Self {
        Self {
            index: 0,
            first: 1,
            through: 0,
        }
    }
}

impl Standing {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        [self.index, self.first, self.through]
            .map(u64::to_be_bytes)
            .concat()
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let standing = Self {
            index: reader.u64()?,
            first: reader.u64()?,
            through: reader.u64()?,
        };
        (standing.first >= 1 && standing.through + 1 >= standing.first).then_some(standing)
    }
}

/// What stands before the facts of an entry.
pub fn put_entry(out: &mut Vec<u8>, index: u64, at: Timestamp, facts: u32) {
    out.extend_from_slice(&index.to_be_bytes());
    out.extend_from_slice(&at.0.to_be_bytes());
    out.extend_from_slice(&facts.to_be_bytes());
}

/// The facts of a chunk whose first has the number `first`.
pub fn read_chunk(first: u64, bytes: &[u8]) -> Option<Vec<FeedLine>> {
    let mut reader = Reader(bytes);
    let mut lines = Vec::new();
    let mut number = first;
    while !reader.0.is_empty() {
        let (index, at) = (reader.u64()?, Timestamp(reader.u64()?));
        for _ in 0..reader.u32()? {
            lines.push(FeedLine {
                number,
                index,
                at,
                change: read_change(&mut reader)?,
            });
            number += 1;
        }
    }
    Some(lines)
}

/// A fact.
pub fn put_change(out: &mut Vec<u8>, change: &Change) {
    out.push(change.number());
    if let Some(order) = change.order() {
        out.extend_from_slice(&order.order.0.to_be_bytes());
        out.extend_from_slice(&order.event.0.to_be_bytes());
        out.extend_from_slice(&order.buyer.0.to_be_bytes());
    }
    match change {
        Change::EventInstalled {
            event,
            version: value,
        }
        | Change::RulesChanged {
            event,
            version: value,
        }
        | Change::QueueJoined {
            event,
            joined: value,
        }
        | Change::QueueDrawn {
            event,
            people: value,
        }
        | Change::QueueAdmitted {
            event,
            cursor: value,
        } => {
            out.extend_from_slice(&event.0.to_be_bytes());
            out.extend_from_slice(&value.to_be_bytes());
        }
        Change::OrderHeld { until, .. } | Change::OrderExtended { until, .. } => {
            out.extend_from_slice(&until.0.to_be_bytes());
        }
        Change::PaymentStarted {
            attempt, amount, ..
        } => {
            out.push(*attempt);
            out.extend_from_slice(&amount.to_be_bytes());
        }
        Change::PaymentDeclined { attempt, .. } | Change::PaymentInDoubt { attempt, .. } => {
            out.push(*attempt);
        }
        Change::OrderPaid { amount, .. } => out.extend_from_slice(&amount.to_be_bytes()),
        Change::OrderClosed { why, .. } => out.push(close_number(*why)),
        Change::OrderOpened { .. }
        | Change::OrderCommitted { .. }
        | Change::RefundStarted { .. }
        | Change::OrderRefunded { .. } => {}
        Change::SeatsHeld(moved)
        | Change::SeatsPinned(moved)
        | Change::SeatsUnpinned(moved)
        | Change::SeatsSold(moved)
        | Change::SeatsFreed(moved)
        | Change::SaleRevoked(moved) => {
            out.extend_from_slice(&moved.section.event.0.to_be_bytes());
            out.extend_from_slice(&moved.section.section.0.to_be_bytes());
            put_leg(out, moved.leg, moved.buyer, &moved.places);
        }
    }
}

fn read_change(reader: &mut Reader<'_>) -> Option<Change> {
    let number = reader.u8()?;
    Some(match number {
        1..=5 => {
            let (event, value) = (EventId(reader.u128()?), reader.u64()?);
            match number {
                1 => Change::EventInstalled {
                    event,
                    version: value,
                },
                2 => Change::RulesChanged {
                    event,
                    version: value,
                },
                3 => Change::QueueJoined {
                    event,
                    joined: value,
                },
                4 => Change::QueueDrawn {
                    event,
                    people: value,
                },
                _ => Change::QueueAdmitted {
                    event,
                    cursor: value,
                },
            }
        }
        6..=16 => read_order_change(number, reader)?,
        17..=22 => {
            let event = EventId(reader.u128()?);
            let section = SectionKey {
                event,
                section: SectionNo(reader.u16()?),
            };
            let (leg, buyer, places) = read_leg(reader)?;
            let moved = Moved {
                leg,
                buyer,
                section,
                places,
            };
            match number {
                17 => Change::SeatsHeld(moved),
                18 => Change::SeatsPinned(moved),
                19 => Change::SeatsUnpinned(moved),
                20 => Change::SeatsSold(moved),
                21 => Change::SeatsFreed(moved),
                _ => Change::SaleRevoked(moved),
            }
        }
        _ => return None,
    })
}

fn read_order_change(number: u8, reader: &mut Reader<'_>) -> Option<Change> {
    let order = OrderRef {
        order: OrderId(reader.u128()?),
        event: EventId(reader.u128()?),
        buyer: BuyerId(reader.u128()?),
    };
    Some(match number {
        6 => Change::OrderOpened { order },
        7 => Change::OrderHeld {
            order,
            until: Timestamp(reader.u64()?),
        },
        8 => Change::OrderExtended {
            order,
            until: Timestamp(reader.u64()?),
        },
        9 => Change::PaymentStarted {
            order,
            attempt: reader.u8()?,
            amount: reader.u64()?,
        },
        10 => Change::PaymentDeclined {
            order,
            attempt: reader.u8()?,
        },
        11 => Change::PaymentInDoubt {
            order,
            attempt: reader.u8()?,
        },
        12 => Change::OrderCommitted { order },
        13 => Change::OrderPaid {
            order,
            amount: reader.u64()?,
        },
        14 => Change::OrderClosed {
            order,
            why: proto::close_reason(reader.u8()?.into()).ok()?,
        },
        15 => Change::RefundStarted { order },
        16 => Change::OrderRefunded { order },
        _ => return None,
    })
}

fn put_leg(out: &mut Vec<u8>, leg: LegKey, buyer: BuyerId, places: &Places) {
    out.extend_from_slice(&leg.order.0.to_be_bytes());
    out.push(leg.leg);
    out.extend_from_slice(&buyer.0.to_be_bytes());
    match places {
        Places::Standing(count) => out.extend_from_slice(&[0, *count]),
        Places::Seats(seats) => {
            let seats = seats.as_slice();
            out.extend_from_slice(&[1, seats.len() as u8]);
            seats
                .iter()
                .for_each(|seat| out.extend_from_slice(&seat.0.to_be_bytes()));
        }
    }
}

fn read_leg(reader: &mut Reader<'_>) -> Option<(LegKey, BuyerId, Places)> {
    let leg = LegKey {
        order: OrderId(reader.u128()?),
        leg: reader.u8()?,
    };
    let buyer = BuyerId(reader.u128()?);
    let (kind, count) = (reader.u8()?, reader.u8()?);
    let places = match kind {
        0 => Places::Standing(count),
        1 => {
            let mut seats = SeatList::default();
            for _ in 0..count {
                seats.push(SeatNo(reader.u16()?)).then_some(())?;
            }
            Places::Seats(seats)
        }
        _ => return None,
    };
    Some((leg, buyer, places))
}

/// Adds a leg to its section's base.
pub fn put_base(out: &mut Vec<u8>, leg: &Leg) {
    out.push(match leg.state {
        LegState::Held => 1,
        LegState::Pinned => 2,
        LegState::Sold => 3,
    });
    put_leg(out, leg.key, leg.buyer, &leg.places);
}

/// A section's legs when the feed began.
pub fn read_base(bytes: &[u8]) -> Option<Vec<(LegState, OrderId, BuyerId, Places)>> {
    let mut reader = Reader(bytes);
    let mut legs = Vec::new();
    while !reader.0.is_empty() {
        let state = match reader.u8()? {
            1 => LegState::Held,
            2 => LegState::Pinned,
            3 => LegState::Sold,
            _ => return None,
        };
        let (leg, buyer, places) = read_leg(&mut reader)?;
        legs.push((state, leg.order, buyer, places));
    }
    Some(legs)
}

/// An order's line.
pub fn order_line(event: EventId, at: Timestamp, closed: Option<CloseReason>) -> Vec<u8> {
    let mut out = event.0.to_be_bytes().to_vec();
    out.extend_from_slice(&at.0.to_be_bytes());
    out.push(closed.map_or(0, close_number));
    out
}

/// An order's line, read.
pub fn read_order_line(order: OrderId, bytes: &[u8]) -> Option<OrderLine> {
    let mut reader = Reader(bytes);
    let (event, at) = (EventId(reader.u128()?), Timestamp(reader.u64()?));
    let closed = match reader.u8()? {
        0 => None,
        number => Some(proto::close_reason(number.into()).ok()?),
    };
    Some(OrderLine {
        order,
        event,
        at,
        closed,
    })
}

/// A ticket.
pub fn ticket(ticket: &Ticket) -> Vec<u8> {
    let mut out = ticket.order.0.to_be_bytes().to_vec();
    out.extend_from_slice(&[ticket.leg, ticket.ordinal]);
    out.extend_from_slice(&ticket.section.event.0.to_be_bytes());
    out.extend_from_slice(&ticket.section.section.0.to_be_bytes());
    out.push(u8::from(ticket.seat.is_some()));
    out.extend_from_slice(&ticket.seat.unwrap_or_default().0.to_be_bytes());
    out.push(u8::from(ticket.state == TicketState::Valid));
    out
}

/// A ticket, read.
pub fn read_ticket(id: TicketId, buyer: BuyerId, bytes: &[u8]) -> Option<Ticket> {
    let mut reader = Reader(bytes);
    let (order, leg, ordinal) = (OrderId(reader.u128()?), reader.u8()?, reader.u8()?);
    let event = EventId(reader.u128()?);
    let section = SectionKey {
        event,
        section: SectionNo(reader.u16()?),
    };
    let (seated, seat) = (reader.u8()? == 1, SeatNo(reader.u16()?));
    let state = if reader.u8()? == 1 {
        TicketState::Valid
    } else {
        TicketState::Void
    };
    let seat = seated.then_some(seat);
    Some(Ticket {
        id,
        order,
        leg,
        ordinal,
        buyer,
        section,
        seat,
        state,
    })
}

fn close_number(why: CloseReason) -> u8 {
    u8::try_from(proto::close_reason_number(why)).expect("reasons have numbers up to 255")
}
