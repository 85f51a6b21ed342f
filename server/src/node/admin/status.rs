//! What this node sees of its groups.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Admin;

/// `GET /admin/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// This node.
    pub node_id: u64,
    /// Its cluster.
    pub cluster_id: uuid::Uuid,
    /// Its release.
    pub version: String,
    /// Where buyers reach it.
    pub http: std::net::SocketAddr,
    /// Every group it has a replica of.
    pub groups: Vec<GroupView>,
}

/// One group, as this node sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupView {
    /// Its number; 0 is the system group.
    pub group: u32,
    /// `leader`, `follower`, `candidate`, `learner` or `stopped`.
    pub role: String,
    /// Its term.
    pub term: u64,
    /// Who leads, if known.
    pub leader: Option<u64>,
    /// Index of the last entry in this node's log.
    pub last_log: u64,
    /// Index of the last entry known to be committed.
    pub committed: u64,
    /// Index of the last entry applied here.
    pub applied: u64,
    /// Index of the newest snapshot.
    pub snapshot: u64,
    /// Who votes.
    pub voters: Vec<u64>,
}

pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Json<StatusView> {
    let groups = admin.node.status().into_iter().map(|group| GroupView {
        group: group.group,
        role: format!("{:?}", group.role).to_lowercase(),
        term: group.term,
        leader: group.leader,
        last_log: group.last_log_index,
        committed: group.committed,
        applied: group.applied,
        snapshot: group.snapshot_index,
        voters: group.voters.into_iter().collect(),
    });
    Json(StatusView {
        node_id: admin.node_id,
        cluster_id: admin.cluster_id,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        http: admin.http,
        groups: groups.collect(),
    })
}
