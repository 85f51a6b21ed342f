//! What a group replicates: a machine that turns stamped commands into outcomes.
//!
//! The contract is determinism: the same entries give the same outcomes and the same digest on
//! every replica and through a snapshot at any point. A machine never reads a clock, draws
//! chance, or iterates in hash order; the leader puts all of that into the [`Stamp`].

use bytes::Bytes;

/// Time and chance of one log entry, drawn by the leader that proposed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since the Unix epoch, by the proposing leader's (bounded) clock.
    pub at_ms: u64,
    /// 32 unpredictable bytes. One draw a log entry; a machine derives what each command needs.
    pub draw: [u8; 32],
}

/// One committed entry, as a machine sees it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Position in the group's log; grows by one an entry (some are consensus' own).
    pub index: u64,
    /// Term of the leader that proposed it.
    pub term: u64,
    /// Time and chance.
    pub stamp: Stamp,
    /// The batch, in order.
    pub commands: &'a [Bytes],
    /// Whether anybody waits for the outcomes. Nobody does on a follower.
    pub awaited: bool,
}

/// A deterministic state machine in bytes. One value lives in each replica of a group.
pub trait Machine: Send + 'static {
    /// Applies an entry; returns one outcome a command, in order, or nothing when they are not
    /// awaited. A command that is refused has an outcome that says so.
    ///
    /// # Errors
    /// A command that means nothing to this release; then nothing was applied, and the replica
    /// stops: one that stepped over it would not be what the others are.
    fn apply(&mut self, entry: Entry<'_>) -> Result<Vec<Bytes>, NotUnderstood>;

    /// When the next thing is due (milliseconds since the epoch), if anything is. The leader
    /// proposes [`Machine::tick`] once its clock has reached it.
    fn next_due_ms(&self) -> Option<u64>;

    /// The newest stamp in the state, in ms since the epoch, also after [`Machine::restore`]; 0 for
    /// a machine in which nothing depends on time. A new leader's stamps go on from there.
    fn stamped_ms(&self) -> u64 {
        0
    }

    /// The command that sweeps due things.
    fn tick(&self) -> Bytes;

    /// The command a new leader proposes before any other of its term.
    fn elected(&self) -> Option<Bytes>;

    /// A stable hash of the whole state, to compare replicas at equal index.
    fn digest(&self) -> [u8; 32];

    /// The whole state as parts of bounded size, in an order [`Machine::restore`] understands.
    fn save(&self) -> Vec<Bytes>;

    /// The same of the state as it is now, to be encoded later and elsewhere: nothing is applied while
    /// this runs, so a machine with much state copies it here and encodes the copy then.
    fn freeze(&self) -> Frozen {
        let parts = self.save();
        Box::new(move || parts)
    }

    /// Replaces the state by a saved one. On error the state is unusable and the node must stop.
    fn restore(&mut self, parts: Vec<Bytes>) -> Result<(), RestoreError>;
}

impl Machine for Box<dyn Machine> {
    fn apply(&mut self, entry: Entry<'_>) -> Result<Vec<Bytes>, NotUnderstood> {
        (**self).apply(entry)
    }

    fn next_due_ms(&self) -> Option<u64> {
        (**self).next_due_ms()
    }

    fn stamped_ms(&self) -> u64 {
        (**self).stamped_ms()
    }

    fn tick(&self) -> Bytes {
        (**self).tick()
    }

    fn elected(&self) -> Option<Bytes> {
        (**self).elected()
    }

    fn digest(&self) -> [u8; 32] {
        (**self).digest()
    }

    fn save(&self) -> Vec<Bytes> {
        (**self).save()
    }

    fn freeze(&self) -> Frozen {
        (**self).freeze()
    }

    fn restore(&mut self, parts: Vec<Bytes>) -> Result<(), RestoreError> {
        (**self).restore(parts)
    }
}

/// A machine's state as it was, and what encodes it; see [`Machine::freeze`].
pub type Frozen = Box<dyn FnOnce() -> Vec<Bytes> + Send + Sync>;

/// A committed entry that this release cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {index} means nothing to this release ({reason}): a newer one wrote it; run that one, or a newer one"
)]
pub struct NotUnderstood {
    /// Its index.
    pub index: u64,
    /// What is not understood.
    pub reason: String,
}

/// A snapshot that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("snapshot part {part}: {reason}")]
pub struct RestoreError {
    /// Number of the part, from 0.
    pub part: usize,
    /// What is wrong with it.
    pub reason: String,
}
