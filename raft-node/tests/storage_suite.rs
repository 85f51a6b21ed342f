//! openraft's own suite for storages, on the real disk, on the simulated one, and on the real one
//! behind the disk that forgets. Its state machine is the smallest that keeps its snapshots in our store.

mod storage_support;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::entry::RaftPayload;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, RaftSnapshotBuilder, StorageError};
use raft_node::platform::Platform;
use raft_node::platform::forgetful_disk::{ForgetfulDisk, Forgetting};
use raft_node::platform::sim_disk::SimDisk;
use raft_node::storage::{LogStore, SnapshotStore, Storage, StorageOptions};
use raft_node::types::{LogId, Outcomes, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};

use storage_support::*;

/// Counts entries. What it knows is what openraft asks for.
struct Counter {
    snapshots: SnapshotStore,
    last: Option<LogId>,
    membership: StoredMembership,
    applied: u64,
}

struct Builder {
    snapshots: SnapshotStore,
    snapshot: Snapshot,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Vec<Bytes>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        self.snapshots
            .save(&self.snapshot.meta, self.snapshot.snapshot.clone())
            .await?;
        Ok(self.snapshot.clone())
    }
}

impl RaftStateMachine<TypeConfig> for Counter {
    type SnapshotData = Vec<Bytes>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            self.last = Some(entry.log_id);
            self.applied += 1;
            if let Some(membership) = entry.payload.get_membership() {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
            }
            if let Some(responder) = responder {
                responder.send(Outcomes::default());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let meta = SnapshotMeta {
            last_log_id: self.last,
            last_membership: self.membership.clone(),
        };
        let parts = vec![Bytes::copy_from_slice(&self.applied.to_le_bytes())];
        Builder {
            snapshots: self.snapshots.clone(),
            snapshot: Snapshot {
                meta,
                snapshot: parts,
            },
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        parts: Vec<Bytes>,
    ) -> Result<(), io::Error> {
        self.applied = u64::from_le_bytes(parts[0].as_ref().try_into().map_err(io::Error::other)?);
        self.last = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.snapshots.save(meta, parts).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.snapshots.load().await.map_err(io::Error::other)
    }
}

fn parts(storage: &Storage) -> (LogStore, Counter) {
    let (log, snapshots) = storage.group(1);
    (
        log,
        Counter {
            snapshots,
            last: None,
            membership: StoredMembership::default(),
            applied: 0,
        },
    )
}

struct OnRealDisk;

impl StoreBuilder<TypeConfig, LogStore, Counter, (Storage, tempfile::TempDir)> for OnRealDisk {
    async fn build(
        &self,
    ) -> Result<((Storage, tempfile::TempDir), LogStore, Counter), StorageError<TypeConfig>> {
        let root = tempfile::tempdir().unwrap();
        let options = StorageOptions {
            segment_bytes: 64 << 10,
            ..StorageOptions::default()
        };
        let storage = open_os(root.path(), options).await.unwrap();
        let (log, machine) = parts(&storage);
        Ok(((storage, root), log, machine))
    }
}

struct OnSimDisk;

impl StoreBuilder<TypeConfig, LogStore, Counter, (Storage, SimDisk)> for OnSimDisk {
    async fn build(
        &self,
    ) -> Result<((Storage, SimDisk), LogStore, Counter), StorageError<TypeConfig>> {
        let disk = SimDisk::new(1);
        let storage = open(&disk).await.unwrap();
        let (log, machine) = parts(&storage);
        Ok(((storage, disk), log, machine))
    }
}

struct OnForgetfulDisk;

impl StoreBuilder<TypeConfig, LogStore, Counter, (Storage, tempfile::TempDir)> for OnForgetfulDisk {
    async fn build(
        &self,
    ) -> Result<((Storage, tempfile::TempDir), LogStore, Counter), StorageError<TypeConfig>> {
        let root = tempfile::tempdir().unwrap();
        let os = Platform::os(root.path()).unwrap();
        let platform = Platform {
            disk: Arc::new(ForgetfulDisk::new(
                os.disk.clone(),
                Forgetting::Unsynced(Some(1)),
            )),
            ..os
        };
        let storage = Storage::open(platform, CLUSTER, NODE, small())
            .await
            .unwrap();
        let (log, machine) = parts(&storage);
        Ok(((storage, root), log, machine))
    }
}

#[tokio::test]
async fn the_log_and_the_snapshots_on_a_disk_that_forgets_are_what_openraft_expects() {
    Suite::test_all(OnForgetfulDisk).await.unwrap();
}

#[tokio::test]
async fn the_log_and_the_snapshots_on_a_real_disk_are_what_openraft_expects() {
    Suite::test_all(OnRealDisk).await.unwrap();
}

#[tokio::test]
async fn the_log_and_the_snapshots_on_a_simulated_disk_are_what_openraft_expects() {
    Suite::test_all(OnSimDisk).await.unwrap();
}
