//! What the storage tests share: platforms over a simulated and a real disk, small entries, and
//! a reader of everything a log holds.

#![allow(dead_code)] // Each test binary uses its part.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::{EntryPayload, storage::IOFlushed};
use raft_node::machine::Stamp;
use raft_node::platform::forgetful_disk::{ForgetfulDisk, Forgetting};
use raft_node::platform::sim_disk::SimDisk;
use raft_node::platform::{Platform, Spawner};
use raft_node::storage::{LogStore, SnapshotStore, Storage, StorageError, StorageOptions};
use raft_node::types::{
    Batch, CommittedLeaderId, Entry, LeaderId, LogId, Membership, SnapshotMeta, StoredMembership,
    TypeConfig, Vote,
};

pub const CLUSTER: u128 = 0xfeed;
pub const NODE: u64 = 7;

/// Runs disk work as tasks of the test's own single-threaded runtime: a run repeats.
struct TaskSpawner;

impl Spawner for TaskSpawner {
    fn spawn_io(&self, _name: &str, future: BoxFuture<'static, ()>) {
        tokio::spawn(future);
    }
}

pub fn sim_platform(disk: &SimDisk) -> Platform {
    let os = Platform::os(&std::env::temp_dir()).unwrap();
    Platform {
        disk: disk.mount(),
        spawner: Arc::new(TaskSpawner),
        ..os
    }
}

/// Segments so small that a test goes through many.
pub fn small() -> StorageOptions {
    StorageOptions {
        segment_bytes: 4096,
        segments_before_rewrite: 4,
        ..StorageOptions::default()
    }
}

pub async fn open(disk: &SimDisk) -> Result<Storage, StorageError> {
    Storage::open(sim_platform(disk), CLUSTER, NODE, small()).await
}

/// Through a disk that keeps what is not synced in the node's memory.
pub async fn open_forgetful(disk: &SimDisk, seed: Option<u64>) -> Result<Storage, StorageError> {
    let below = disk.mount();
    let platform = Platform {
        disk: Arc::new(ForgetfulDisk::new(below, Forgetting::Unsynced(seed))),
        ..sim_platform(disk)
    };
    Storage::open(platform, CLUSTER, NODE, small()).await
}

pub async fn open_os(root: &Path, options: StorageOptions) -> Result<Storage, StorageError> {
    Storage::open(Platform::os(root).unwrap(), CLUSTER, NODE, options).await
}

pub fn log_id(term: u64, index: u64) -> LogId {
    LogId {
        leader_id: CommittedLeaderId::new(term),
        index,
    }
}

pub fn vote(term: u64, node: u64) -> Vote {
    Vote {
        leader_id: LeaderId {
            term,
            voted_for: node,
        },
        committed: false,
    }
}

pub fn entry(term: u64, index: u64, command: impl Into<Bytes>) -> Entry {
    let batch = Batch {
        stamp: Stamp {
            at_ms: index,
            draw: [3; 32],
        },
        commands: vec![command.into()],
    };
    Entry::new(log_id(term, index), EntryPayload::Normal(batch))
}

/// Appends, and answers a future that ends when the entries are durable.
pub async fn append(
    log: &mut LogStore,
    entries: Vec<Entry>,
) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
    let (done, durable) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(done)).await?;
    Ok(async move {
        durable
            .await
            .unwrap_or_else(|_| Err(io::Error::other("never called")))
    })
}

pub async fn append_durably(log: &mut LogStore, entries: Vec<Entry>) -> io::Result<()> {
    append(log, entries).await?.await
}

/// Everything a group's log says, except for what is never synced by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    pub vote: Option<(u64, u64)>,
    pub purged: Option<u64>,
    pub last: Option<(u64, u64)>,
    /// Term and command by index.
    pub entries: BTreeMap<u64, (u64, Bytes)>,
}

pub async fn contents(log: &mut LogStore) -> Contents {
    let state = log.get_log_state().await.unwrap();
    let entries = log.try_get_log_entries(..).await.unwrap();
    Contents {
        vote: log
            .read_vote()
            .await
            .unwrap()
            .map(|vote| (vote.leader_id.term, vote.leader_id.voted_for)),
        purged: state.last_purged_log_id.map(|id| id.index),
        last: state.last_log_id.map(|id| (id.leader_id.term, id.index)),
        entries: entries
            .into_iter()
            .map(|entry| match entry.payload {
                EntryPayload::Normal(batch) => (
                    entry.log_id.index,
                    (entry.log_id.leader_id.term, batch.commands[0].clone()),
                ),
                other => panic!("no test appends {other:?}"),
            })
            .collect(),
    }
}

/// Covers everything up to an entry with a durable snapshot.
pub async fn snapshot(snapshots: &SnapshotStore, upto: LogId) -> io::Result<()> {
    let meta = SnapshotMeta {
        last_log_id: Some(upto),
        last_membership: StoredMembership::new(None, Membership::default()),
    };
    snapshots
        .save(
            &meta,
            vec![
                Bytes::from_static(b"state"),
                Bytes::new(),
                Bytes::from(vec![7; 700]),
            ],
        )
        .await
}

/// Paths of the log's segments, oldest first.
pub fn segments(disk: &SimDisk) -> Vec<String> {
    disk.paths()
        .into_iter()
        .filter(|path| path.ends_with(".seg"))
        .collect()
}

/// Lets everything that can run, run.
pub async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
