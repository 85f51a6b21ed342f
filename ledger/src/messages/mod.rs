//! Talking to other shards: at least once and in order on the way, exactly once on arrival.
//!
//! The sender keeps a message in its outbox, numbered without a gap, until the receiver's
//! acknowledgement of that number is in the sender's log. The receiver keeps the number of the
//! last message it applied: smaller ones are repeats and skipped, a larger one than the next is a
//! gap and refused. Messages to oneself travel the same way.

mod handle;
mod inbox;
mod outbox;

pub use outbox::{Outbox, Outboxes};

pub(crate) use inbox::Inboxes;
