//! What a stopped node has of its groups: where each log ends, who voted, and all of it to be applied
//! anew. For when a majority is lost, and what is left has to do (ADR 0012).
//!
//! Opening takes the directory's lock, so nothing is read under a running node. It repairs a torn
//! tail as a start would; nothing else is changed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::storage::{RaftLogReader, RaftLogStorage};

use super::{LogEntry, Position};
use crate::platform::Platform;
use crate::replay::ReplayError;
use crate::storage::{Storage, StorageOptions};
use crate::types::{LogId, Membership};

/// A stopped node's directory.
pub struct Remains {
    storage: Storage,
    /// Whose it is.
    pub cluster: u128,
    /// Whose it is.
    pub node: u64,
}

/// What it has of a group.
#[derive(Clone, Debug, Default)]
pub struct GroupRemains {
    /// The newest term the node voted in.
    pub term: u64,
    /// The last entry.
    pub last: Option<Position>,
    /// Up to here the node knew that everything was committed.
    pub committed: u64,
    /// The last entry in its snapshot.
    pub snapshot: Option<Position>,
    /// One set of voters, or two while a change was half done, as of the last entry.
    pub configs: Vec<BTreeSet<u64>>,
    /// Every member, with its address.
    pub members: BTreeMap<u64, String>,
    /// The snapshot's parts.
    pub parts: Option<Vec<Bytes>>,
    /// The entries behind the snapshot, committed or not.
    pub entries: Vec<LogEntry>,
}

impl Remains {
    /// Opens the directory.
    pub async fn open(platform: Platform) -> Result<Self, ReplayError> {
        let owner = Storage::owner(&platform).await?;
        let (cluster, node) = owner.ok_or(ReplayError::Nobody)?;
        let options = StorageOptions::default();
        let storage = Storage::open(platform, cluster, node, options).await?;
        Ok(Self {
            storage,
            cluster,
            node,
        })
    }

    /// All it has of a group; nothing of one that it never held.
    pub async fn group(&self, group: u32) -> Result<GroupRemains, ReplayError> {
        let unreadable = |source| ReplayError::Log { group, source };
        let (mut log, snapshots) = self.storage.group(group);
        let mut found = GroupRemains::default();
        if let Some(snapshot) = snapshots.load().await? {
            found.snapshot = snapshot.meta.last_log_id.as_ref().map(position);
            found.take(snapshot.meta.last_membership.membership());
            found.parts = Some(snapshot.snapshot);
        }
        found.last = found.snapshot;
        let first = found.snapshot.map_or(0, |last| last.index + 1);
        for (id, payload) in log.read_raw(first.., usize::MAX) {
            let at = Position {
                term: id.term,
                index: id.index,
            };
            let entry = LogEntry { at, payload };
            let decoded = entry.decode();
            let decoded = decoded.map_err(|error| unreadable(std::io::Error::other(error)))?;
            if let EntryPayload::Membership(membership) = &decoded {
                found.take(membership);
            }
            found.last = Some(at);
            found.entries.push(entry);
        }
        let vote = log.read_vote().await.map_err(unreadable)?;
        found.term = vote.map_or(0, |vote| vote.leader_id.term);
        let committed = log.read_committed().await.map_err(unreadable)?;
        let known = committed.map_or(0, |id| id.index());
        found.committed = known.max(found.snapshot.map_or(0, |last| last.index));
        Ok(found)
    }

    /// Gives the directory free.
    pub async fn close(self) {
        self.storage.close().await;
    }
}

impl GroupRemains {
    fn take(&mut self, membership: &Membership) {
        self.configs = membership.get_joint_config().to_vec();
        let nodes = membership.nodes();
        self.members = nodes
            .map(|(node, peer)| (*node, peer.addr.clone()))
            .collect();
    }

    /// Whether these nodes are a majority of every set of voters, so that nothing is lost.
    pub fn has_majority(&self, survivors: &BTreeSet<u64>) -> bool {
        let quorum =
            |voters: &BTreeSet<u64>| 2 * voters.intersection(survivors).count() > voters.len();
        !self.configs.is_empty() && self.configs.iter().all(quorum)
    }
}

fn position(id: &LogId) -> Position {
    Position {
        term: id.committed_leader_id().term,
        index: id.index(),
    }
}
