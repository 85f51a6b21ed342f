//! The waiting room of an event, in the one shard that keeps it (P6).
//!
//! Before the sale opens everybody joins a lobby; then one draw puts the lobby into an order
//! nobody could steer; who comes later stands behind it in order of arrival. A cursor moves over
//! the positions and admits.
//!
//! | file | what |
//! |---|---|
//! | `room.rs` | the room: joining, the draw's moment, its state |
//! | `roster.rs` | who is in it |
//! | `merkle.rs` | the roster's commitment and proofs |
//! | `draw.rs` | the seed and the shuffle |
//! | `admission.rs` | the cursor |
//! | `saved.rs` | the digest, and snapshots |
//!
//! Left to others: who may join (the door), what a pass is spent on (the order's home).

mod admission;
pub mod draw;
pub mod merkle;
mod room;
mod roster;
mod saved;
#[cfg(test)]
mod tests;

pub use admission::Mark;
pub use room::{Drawn, Proof, Room, RoomState, RoomStatus};
pub use saved::{SavedDraw, SavedRoom};
