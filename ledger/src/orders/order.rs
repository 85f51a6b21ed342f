//! One order, and the only way its state and deadline may change.

use crate::change::OrderRef;
use crate::command::{LegWant, OpenOrder, Want};
use crate::due::{Due, DueIndex};
use crate::ids::*;
use crate::limits::{OPENING_GRACE_MS, OPENING_MS};
use crate::outcome::{HeldLeg, OrderPhase, Receipt};

/// What one buyer reserves in one go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
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
    /// The deadline its buyer was told. It is held iff `clock < until`.
    pub until: Timestamp,
    /// Its parts.
    pub legs: Vec<OrderLeg>,
    /// Where it stands.
    pub state: OrderState,
    /// Payment attempts started so far; the latest has this number.
    pub attempts: u8,
    /// The payment method the next attempt will use, while legs are being pinned.
    pub method: String,
}

/// The part of an order in one shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderLeg {
    /// The shard that owns its seats.
    pub shard: ShardId,
    /// What was asked for.
    pub want: Want,
    /// What it got.
    pub held: Option<HeldLeg>,
    /// Pins sent and not answered yet. Messages of a pair of shards keep their order, so only the
    /// answer that brings this to 0 speaks of the newest pin: an older one may have been undone.
    pub pins_unanswered: u8,
    /// Whether the newest pin was confirmed.
    pub pinned: bool,
    /// One ticket a place, once sold.
    pub tickets: Vec<TicketId>,
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

impl Order {
    pub(crate) fn open(open: &OpenOrder, now: Timestamp, until: Timestamp) -> Self {
        let leg = |leg: &LegWant| OrderLeg {
            shard: leg.shard,
            want: leg.want.clone(),
            held: None,
            pins_unanswered: 0,
            pinned: false,
            tickets: Vec::new(),
        };
        Self {
            id: open.order,
            event: open.event,
            buyer: open.buyer,
            pass_index: open.pass.map(|pass| pass.index),
            opened_at: now,
            until,
            legs: open.legs.iter().map(leg).collect(),
            state: OrderState::Opening { driven: false },
            attempts: 0,
            method: String::new(),
        }
    }

    /// Whether `open` asks for the same. The pass's end is the door's computation, not content.
    pub(crate) fn same_content(&self, open: &OpenOrder) -> bool {
        self.event == open.event
            && self.buyer == open.buyer
            && self.pass_index == open.pass.map(|pass| pass.index)
            && self.legs.len() == open.legs.len()
            && self
                .legs
                .iter()
                .zip(&open.legs)
                .all(|(have, want)| have.shard == want.shard && have.want == want.want)
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
        self.legs.iter().map(|leg| leg.want.count()).sum()
    }

    /// What it costs, in minor units; 0 before it is held.
    pub fn amount(&self) -> u64 {
        let price = |held: &HeldLeg| {
            held.price_each
                .saturating_mul(u64::from(held.places.count()))
        };
        self.legs
            .iter()
            .filter_map(|leg| leg.held.as_ref().map(price))
            .fold(0, u64::saturating_add)
    }

    /// Whether every leg holds its seats.
    pub(crate) fn all_held(&self) -> bool {
        self.legs.iter().all(|leg| leg.held.is_some())
    }

    /// What each leg got so far.
    pub fn held_legs(&self) -> Vec<HeldLeg> {
        self.legs.iter().filter_map(|leg| leg.held).collect()
    }

    /// All its tickets.
    pub fn tickets(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.legs.iter().flat_map(|leg| leg.tickets.iter().copied())
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
                Some(self.until.min(self.opened_at.plus_ms(OPENING_GRACE_MS)))
            }
            OrderState::Opening { driven: true } => {
                Some(self.until.min(self.opened_at.plus_ms(OPENING_MS)))
            }
            OrderState::Held => Some(self.until),
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
