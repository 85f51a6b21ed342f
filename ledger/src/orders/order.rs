//! One order, and the only way its state and deadline may change.

use std::collections::BTreeMap;

use probes::Bug;

use super::leg::{LegList, OrderLeg};
use crate::change::OrderRef;
use crate::command::OpenOrder;
use crate::due::{Due, DueIndex};
use crate::ids::*;
use crate::limits::OPENING_GRACE_MS;
use crate::outcome::{HeldLeg, OrderPhase, Receipt};
use crate::slab::Keyed;
use crate::text::Text;
use crate::tickets::ticket_id;

/// By how much the planted [`Bug::HoldEndsEarly`] is early.
pub(super) const EARLY_MS: u64 = 3_000;

/// What one buyer reserves in one go, in 144 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The show.
    pub event: EventId,
    /// Who buys.
    pub buyer: BuyerId,
    /// The deadline its buyer was told. It is held iff `clock < until`.
    pub until: Timestamp,
    /// How long before `until` it was opened.
    pub(super) hold_ms: u32,
    /// Index of the pass it was opened with; see [`pass_word`].
    pub(super) pass: u64,
    /// Its parts.
    pub legs: LegList,
    /// Where it stands.
    pub state: OrderState,
    /// Payment attempts started so far; the latest has this number.
    pub attempts: u8,
    pub(super) rest: Option<Box<Rest>>,
}

const _: () = assert!(size_of::<Option<Order>>() <= 144);

/// What few orders have, and those not for long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rest {
    /// The payment method the next attempt will use, while legs are being pinned.
    method: Text,
    /// Tickets that do not follow from their leg's id, by leg.
    tickets: BTreeMap<u8, Vec<TicketId>>,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Legs are being held: by the door, or by the courier once `driven`.
    Opening {
        /// Whether the courier took over.
        driven: bool,
    },
    /// All legs hold; ends at `until`.
    Held,
    /// A payment was asked for; legs are being pinned.
    Pinning {
        /// When home gives up.
        deadline: Timestamp,
    },
    /// All legs are pinned; the money is being reserved.
    AuthPending {
        /// When it is cancelled, should no answer come.
        deadline: Timestamp,
    },
    /// Nobody knows whether the money was reserved. Stays pinned.
    AuthUnknown {
        /// When it is cancelled, should nobody find out.
        deadline: Timestamp,
    },
    /// The reservation of the money is being undone. Stays pinned until that is certain.
    Cancelling,
    /// Past the commit point: seats are being sold, money is being taken.
    Committed {
        /// Whether the money was taken.
        captured: bool,
    },
    /// Sold and captured.
    Paid,
    /// Its seats are free again, its money is on the way back.
    Refunding,
    /// Its money is back.
    Refunded,
}

impl Keyed for Order {
    type Key = OrderId;

    fn key(&self) -> OrderId {
        self.id
    }
}

/// The index of a pass in 8 bytes. The last number stands for none: no room is that large.
pub(super) fn pass_word(index: Option<u64>) -> u64 {
    index.unwrap_or(u64::MAX)
}

impl Order {
    /// An order whose legs stand at `legs`.
    pub(super) fn open(
        open: &OpenOrder,
        legs: LegList,
        state: OrderState,
        now: Timestamp,
        until: Timestamp,
    ) -> Self {
        Self {
            id: open.order,
            event: open.event,
            buyer: open.buyer,
            until,
            hold_ms: u32::try_from(until.since_ms(now)).unwrap_or(u32::MAX),
            pass: pass_word(open.pass.map(|pass| pass.index)),
            legs,
            state,
            attempts: 0,
            rest: None,
        }
    }

    /// Whether `open` asks for the same. The pass's end is the door's computation, not content.
    pub(crate) fn same_content(&self, open: &OpenOrder) -> bool {
        self.event == open.event
            && self.buyer == open.buyer
            && self.pass == pass_word(open.pass.map(|pass| pass.index))
            && self.legs.len() == open.legs.len()
            && self
                .legs
                .iter()
                .zip(&open.legs)
                .all(|(have, want)| have.asked_for(want))
    }

    /// Index of the pass it was opened with.
    pub fn pass_index(&self) -> Option<u64> {
        (self.pass != u64::MAX).then_some(self.pass)
    }

    /// When it was opened, moved on by the length of outages.
    pub fn opened_at(&self) -> Timestamp {
        Timestamp(self.until.0.saturating_sub(u64::from(self.hold_ms)))
    }

    /// Whether home owns every leg, so that each step is one entry.
    pub fn is_local(&self) -> bool {
        let home = self.id.home();
        self.legs.iter().all(|leg| leg.shard == home)
    }

    /// How facts name it.
    pub fn reference(&self) -> OrderRef {
        OrderRef {
            order: self.id,
            event: self.event,
            buyer: self.buyer,
        }
    }

    /// Key of leg number `leg`.
    pub(crate) fn leg_key(&self, leg: usize) -> LegKey {
        LegKey {
            order: self.id,
            leg: leg as u8,
        }
    }

    /// Places it counts for in its buyer's allowance.
    pub fn places(&self) -> u16 {
        self.legs.iter().map(OrderLeg::count).sum()
    }

    /// What it costs, in minor units; 0 before it is held.
    pub fn amount(&self) -> u64 {
        let prices = self.legs.iter().map(OrderLeg::amount);
        prices.fold(0, u64::saturating_add)
    }

    /// Whether every leg holds its seats.
    pub(crate) fn all_held(&self) -> bool {
        self.legs.iter().all(OrderLeg::is_held)
    }

    /// What each leg got so far.
    pub fn held_legs(&self) -> Vec<HeldLeg> {
        let legs = self.legs.iter().enumerate();
        legs.filter_map(|(number, leg)| leg.held(number as u8))
            .collect()
    }

    /// The payment method the next attempt will use, while legs are being pinned.
    pub fn method(&self) -> &str {
        self.rest.as_ref().map_or("", |rest| rest.method.as_str())
    }

    pub(crate) fn set_method(&mut self, method: &str) {
        self.change_rest(|rest| rest.method = method.into());
    }

    pub(crate) fn take_method(&mut self) -> Text {
        self.change_rest(|rest| std::mem::take(&mut rest.method))
    }

    /// All its tickets.
    pub fn tickets(&self) -> impl Iterator<Item = TicketId> + '_ {
        (0..self.legs.len()).flat_map(|leg| self.leg_tickets(leg))
    }

    /// The tickets of one leg: none, until it is sold. Their ids follow from the leg's.
    pub(crate) fn leg_tickets(&self, leg: usize) -> Vec<TicketId> {
        let other = self.rest.as_ref();
        if let Some(other) = other.and_then(|rest| rest.tickets.get(&(leg as u8))) {
            return other.clone();
        }
        match self.legs.get(leg) {
            Some(part) if part.sold => self.tickets_to_be(leg),
            _ => Vec::new(),
        }
    }

    /// Whether every leg has a ticket for every place.
    pub(crate) fn is_complete(&self) -> bool {
        let other = |leg: usize| self.rest.as_ref()?.tickets.get(&(leg as u8));
        let mut legs = self.legs.iter().enumerate();
        legs.all(|(number, leg)| {
            leg.sold || other(number).is_some_and(|ids| ids.len() == usize::from(leg.count()))
        })
    }

    /// Whether every leg has tickets.
    pub(crate) fn all_sold(&self) -> bool {
        let other = |leg: usize| self.rest.as_ref()?.tickets.get(&(leg as u8));
        let mut legs = self.legs.iter().enumerate();
        legs.all(|(number, leg)| leg.sold || other(number).is_some())
    }

    /// A leg of ours was sold.
    pub(crate) fn sold_here(&mut self, leg: usize) {
        self.legs[leg].sold = true;
    }

    /// A leg was sold with these tickets. Those its shard should have issued need not be kept.
    pub(crate) fn note_tickets(&mut self, leg: usize, tickets: &[TicketId]) {
        let sold = !tickets.is_empty() && self.tickets_to_be(leg) == tickets;
        self.legs[leg].sold = sold;
        self.change_rest(|rest| {
            if sold || tickets.is_empty() {
                rest.tickets.remove(&(leg as u8));
            } else {
                rest.tickets.insert(leg as u8, tickets.to_vec());
            }
        });
    }

    fn tickets_to_be(&self, leg: usize) -> Vec<TicketId> {
        let (part, key) = (&self.legs[leg], self.leg_key(leg));
        let places = 0..part.count() as u8;
        places
            .map(|ordinal| ticket_id(part.shard, key, ordinal))
            .collect()
    }

    /// Changes what few orders have. Nothing of it is left when there is nothing in it.
    fn change_rest<R>(&mut self, change: impl FnOnce(&mut Rest) -> R) -> R {
        let mut rest = self.rest.take().map(|rest| *rest).unwrap_or_default();
        let result = change(&mut rest);
        if rest != Rest::default() {
            self.rest = Some(Box::new(rest));
        }
        result
    }

    /// Where it stands, in a word.
    pub fn phase(&self) -> OrderPhase {
        match self.state {
            OrderState::Opening { .. } => OrderPhase::Opening,
            OrderState::Held => OrderPhase::Held,
            OrderState::Pinning { .. } | OrderState::AuthPending { .. } => OrderPhase::Paying,
            OrderState::AuthUnknown { .. } | OrderState::Cancelling => OrderPhase::InDoubt,
            OrderState::Committed { .. } => OrderPhase::Committed,
            OrderState::Paid => OrderPhase::Paid,
            OrderState::Refunding => OrderPhase::Refunding,
            OrderState::Refunded => OrderPhase::Refunded,
        }
    }

    /// The answer to whoever opens it (again).
    pub(crate) fn receipt(&self) -> Receipt {
        if self.all_held() {
            Receipt::OrderHeld {
                until: self.until,
                legs: self.held_legs(),
            }
        } else {
            Receipt::OrderOpened { until: self.until }
        }
    }

    /// Whether a clock ends it: it is being held or held, and no payment runs.
    pub(crate) fn is_hold(&self) -> bool {
        matches!(self.state, OrderState::Opening { .. } | OrderState::Held)
    }

    /// Whether the latest attempt to pay decides its fate.
    pub(crate) fn awaits_payment(&self) -> bool {
        !self.is_hold() && !matches!(self.state, OrderState::Pinning { .. })
    }

    /// Whether its commit point is behind it.
    pub fn is_sold(&self) -> bool {
        matches!(
            self.state,
            OrderState::Committed { .. }
                | OrderState::Paid
                | OrderState::Refunding
                | OrderState::Refunded
        )
    }

    /// When time next changes it, if ever.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            OrderState::Opening { driven: false } => {
                Some(self.until.min(self.opened_at().plus_ms(OPENING_GRACE_MS)))
            }
            OrderState::Held if probes::planted(Bug::HoldEndsEarly) => {
                Some(Timestamp(self.until.0.saturating_sub(EARLY_MS)))
            }
            // Home never gives up what a door may have promised (seed 12).
            OrderState::Opening { driven: true } | OrderState::Held => Some(self.until),
            OrderState::AuthPending { deadline } | OrderState::AuthUnknown { deadline }
                if probes::planted(Bug::PaymentEndsWithHold) =>
            {
                Some(deadline.min(self.until))
            }
            OrderState::Pinning { deadline }
            | OrderState::AuthPending { deadline }
            | OrderState::AuthUnknown { deadline } => Some(deadline),
            OrderState::Cancelling
            | OrderState::Committed { .. }
            | OrderState::Paid
            | OrderState::Refunding
            | OrderState::Refunded => None,
        }
    }

    /// Changes what its deadline depends on, and keeps the due index true to it.
    pub(crate) fn change(&mut self, due: &mut DueIndex, change: impl FnOnce(&mut Self)) {
        let before = self.deadline();
        change(self);
        let after = self.deadline();
        if before != after {
            if let Some(at) = before {
                due.clear(at, Due::Order(self.id));
            }
            if let Some(at) = after {
                due.set(at, Due::Order(self.id));
            }
        }
    }

    /// Moves it to `state`.
    pub(crate) fn enter(&mut self, state: OrderState, due: &mut DueIndex) {
        self.change(due, |order| order.state = state);
    }
}
