//! P4: at most one charge an order; charged means seats, or the money goes back by itself.
//!
//! Every try to pay is an [`Attempt`], kept apart from its order: the order may be over while its
//! money is not. What the attempt is owed (a call to the provider) follows from its state alone,
//! so a new leader reads [`Ledger::payments_due`](crate::ledger::Ledger::payments_due) and
//! remembers nothing.
//!
//! ```text
//!  Authorizing ──done──► Capturing ──done──► Captured ──StartRefund──► Refunding ──done──► Refunded
//!    │   ▲ │                 │ refused                                    ▲
//!    │   │ └─refused─► Declined ┄┄late "done"┄┐                           │ it was captured after all
//!    │   │ cannot be     │                    ▼                           │
//!    └───┴─cancelled── Cancelling ◄───────────┴── refused capture         │
//!      10 min unknown    │   └──── cannot be cancelled, order over ───────┤
//!                        └─done──► Cancelled ┄┄┄late "done"┄► Cancelling  └──refused──► Settled
//! ```

mod attempt;
mod commit;
mod pin;
mod record;
mod refund;
mod table;

pub use attempt::{Attempt, AttemptKey, AttemptState};

pub(crate) use table::Payments;
