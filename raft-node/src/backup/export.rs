//! What a running node gives to a backup: its newest snapshot file, and entries it has applied.

use std::sync::Arc;

use bytes::Bytes;

use super::{LogEntry, Position};
use crate::node::Node;
use crate::platform::disk::File;
use crate::storage::{EntryId, StorageError};

/// Why a node cannot give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// This node does not hold the group, or is stopping.
    #[error("this node has no running replica of group {0}")]
    NoGroup(u32),
    /// The log was purged so far: begin with a newer snapshot.
    #[error("entry {wanted} of group {group} is no longer in the log, which begins at {first}")]
    Gone {
        /// The group.
        group: u32,
        /// What was asked for.
        wanted: u64,
        /// What is still there.
        first: u64,
    },
    /// The snapshot cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A snapshot file, held open: it can be read to its end also when a newer one replaces it.
#[derive(Clone)]
pub struct Base {
    /// Index of the first entry that is not in it.
    pub next: u64,
    /// Its length.
    pub bytes: u64,
    file: Arc<dyn File>,
}

impl Base {
    pub(crate) fn new(next: u64, bytes: u64, file: Arc<dyn File>) -> Self {
        Self { next, bytes, file }
    }

    /// At most `count` bytes from `offset` on.
    pub async fn read(&self, offset: u64, count: usize) -> std::io::Result<Bytes> {
        self.file.read_at(offset, count).await
    }
}

impl Node {
    /// The groups of which it holds a replica.
    #[must_use]
    pub fn groups(&self) -> Vec<u32> {
        self.shared.groups.keys().copied().collect()
    }

    /// The newest snapshot of a group; `None` when its log still begins at the beginning.
    pub async fn backup_base(&self, group: u32) -> Result<Option<Base>, ExportError> {
        let group = self
            .shared
            .group(group)
            .ok_or(ExportError::NoGroup(group))?;
        Ok(group.snapshots.open_newest().await?)
    }

    /// Entries from index `from` on, of those this replica has applied and up to `upto`: at most
    /// `bytes_max` of them, but one at least if there is one. They are committed, so no leader
    /// will ever take them back.
    pub fn backup_entries(
        &self,
        group: u32,
        from: u64,
        upto: u64,
        bytes_max: usize,
    ) -> Result<Vec<LogEntry>, ExportError> {
        let held = self
            .shared
            .group(group)
            .ok_or(ExportError::NoGroup(group))?;
        let upto = upto.min(held.applied.borrow().index);
        if from > upto {
            return Ok(Vec::new());
        }
        let read = held.log.read_raw(from..upto + 1, bytes_max);
        let first = read.first().map_or(upto + 1, |(id, _)| id.index);
        if first != from {
            return Err(ExportError::Gone {
                group,
                wanted: from,
                first,
            });
        }
        let entry = |(id, payload): (EntryId, Bytes)| LogEntry {
            at: Position {
                term: id.term,
                index: id.index,
            },
            payload,
        };
        Ok(read.into_iter().map(entry).collect())
    }
}
