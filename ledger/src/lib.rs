//! The rules of a sale, and nothing else.
//!
//! [`Ledger::apply`] is the one entrance: a stamped command in, an outcome out. The same commands
//! give the same outcomes and the same digest on every replica and through a snapshot at any
//! point. What is deliberately absent: async, clocks, randomness, floats, hash order, encoding
//! and I/O. Time and chance arrive as data in the [`Stamp`].
//!
//! | protects | where |
//! |---|---|
//! | P1 a seat is sold once | `seats/` |
//! | P2 an order is whole or nothing | `orders/` |
//! | P4 one charge an order | `payments/` |
//! | P5 holds end on time | `due.rs`, `orders/`, `seats/` |
//! | P6 fair draw | `queue/` |
//! | P7 limits a person | `buyers/` |
//! | P8 same request, same answer | ids from the caller, `orders/` |

pub mod buyers;
pub mod change;
pub mod clock;
pub mod command;
pub mod digest;
pub mod due;
pub mod event;
pub mod events;
pub mod ids;
pub mod invariants;
mod kept;
mod ledger;
pub mod limits;
pub mod message;
pub mod messages;
pub mod orders;
pub mod outcome;
pub mod parts;
pub mod payment;
pub mod payments;
pub mod queue;
pub mod seat_list;
pub mod seats;
pub mod slab;
pub mod slot_index;
pub mod table;
pub mod text;
pub mod tickets;

mod state_digest;

pub use change::Change;
pub use command::{Command, Stamp};
pub use ids::*;
pub use ledger::Ledger;
pub use outcome::{Outcome, Receipt, Rejection};
