//! Finding an order: its id names its home, so it is one look at one local replica; and one
//! ReadIndex when that replica has not heard of it yet, because it was made through another node.

use std::sync::Arc;

use cluster::catalogue::EventRecord;
use ledger::limits::PAYMENT_ATTEMPTS_MAX;
use ledger::orders::{ClosedOrder, Order};
use ledger::outcome::OrderPhase;
use ledger::{BuyerId, EventId, OrderId};

use crate::auth::{Caller, Role};
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// What is known of an order.
pub enum Known {
    /// It lives.
    Live(Box<Order>),
    /// It is over.
    Closed(ClosedOrder),
}

impl Known {
    /// Its id.
    pub fn id(&self) -> OrderId {
        match self {
            Self::Live(order) => order.id,
            Self::Closed(order) => order.id,
        }
    }

    /// Its event.
    pub fn event(&self) -> EventId {
        match self {
            Self::Live(order) => order.event,
            Self::Closed(order) => order.event,
        }
    }

    /// Whose it is.
    pub fn buyer(&self) -> BuyerId {
        match self {
            Self::Live(order) => order.buyer,
            Self::Closed(order) => order.buyer,
        }
    }

    /// Where it stands.
    pub fn phase(&self) -> OrderPhase {
        match self {
            Self::Live(order) => order.phase(),
            Self::Closed(order) => OrderPhase::Closed(order.why),
        }
    }

    /// Ids of its tickets, as text.
    pub fn tickets(&self) -> Vec<String> {
        match self {
            Self::Live(order) if order.phase() == OrderPhase::Paid => {
                order.tickets().map(|ticket| text::id(ticket.0)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How often its buyer may still try to pay.
    pub fn attempts_left(&self) -> u8 {
        match self {
            Self::Live(order) => PAYMENT_ATTEMPTS_MAX.saturating_sub(order.attempts),
            Self::Closed(_) => 0,
        }
    }
}

/// The refusal for orders that are unknown or somebody else's.
pub fn unknown() -> Problem {
    Problem::new(Code::OrderUnknown, "no such order")
}

/// Looks at the local replica: the order, if it has one, and the index it was read at.
pub fn look(state: &AppState, order: OrderId) -> Result<(Option<Known>, u64), Problem> {
    state.read(order.home(), |ledger, freshness| {
        let live = ledger
            .order(order)
            .map(|order| Known::Live(Box::new(order.clone())));
        let known = live.or_else(|| ledger.closed_order(order).copied().map(Known::Closed));
        (known, freshness.index)
    })
}

/// An order by the id in a path. `fresh`: also what was acknowledged elsewhere a moment ago.
pub async fn find(state: &AppState, id: &str, fresh: bool) -> Result<Known, Problem> {
    let order = text::parse_order(id).ok_or_else(unknown)?;
    let home = state.router()?.order_home(order).ok_or_else(unknown)?;
    if !fresh && let (Some(known), _) = look(state, order)? {
        return Ok(known);
    }
    probes::reached(probes::Mark::OrderCaughtUp);
    state
        .backend
        .catch_up(home, state.config.limits.deadline)
        .await?;
    look(state, order)?.0.ok_or_else(unknown)
}

/// [`find`], for its buyer only.
pub async fn find_own(state: &AppState, id: &str, buyer: BuyerId) -> Result<Known, Problem> {
    let known = find(state, id, false).await?;
    if known.buyer() == buyer {
        Ok(known)
    } else {
        Err(unknown())
    }
}

/// [`find`] with its event, for its buyer and those who run the event.
pub async fn find_visible(
    state: &AppState,
    id: &str,
    caller: &Caller,
    fresh: bool,
) -> Result<(Known, Arc<EventRecord>), Problem> {
    let known = find(state, id, fresh).await?;
    let record = state.event(known.event()).map_err(|_| unknown())?;
    let own = caller.role == Role::Buyer && known.buyer() == caller.person;
    if own || caller.looks_at(&record).is_ok() {
        Ok((known, record))
    } else {
        Err(unknown())
    }
}
