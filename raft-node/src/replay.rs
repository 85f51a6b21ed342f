//! A stopped node's directory, applied again to fresh machines: what an audit stands on.
//!
//! Opening a directory repairs a torn tail exactly as a start of the node would; nothing else is
//! written.

use std::collections::BTreeMap;

use openraft::EntryPayload;
use openraft::storage::{RaftLogReader, RaftLogStorage};

use crate::machine::{self, Machine, NotUnderstood, RestoreError};
use crate::platform::Platform;
use crate::storage::{Storage, StorageError, StorageOptions};
use crate::types::Snapshot;

/// Why a directory could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be trusted, or is in use.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It is not a node's directory.
    #[error("this is no node's data directory: it has no identity file")]
    Nobody,
    /// A snapshot is not one the machine can read.
    #[error("group {group}: {source}")]
    Restore {
        /// The group.
        group: u32,
        /// What its machine said.
        source: RestoreError,
    },
    /// An entry means nothing to this release.
    #[error("group {group}: {source}")]
    NotUnderstood {
        /// The group.
        group: u32,
        /// Which, and why.
        source: NotUnderstood,
    },
    /// An entry cannot be read.
    #[error("group {group}: {source}")]
    Log {
        /// The group.
        group: u32,
        /// Why.
        source: std::io::Error,
    },
}

/// What was replayed of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The group.
    pub group: u32,
    /// Where its snapshot ended; 0 without one.
    pub snapshot_index: u64,
    /// The last entry applied: the newest this node knew to be committed.
    pub applied: u64,
    /// Entries in the log after that, which no quorum may have: not applied.
    pub uncommitted: u64,
}

/// Whose directory it is: (cluster, node).
pub async fn owner(platform: &Platform) -> Result<(u128, u64), ReplayError> {
    let owner = Storage::owner(platform).await?;
    owner.ok_or(ReplayError::Nobody)
}

/// Replays every given group up to what the node knew to be committed. `after` sees each machine
/// after every entry, with its outcomes.
pub async fn replay<M: Machine>(
    platform: Platform,
    machines: &mut BTreeMap<u32, M>,
    mut after: impl FnMut(u32, &M, machine::Entry<'_>, &[bytes::Bytes]),
) -> Result<Vec<Replayed>, ReplayError> {
    let (cluster, node) = owner(&platform).await?;
    let storage = Storage::open(platform, cluster, node, StorageOptions::default()).await?;
    let mut done = Vec::new();
    for (&group, machine) in machines.iter_mut() {
        let (mut log, snapshots) = storage.group(group);
        let mut applied = 0;
        if let Some(Snapshot { meta, snapshot }) = snapshots.load().await? {
            machine
                .restore(snapshot)
                .map_err(|source| ReplayError::Restore { group, source })?;
            applied = meta.last_log_id.map_or(0, |id| id.index);
        }
        let snapshot_index = applied;
        let unreadable = |source| ReplayError::Log { group, source };
        let committed = log
            .read_committed()
            .await
            .map_err(unreadable)?
            .map_or(0, |id| id.index);
        let last = log.get_log_state().await.map_err(unreadable)?.last_log_id;
        let last = last.map_or(0, |id| id.index);
        while applied < committed {
            let entries = log
                .limited_get_log_entries(applied + 1, committed + 1)
                .await
                .map_err(unreadable)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                applied = entry.log_id.index;
                let EntryPayload::Normal(batch) = entry.payload else {
                    continue;
                };
                let entry = machine::Entry {
                    index: applied,
                    term: entry.log_id.committed_leader_id().term,
                    stamp: batch.stamp,
                    commands: &batch.commands,
                    awaited: true,
                };
                let outcomes = machine.apply(entry);
                let outcomes =
                    outcomes.map_err(|source| ReplayError::NotUnderstood { group, source })?;
                after(group, machine, entry, &outcomes);
            }
        }
        let uncommitted = last.saturating_sub(applied);
        done.push(Replayed {
            group,
            snapshot_index,
            applied,
            uncommitted,
        });
    }
    storage.close().await;
    Ok(done)
}
