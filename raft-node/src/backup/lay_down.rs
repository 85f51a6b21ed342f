//! A restored node's directory: for each group a snapshot of its state, a log that begins behind
//! it, and a vote of its term.
//!
//! The vote matters: entries of the new cluster must have a higher term than what the snapshot
//! covers, and a node that had never voted would stand for election in term 1. It is a vote for
//! oneself, as after an election that nobody won, so it binds nobody else.

use std::collections::BTreeMap;

use bytes::Bytes;
use openraft::storage::RaftLogStorage;

use super::Position;
use crate::platform::Platform;
use crate::storage::{EntryId, Storage, StorageError, StorageOptions, VoteRecord, codec};

use crate::types::{Membership, Peer, SnapshotMeta, StoredMembership};

/// A group's state, to be laid down.
pub struct Laid {
    /// The group.
    pub group: u32,
    /// The last entry in it.
    pub last: Position,
    /// The machine's parts.
    pub parts: Vec<Bytes>,
}

/// Makes an empty directory that of node `node` of a new cluster, whose groups have these states
/// and all `peers` as voters. The directory is complete, and durable, when this returns.
pub async fn lay_down(
    platform: Platform,
    cluster: u128,
    node: u64,
    peers: &BTreeMap<u64, String>,
    groups: Vec<Laid>,
) -> Result<(), StorageError> {
    let options = StorageOptions::default();
    let storage = Storage::open(platform.clone(), cluster, node, options.clone()).await?;
    let voters = peers.keys().copied().collect();
    let nodes: BTreeMap<u64, Peer> = peers
        .iter()
        .map(|(node, address)| (*node, Peer::new(address)))
        .collect();
    let membership =
        Membership::new(vec![voters], nodes).expect("every voter was given with its address");
    for Laid { group, last, parts } in groups {
        let at = EntryId {
            term: last.term,
            index: last.index,
        };
        let id = codec::log_id(at);
        let meta = SnapshotMeta {
            last_log_id: Some(id),
            last_membership: StoredMembership::new(Some(id), membership.clone()),
        };
        let (mut log, snapshots) = storage.group(group);
        let failed = |source| StorageError::io("lay down", &format!("group {group}"))(source);
        snapshots.save(&meta, parts).await.map_err(failed)?;
        let vote = codec::vote(VoteRecord {
            term: last.term,
            node,
            committed: false,
        });
        log.save_vote(&vote).await.map_err(failed)?;
        log.save_committed(Some(id)).await.map_err(failed)?;
        log.purge(id).await.map_err(failed)?;
        log.synced().await.map_err(failed)?;
    }
    storage.close().await;
    // Read back as a start would, all of it.
    Storage::open(platform, cluster, node, options)
        .await?
        .close()
        .await;
    Ok(())
}
