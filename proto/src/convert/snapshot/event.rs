//! An event's plan, and what its seats remember besides legs.

use ledger::Timestamp;
use ledger::event::EventPlan;
use ledger::parts::EventPart;
use ledger::seats::{SavedEvent, Stock};

use super::counter;
use crate::error::{DecodeError, required};
use crate::v1;

impl From<Stock> for v1::SavedStock {
    fn from(stock: Stock) -> Self {
        Self {
            available: stock.available,
            held: stock.held,
        }
    }
}

impl From<v1::SavedStock> for Stock {
    fn from(stock: v1::SavedStock) -> Self {
        Self {
            available: stock.available,
            held: stock.held,
        }
    }
}

impl From<&EventPart> for v1::SavedEvent {
    fn from(part: &EventPart) -> Self {
        Self {
            plan: Some((&part.plan).into()),
            told: Some(part.seats.told.into()),
            told_at_ms: part.seats.told_at.0,
            told_due_ms: part.seats.due_at.map(|at| at.0),
            revisions: part.seats.revisions.clone(),
            room_due_ms: part.room_due.map(|at| at.0),
        }
    }
}

impl TryFrom<v1::SavedEvent> for EventPart {
    type Error = DecodeError;

    fn try_from(part: v1::SavedEvent) -> Result<Self, DecodeError> {
        let plan: EventPlan = required(part.plan, "event.plan")?.try_into()?;
        let revision = |revision| counter(revision, "event.revisions");
        let seats = SavedEvent {
            event: plan.event,
            told: required(part.told, "event.told")?.into(),
            told_at: Timestamp(part.told_at_ms),
            due_at: part.told_due_ms.map(Timestamp),
            revisions: super::all(part.revisions, revision)?,
        };
        Ok(Self {
            plan,
            seats,
            room_due: part.room_due_ms.map(Timestamp),
        })
    }
}
