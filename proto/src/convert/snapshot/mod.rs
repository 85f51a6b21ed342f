//! Parts of a snapshot, one file a family.
//!
//! Every number that a ledger counts on from is refused in its upper half ([`counter`]): no ledger
//! gets there, and a damaged one must not overflow later.

mod event;
mod head;
mod orders;
mod outbox;
mod payments;
mod people;
mod room;
mod seats;

use ledger::parts::Part;

use crate::error::{DecodeError, required};
use crate::v1;
use crate::v1::snapshot_part::Kind;

/// A part and its place in a snapshot of `parts` parts; the head alone writes the latter down.
pub(crate) fn encode_part(part: &Part, number: u32, parts: u32) -> v1::SnapshotPart {
    let kind = match part {
        Part::Head(head) => Kind::Head(head::encode(head, parts)),
        Part::Event(event) => Kind::Event((&**event).into()),
        Part::Legs(legs) => Kind::Legs(v1::SavedLegs {
            legs: legs.iter().map(Into::into).collect(),
        }),
        Part::Ended(ended) => Kind::Ended(v1::SavedEndedLegs {
            legs: ended.iter().map(Into::into).collect(),
        }),
        Part::Tickets(tickets) => Kind::Tickets(v1::SavedTickets {
            tickets: tickets.iter().map(Into::into).collect(),
        }),
        Part::Orders(orders) => Kind::Orders(v1::SavedOrders {
            orders: orders.iter().map(Into::into).collect(),
        }),
        Part::Closed(orders) => Kind::Closed(v1::SavedClosedOrders {
            orders: orders.iter().map(Into::into).collect(),
        }),
        Part::Buyers(buyers) => Kind::Buyers(v1::SavedBuyers {
            buyers: buyers.iter().map(people::encode).collect(),
        }),
        Part::Attempts(attempts) => Kind::Attempts(v1::SavedAttempts {
            attempts: attempts.iter().map(payments::encode).collect(),
        }),
        Part::Outbox(outbox) => Kind::Outbox(outbox.into()),
        Part::Room(room) => Kind::Room((&**room).into()),
        Part::Roster(roster) => Kind::Roster(roster.into()),
    };
    v1::SnapshotPart {
        number,
        kind: Some(kind),
    }
}

/// The part these bytes mean, without its place.
pub(crate) fn decode_part(part: v1::SnapshotPart) -> Result<Part, DecodeError> {
    Ok(match required(part.kind, "part")? {
        Kind::Head(head) => Part::Head(head.try_into()?),
        Kind::Event(event) => Part::Event(Box::new(event.try_into()?)),
        Kind::Legs(part) => Part::Legs(all(part.legs, TryInto::try_into)?),
        Kind::Ended(part) => Part::Ended(all(part.legs, TryInto::try_into)?),
        Kind::Tickets(part) => Part::Tickets(all(part.tickets, TryInto::try_into)?),
        Kind::Orders(part) => Part::Orders(all(part.orders, TryInto::try_into)?),
        Kind::Closed(part) => Part::Closed(all(part.orders, TryInto::try_into)?),
        Kind::Buyers(part) => Part::Buyers(all(part.buyers, people::decode)?),
        Kind::Attempts(part) => Part::Attempts(all(part.attempts, payments::decode)?),
        Kind::Outbox(part) => Part::Outbox(part.try_into()?),
        Kind::Room(part) => Part::Room(Box::new(part.try_into()?)),
        Kind::Roster(part) => Part::Roster(part.try_into()?),
    })
}

fn all<T, U>(
    wire: Vec<T>,
    decode: impl Fn(T) -> Result<U, DecodeError>,
) -> Result<Vec<U>, DecodeError> {
    wire.into_iter().map(decode).collect()
}

/// A number that will be counted on from.
fn counter(value: u64, field: &'static str) -> Result<u64, DecodeError> {
    if value <= u64::MAX / 2 {
        Ok(value)
    } else {
        Err(DecodeError::Range(field))
    }
}
