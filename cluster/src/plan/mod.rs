//! From what is wanted to the next safe steps. Pure: the mover (`server/src/node/duties/mover/`) looks,
//! does the first step, and looks again.
//!
//! ```text
//! registry ── target ──> placement (a log command) ┐
//! groups as they are seen ─────────────────────────┴── next ──> steps, and what blocks
//! ```
//!
//! A step is planned only when it is safe whatever happens after it: a majority of every configuration
//! that it needs is there and caught up, nobody gets a vote before having the log, and one group takes
//! one step at a time. What cannot be done says why, and what helps.

mod group;
mod leaders;
mod next;
mod rehearse;
mod seen;
mod step;
mod target;
mod voters;

pub use next::next;
pub use rehearse::{Rehearsal, play, rehearse};
pub use seen::{Bounds, GroupSeen, ReplicaSeen, Seen};
pub use step::{Blocked, Plan, Reason, Step};
pub use target::{Unplaceable, as_seen, balance, repair};
