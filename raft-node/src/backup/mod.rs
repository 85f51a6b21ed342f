//! What leaves a running group for a backup, and what a restore lays down: a state as a snapshot
//! has it, and the log entries behind it, as bytes that outlive this release's openraft.
//!
//! ```text
//!  running node                                        anywhere                  an empty directory
//!  newest snapshot file ─► Base ───────────┐
//!                                          ├─► Scratch (a machine, alone) ─► Laid ─► lay_down
//!  log, applied here    ─► LogEntry … ─────┘
//! ```
//! Taking a backup costs the sale nothing but reading: the snapshot is a file that is there
//! already, the entries are in memory, and no machine is asked for its state.
//!
//! Left to others: which groups and how far (the cut), where the bytes are kept, how they travel.

mod entry;
mod export;
mod lay_down;
mod remains;
mod scratch;

pub use entry::{EntryError, LogEntry};
pub use export::{Base, ExportError};
pub use lay_down::{Laid, lay_down};
pub use remains::{GroupRemains, Remains};
pub use scratch::{Scratch, ScratchError};

/// Which entry of a group's log: the term of its leader, and its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The term.
    pub term: u64,
    /// The index.
    pub index: u64,
}
