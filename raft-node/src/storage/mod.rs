//! What a node keeps: one log for all its groups, and each group's newest snapshot.
//!
//! ```text
//!  <data directory>/identity        whose it is
//!                  /wal/*.seg       the log: votes and entries of all groups   (see wal)
//!                  /snapshots/*     one file a group                           (see snapshots)
//! ```
//! Protects P3: nothing is acknowledged before it is durable, and a directory that cannot be
//! trusted is refused with what, where and how to recover; never a silent start from nothing.

pub(crate) mod codec;
pub mod error;
mod file;
mod group_log;
mod identity;
pub mod log_store;
pub mod room;
pub mod snapshots;
mod wal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub use self::error::StorageError;
use self::identity::Identity;
pub use self::log_store::LogStore;
pub use self::room::{Level, Room, is_lack_of_room};
pub use self::snapshots::SnapshotStore;
pub(crate) use self::snapshots::read_snapshot;
pub use self::wal::WalCounters;
pub(crate) use self::wal::record::{EntryId, Vote as VoteRecord};
use self::wal::recover::{Recovered, recover};
use self::wal::{Wal, locked};
use crate::platform::{Disk, Platform};
use crate::types::SnapshotMeta;

/// How a node keeps its data.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// Size of a log segment. Default 16 MiB: large enough that beginning one is rare, small
    /// enough that recovery reads little in vain. A multiple of 4096.
    pub segment_bytes: usize,
    /// Number of segments from which on the few living entries of the oldest one are written
    /// again, so that an idle group does not hold it back. Default 16.
    pub segments_before_rewrite: usize,
    /// The newest version of the machines' words that this program understands; a directory that
    /// needs a newer one is refused. Default: whatever it needs.
    pub supports: u32,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            segments_before_rewrite: 16,
            supports: u32::MAX,
        }
    }
}

impl StorageOptions {
    fn check(&self) -> Result<(), StorageError> {
        let bad = |option, reason| Err(StorageError::BadOption { option, reason });
        if self.segment_bytes == 0 || !self.segment_bytes.is_multiple_of(4096) {
            return bad("segment_bytes", "must be a positive multiple of 4096");
        }
        if self.segment_bytes > 1 << 30 {
            return bad("segment_bytes", "must be at most 1 GiB");
        }
        if self.segments_before_rewrite < 2 {
            return bad("segments_before_rewrite", "must be at least 2");
        }
        Ok(())
    }
}

/// An open data directory.
pub struct Storage {
    platform: Platform,
    identity: Identity,
    wal: Wal,
    room: Arc<Room>,
    /// One a group, so that all views of a group agree on what is newest.
    snapshots: Mutex<BTreeMap<u32, SnapshotStore>>,
}

impl Storage {
    /// Takes the directory, checks that it is this node's, recovers the log and checks every
    /// snapshot. Refuses what it cannot trust.
    pub async fn open(
        platform: Platform,
        cluster_id: u128,
        node_id: u64,
        options: StorageOptions,
    ) -> Result<Self, StorageError> {
        Self::open_in(platform, cluster_id, node_id, options, Arc::default()).await
    }

    /// The same, on a disk that somebody watches: what finds no room waits for it.
    pub async fn open_in(
        platform: Platform,
        cluster_id: u128,
        node_id: u64,
        options: StorageOptions,
        room: Arc<Room>,
    ) -> Result<Self, StorageError> {
        options.check()?;
        let identity = Identity {
            cluster: cluster_id,
            node: node_id,
        };
        let disk = &*platform.disk;
        let lock = disk
            .lock()
            .await
            .map_err(|source| StorageError::InUse { source })?;
        let written = Identity::read(disk).await?;
        if let Some((found, needs)) = written {
            identity.expect(found, identity::PATH)?;
            if needs > options.supports {
                return Err(StorageError::NewerCluster {
                    needs,
                    supports: options.supports,
                });
            }
        }
        let recovered = recover(disk, identity).await?;
        let newest = snapshots::scan(disk, identity).await?;
        if recovered.segments.is_empty() {
            // The identity is written after the first segment, so either one shows a lost log.
            let trace = written
                .map(|_| identity::PATH)
                .or_else(|| newest.first().map(|_| snapshots::DIRECTORY));
            if let Some(found) = trace {
                return Err(StorageError::MissingLog {
                    found: found.to_owned(),
                });
            }
        }
        require_snapshots(&recovered, &newest)?;
        let wal = Wal::start(&platform, identity, &options, &room, recovered, lock).await?;
        if written.is_none() {
            identity.write(disk, identity::NEEDS_MIN).await?;
        }
        let snapshots = newest
            .into_iter()
            .map(|(group, meta)| {
                (
                    group,
                    SnapshotStore::new(&platform, identity, &room, group, Some(meta)),
                )
            })
            .collect();
        Ok(Self {
            snapshots: Mutex::new(snapshots),
            platform,
            identity,
            room,
            wal,
        })
    }

    /// Whose directory it is (cluster and node), if it is anybody's. Reads one small file.
    pub async fn owner(platform: &Platform) -> Result<Option<(u128, u64)>, StorageError> {
        let written = Identity::read(&*platform.disk).await?;
        Ok(written.map(|(identity, _)| (identity.cluster, identity.node)))
    }

    /// Writes down that the directory of this node needs a release that supports this version.
    pub async fn needs_version(
        platform: &Platform,
        cluster: u128,
        node: u64,
        version: u32,
    ) -> Result<(), StorageError> {
        let disk = &*platform.disk;
        let identity = Identity { cluster, node };
        match Identity::read(disk).await? {
            Some((_, needs)) if needs >= version => Ok(()),
            _ => identity.write(disk, version).await,
        }
    }

    /// The log and the snapshots of one group; empty ones when it has none yet.
    pub fn group(&self, group: u32) -> (LogStore, SnapshotStore) {
        let snapshots = locked(&self.snapshots)
            .entry(group)
            .or_insert_with(|| {
                SnapshotStore::new(&self.platform, self.identity, &self.room, group, None)
            })
            .clone();
        (LogStore::new(self.wal.group(group)), snapshots)
    }

    /// What was noted when this node was admitted to its cluster, if that was noted here.
    pub(crate) async fn mark(&self) -> Result<Option<String>, StorageError> {
        let mark = file::read_whole(&*self.platform.disk, MARK).await?;
        Ok(mark.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether nothing was ever kept here: no vote, no entry, no snapshot.
    pub(crate) fn is_blank(&self) -> bool {
        let snapshots = locked(&self.snapshots);
        let kept = snapshots.values().any(|store| store.newest().is_some());
        !kept && self.wal.is_blank()
    }

    /// What the log has written since it was opened.
    pub fn counters(&self) -> Arc<WalCounters> {
        self.wal.counters()
    }

    /// Writes what is queued, stops the writer and gives the directory free. Without it the same
    /// happens once the last [`LogStore`] is dropped, but nobody can wait for it.
    pub async fn close(self) {
        self.wal.close().await;
    }
}

/// Says that this node was admitted to its cluster with an empty directory (see `admission`).
const MARK: &str = "admitted";

/// Notes, durably, that this node was admitted.
pub(crate) async fn write_mark(disk: &dyn Disk, text: String) -> Result<(), StorageError> {
    file::write_atomically(disk, "", MARK, vec![text.into()]).await
}

/// A log that begins behind entry N needs a snapshot up to N or later.
fn require_snapshots(
    recovered: &Recovered,
    newest: &[(u32, SnapshotMeta)],
) -> Result<(), StorageError> {
    for (group, log) in &recovered.groups {
        let Some(purged) = log.purged else { continue };
        let meta = newest
            .iter()
            .find(|(of, _)| of == group)
            .map(|(_, meta)| meta);
        let found = meta
            .and_then(|meta| meta.last_log_id)
            .map(|last| last.index);
        if found.is_none_or(|found| found < purged.index) {
            return Err(StorageError::MissingSnapshot {
                group: *group,
                needed: purged.index,
                found,
            });
        }
    }
    Ok(())
}
