//! A group's state outside any group: a machine that is given a snapshot and the entries behind
//! it, one after the other, and says at each step where it stands.

use bytes::Bytes;
use openraft::EntryPayload;

use super::{EntryError, LogEntry, Position};
use crate::machine::{Entry, Machine, NotUnderstood, RestoreError};
use crate::storage::{StorageError, read_snapshot};

/// Why a state could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The snapshot file is damaged, or another cluster's or group's.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The machine cannot read it.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// An entry is damaged.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// An entry means nothing to this release.
    #[error(transparent)]
    NotUnderstood(#[from] NotUnderstood),
    /// An entry is missing, or there twice.
    #[error("entry {found} follows where entry {expected} should")]
    OutOfOrder {
        /// The next one.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// Terms never go back along a log.
    #[error("entry {index} is of term {found}, behind one of term {before}")]
    TermBack {
        /// Which.
        index: u64,
        /// Its term.
        found: u64,
        /// The term before it.
        before: u64,
    },
}

/// See the module.
pub struct Scratch<M> {
    machine: M,
    last: Option<Position>,
    stamped_ms: u64,
}

impl<M: Machine> Scratch<M> {
    /// Nothing applied yet: the log begins at the beginning.
    pub fn fresh(machine: M) -> Self {
        Self {
            machine,
            last: None,
            stamped_ms: 0,
        }
    }

    /// From the bytes of a snapshot file of that cluster's group. The whole of it is checked.
    pub fn from_base(
        cluster: u128,
        group: u32,
        file: Bytes,
        mut machine: M,
    ) -> Result<Self, ScratchError> {
        let snapshot = read_snapshot(cluster, group, file)?;
        machine.restore(snapshot.snapshot)?;
        let last = snapshot.meta.last_log_id.map(|id| Position {
            term: id.committed_leader_id().term,
            index: id.index,
        });
        let stamped_ms = machine.stamped_ms();
        Ok(Self {
            machine,
            last,
            stamped_ms,
        })
    }

    /// From the parts of a snapshot that reaches up to `last`.
    pub fn resumed(
        mut machine: M,
        parts: Vec<Bytes>,
        last: Option<Position>,
    ) -> Result<Self, ScratchError> {
        machine.restore(parts)?;
        let stamped_ms = machine.stamped_ms();
        Ok(Self {
            machine,
            last,
            stamped_ms,
        })
    }

    /// Applies the next entry.
    pub fn apply(&mut self, entry: &LogEntry) -> Result<(), ScratchError> {
        let expected = self.next();
        let Position { term, index } = entry.at;
        if index != expected {
            return Err(ScratchError::OutOfOrder {
                expected,
                found: index,
            });
        }
        let before = self.last.map_or(0, |last| last.term);
        if term < before {
            return Err(ScratchError::TermBack {
                index,
                found: term,
                before,
            });
        }
        if let EntryPayload::Normal(batch) = entry.decode()? {
            self.stamped_ms = self.stamped_ms.max(batch.stamp.at_ms);
            let applied = self.machine.apply(Entry {
                index,
                term,
                stamp: batch.stamp,
                commands: &batch.commands,
                awaited: false,
            });
            applied?;
        }
        self.last = Some(entry.at);
        Ok(())
    }

    /// Index of the entry it takes next.
    pub fn next(&self) -> u64 {
        self.last.map_or(0, |last| last.index + 1)
    }

    /// The last entry it has.
    pub fn last(&self) -> Option<Position> {
        self.last
    }

    /// The newest stamp it has seen, in ms.
    pub fn stamped_ms(&self) -> u64 {
        self.stamped_ms
    }

    /// Its machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Its machine, to do with as one likes.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }
}
