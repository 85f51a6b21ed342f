//! How an order across shards ended.

use std::fmt;

use ledger::command::CloseReason;
use ledger::outcome::OrderPhase;
use ledger::{Ledger, OrderId};

/// An order's end, as its home tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Sold and captured.
    Paid,
    /// Over, unpaid.
    Closed(CloseReason),
    /// Its opening was never committed.
    NeverOpened,
    /// Not over.
    Open(OrderPhase),
}

impl Fate {
    /// What home says of an order.
    pub fn of(order: OrderId, home: &Ledger) -> Self {
        match (home.order(order), home.closed_order(order)) {
            (Some(order), _) if order.phase() == OrderPhase::Paid => Self::Paid,
            (Some(order), _) => Self::Open(order.phase()),
            (None, Some(closed)) => Self::Closed(closed.why),
            (None, None) => Self::NeverOpened,
        }
    }

    /// Whether nothing can happen to it any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Open(_))
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(why) => write!(f, "{why:?}"),
            Self::Open(phase) => write!(f, "{phase:?}"),
            fate => write!(f, "{fate:?}"),
        }
    }
}
