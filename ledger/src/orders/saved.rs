//! An order as a snapshot carries it: plain data, field by field.

use super::leg::LegList;
use super::order::OrderState;
use super::{Order, OrderLeg};
use crate::command::Want;
use crate::ids::*;
use crate::outcome::HeldLeg;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedOrder {
    /// Its id.
    pub id: OrderId,
    /// The show.
    pub event: EventId,
    /// Who buys.
    pub buyer: BuyerId,
    /// Index of the pass it was opened with.
    pub pass_index: Option<u64>,
    /// When it was opened, moved on by the length of outages.
    pub opened_at: Timestamp,
    /// The deadline its buyer was told.
    pub until: Timestamp,
    /// Its parts.
    pub legs: Vec<SavedOrderLeg>,
    /// Where it stands.
    pub state: OrderState,
    /// Payment attempts started so far.
    pub attempts: u8,
    /// The payment method the next attempt will use.
    pub method: String,
}

/// A leg as a snapshot carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedOrderLeg {
    /// The shard that owns its seats.
    pub shard: ShardId,
    /// What was asked for.
    pub asked: Asked,
    /// What it got.
    pub held: Option<HeldLeg>,
    /// Pins sent and not answered yet.
    pub pins_unanswered: u8,
    /// Whether the newest pin was confirmed.
    pub pinned: bool,
    /// One ticket a place, once sold.
    pub tickets: Vec<TicketId>,
}

/// What a leg's order asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This.
    Want(Want),
    /// Something with this mark; the leg holds what was found for it.
    Mark(u32),
}

impl Order {
    /// For a snapshot.
    pub fn save(&self) -> SavedOrder {
        let leg = |(number, leg): (usize, &OrderLeg)| SavedOrderLeg {
            tickets: self.leg_tickets(number),
            ..leg.save(number as u8)
        };
        SavedOrder {
            id: self.id,
            event: self.event,
            buyer: self.buyer,
            pass_index: self.pass_index(),
            opened_at: self.opened_at(),
            until: self.until,
            legs: self.legs.iter().enumerate().map(leg).collect(),
            state: self.state,
            attempts: self.attempts,
            method: self.method().to_owned(),
        }
    }

    /// From a snapshot. `None`: no ledger can have saved it.
    pub(crate) fn restored(saved: &SavedOrder) -> Option<Self> {
        let legs = LegList::make(saved.legs.len(), |number| {
            let leg = &saved.legs[number];
            let fits = |held: &HeldLeg| usize::from(held.leg) == number;
            let fits = leg.held.as_ref().is_none_or(fits);
            OrderLeg::restored(leg).filter(|_| fits).ok_or(())
        });
        let hold_ms = saved.until.0.checked_sub(saved.opened_at.0)?;
        let mut order = Self {
            id: saved.id,
            event: saved.event,
            buyer: saved.buyer,
            until: saved.until,
            hold_ms: u32::try_from(hold_ms).ok()?,
            pass: super::order::pass_word(saved.pass_index),
            legs: legs.ok()?,
            state: saved.state,
            attempts: saved.attempts,
            rest: None,
        };
        order.set_method(&saved.method);
        for (number, leg) in saved.legs.iter().enumerate() {
            order.note_tickets(number, &leg.tickets);
        }
        Some(order)
    }
}
