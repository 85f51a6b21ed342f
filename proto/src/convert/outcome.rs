//! Outcomes: receipts and numbered rejections.

use ledger::command::CloseReason;
use ledger::outcome::*;
use ledger::*;

use super::command::seat_list;
use super::ids::*;
use crate::error::{DecodeError, narrow, required};
use crate::v1;
use crate::v1::outcome::Kind;

/// The persistent number of a reason: 1 to 255, never reused.
pub fn close_reason_number(why: CloseReason) -> u32 {
    match why {
        CloseReason::Refused => 1,
        CloseReason::Cancelled => 2,
        CloseReason::Expired => 3,
        CloseReason::Declined => 4,
        CloseReason::PaymentCancelled => 5,
        CloseReason::LegLost => 6,
        CloseReason::CaptureRefused => 7,
    }
}

/// The reason that has this number.
pub fn close_reason(number: u32) -> Result<CloseReason, DecodeError> {
    Ok(match number {
        1 => CloseReason::Refused,
        2 => CloseReason::Cancelled,
        3 => CloseReason::Expired,
        4 => CloseReason::Declined,
        5 => CloseReason::PaymentCancelled,
        6 => CloseReason::LegLost,
        7 => CloseReason::CaptureRefused,
        _ => return Err(DecodeError::Missing("why")),
    })
}

impl From<&HeldLeg> for v1::HeldLeg {
    fn from(held: &HeldLeg) -> Self {
        use v1::held_leg::Places as Wire;
        let places = match held.places {
            Places::Seats(seats) => Wire::Seats(v1::Seats {
                seats: seat_numbers(seats.as_slice()),
            }),
            Places::Standing(count) => Wire::Standing(count.into()),
        };
        Self {
            leg: held.leg.into(),
            section: held.section.0.into(),
            places: Some(places),
            generation: held.generation.0,
            price_each: held.price_each,
        }
    }
}

pub(super) fn held_leg(held: v1::HeldLeg) -> Result<HeldLeg, DecodeError> {
    use v1::held_leg::Places as Wire;
    let places = match required(held.places, "places")? {
        Wire::Seats(seats) => Places::Seats(seat_list(&seats.seats)?),
        Wire::Standing(count) => Places::Standing(narrow(count, "places.count")?),
    };
    Ok(HeldLeg {
        leg: narrow(held.leg, "leg")?,
        section: section(held.section)?,
        places,
        generation: Generation(held.generation),
        price_each: held.price_each,
    })
}

pub(super) fn wire_rejection(rejection: Rejection) -> v1::Rejection {
    let mut wire = v1::Rejection {
        number: rejection.number(),
        ..Default::default()
    };
    match rejection {
        Rejection::SectionUnknown { section } => wire.section = section.0.into(),
        Rejection::SeatUnknown { section, seat }
        | Rejection::SeatNotAvailable { section, seat } => {
            wire.section = section.0.into();
            wire.seat = seat.0.into();
        }
        Rejection::OrderSeatsMax { max: count } | Rejection::BuyerSeatsMax { left: count } => {
            wire.count = count.into();
        }
        Rejection::NotEnoughSeats { left } => wire.count = left,
        Rejection::OrderOver { why } => wire.why = close_reason_number(why),
        Rejection::DeliveryGap { expected } => wire.expected = expected,
        Rejection::Malformed
        | Rejection::EventUnknown
        | Rejection::EventExistsWithDifferentContent
        | Rejection::EventInvalid
        | Rejection::QueueNone
        | Rejection::QueueClosed
        | Rejection::QueueFull
        | Rejection::SaleNotOpen
        | Rejection::SalePaused
        | Rejection::SaleClosed
        | Rejection::Overloaded
        | Rejection::WrongShard
        | Rejection::OrderExistsWithDifferentContent
        | Rejection::OrderInvalid
        | Rejection::PassRequired
        | Rejection::PassExpired
        | Rejection::PassSpent
        | Rejection::OrderUnknown
        | Rejection::OrderNotOfBuyer
        | Rejection::OrderNotHeldYet
        | Rejection::HoldExpired
        | Rejection::OrderInPayment
        | Rejection::PaymentAttemptsMax
        | Rejection::PaymentStale
        | Rejection::RefundImpossible
        | Rejection::TextTooLong
        | Rejection::LegOver
        | Rejection::LegUnknown
        | Rejection::VersionOld => {}
    }
    wire
}

pub(super) fn rejection(wire: v1::Rejection) -> Result<Rejection, DecodeError> {
    let at_section = || section(wire.section);
    let seat = || narrow(wire.seat, "seat").map(SeatNo);
    let count = || narrow(wire.count, "count");
    Ok(match wire.number {
        1 => Rejection::Malformed,
        2 => Rejection::EventUnknown,
        3 => Rejection::EventExistsWithDifferentContent,
        4 => Rejection::EventInvalid,
        5 => Rejection::QueueNone,
        6 => Rejection::QueueClosed,
        7 => Rejection::QueueFull,
        8 => Rejection::SaleNotOpen,
        9 => Rejection::SalePaused,
        10 => Rejection::SaleClosed,
        11 => Rejection::Overloaded,
        12 => Rejection::WrongShard,
        13 => Rejection::OrderExistsWithDifferentContent,
        14 => Rejection::OrderInvalid,
        15 => Rejection::SectionUnknown {
            section: at_section()?,
        },
        16 => Rejection::SeatUnknown {
            section: at_section()?,
            seat: seat()?,
        },
        17 => Rejection::OrderSeatsMax { max: count()? },
        18 => Rejection::PassRequired,
        19 => Rejection::PassExpired,
        20 => Rejection::PassSpent,
        21 => Rejection::BuyerSeatsMax { left: count()? },
        22 => Rejection::OrderUnknown,
        23 => Rejection::OrderNotOfBuyer,
        24 => Rejection::OrderOver {
            why: close_reason(wire.why)?,
        },
        25 => Rejection::OrderNotHeldYet,
        26 => Rejection::HoldExpired,
        27 => Rejection::OrderInPayment,
        28 => Rejection::PaymentAttemptsMax,
        29 => Rejection::PaymentStale,
        30 => Rejection::RefundImpossible,
        31 => Rejection::TextTooLong,
        32 => Rejection::SeatNotAvailable {
            section: at_section()?,
            seat: seat()?,
        },
        33 => Rejection::NotEnoughSeats { left: wire.count },
        34 => Rejection::LegOver,
        35 => Rejection::LegUnknown,
        36 => Rejection::DeliveryGap {
            expected: wire.expected,
        },
        37 => Rejection::VersionOld,
        _ => return Err(DecodeError::Missing("rejection.number")),
    })
}

fn wire_phase(phase: OrderPhase) -> v1::Phase {
    let (phase, why) = match phase {
        OrderPhase::Opening => (1, 0),
        OrderPhase::Held => (2, 0),
        OrderPhase::Paying => (3, 0),
        OrderPhase::InDoubt => (4, 0),
        OrderPhase::Committed => (5, 0),
        OrderPhase::Paid => (6, 0),
        OrderPhase::Refunding => (7, 0),
        OrderPhase::Refunded => (8, 0),
        OrderPhase::Closed(why) => (9, close_reason_number(why)),
    };
    v1::Phase { phase, why }
}

fn phase(wire: v1::Phase) -> Result<OrderPhase, DecodeError> {
    Ok(match wire.phase {
        1 => OrderPhase::Opening,
        2 => OrderPhase::Held,
        3 => OrderPhase::Paying,
        4 => OrderPhase::InDoubt,
        5 => OrderPhase::Committed,
        6 => OrderPhase::Paid,
        7 => OrderPhase::Refunding,
        8 => OrderPhase::Refunded,
        9 => OrderPhase::Closed(close_reason(wire.why)?),
        _ => return Err(DecodeError::Missing("phase")),
    })
}

impl From<&Outcome> for v1::Outcome {
    fn from(outcome: &Outcome) -> Self {
        let kind = match outcome {
            Err(rejection) => Kind::Rejection(wire_rejection(*rejection)),
            Ok(receipt) => match receipt {
                Receipt::EventInstalled => Kind::EventInstalled(v1::Empty {}),
                Receipt::QueueJoined { indexes } => Kind::QueueJoined(v1::QueueJoined {
                    indexes: indexes.clone(),
                }),
                Receipt::OrderOpened { until } => Kind::OrderOpenedUntilMs(until.0),
                Receipt::OrderHeld { until, legs } => Kind::OrderHeld(v1::OrderHeld {
                    until_ms: until.0,
                    legs: legs.iter().map(Into::into).collect(),
                }),
                Receipt::LegHeld(held) => Kind::LegHeld(held.into()),
                Receipt::LegRefused(why) => Kind::LegRefused(wire_rejection(*why)),
                Receipt::OrderClosed => Kind::OrderClosed(v1::Empty {}),
                Receipt::Payment { phase } => Kind::Payment(wire_phase(*phase)),
                Receipt::Delivered { through } => Kind::DeliveredThrough(*through),
                Receipt::Acknowledged => Kind::Acknowledged(v1::Empty {}),
                Receipt::Ticked { swept } => Kind::Ticked(*swept),
                Receipt::HoldsExtended { holds, by_ms } => Kind::HoldsExtended(v1::HoldsExtended {
                    holds: *holds,
                    by_ms: *by_ms,
                }),
            },
        };
        Self { kind: Some(kind) }
    }
}

pub(super) fn outcome(wire: v1::Outcome) -> Result<Outcome, DecodeError> {
    Ok(Ok(match required(wire.kind, "outcome")? {
        Kind::Rejection(wire) => return Ok(Err(rejection(wire)?)),
        Kind::EventInstalled(_) => Receipt::EventInstalled,
        Kind::QueueJoined(joined) => Receipt::QueueJoined {
            indexes: joined.indexes,
        },
        Kind::OrderOpenedUntilMs(until) => Receipt::OrderOpened {
            until: Timestamp(until),
        },
        Kind::OrderHeld(held) => Receipt::OrderHeld {
            until: Timestamp(held.until_ms),
            legs: held
                .legs
                .into_iter()
                .map(held_leg)
                .collect::<Result<_, _>>()?,
        },
        Kind::LegHeld(held) => Receipt::LegHeld(held_leg(held)?),
        Kind::LegRefused(why) => Receipt::LegRefused(rejection(why)?),
        Kind::OrderClosed(_) => Receipt::OrderClosed,
        Kind::Payment(wire) => Receipt::Payment {
            phase: phase(wire)?,
        },
        Kind::DeliveredThrough(through) => Receipt::Delivered { through },
        Kind::Acknowledged(_) => Receipt::Acknowledged,
        Kind::Ticked(swept) => Receipt::Ticked { swept },
        Kind::HoldsExtended(extended) => Receipt::HoldsExtended {
            holds: extended.holds,
            by_ms: extended.by_ms,
        },
    }))
}
