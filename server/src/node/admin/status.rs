//! What this node sees of its groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use raft_node::Health;
use raft_node::health::PeerClock;
use raft_node::storage::Level;
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
    /// How it is doing; absent from older releases.
    #[serde(default)]
    pub health: HealthView,
}

/// How a node is doing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HealthView {
    /// `ample`, `short` or `scarce`.
    pub room: String,
    /// Bytes that are free on the disk of its data directory, if it can tell.
    pub disk_free_bytes: Option<u64>,
    /// Writes that wait for room.
    pub writes_waiting: u64,
    /// By how many ms each peer's clock is ahead of this node's, and how far that may be wrong.
    pub clocks: BTreeMap<u64, ClockView>,
    /// Whether its clock is far from most of its peers'.
    pub clock_is_far: bool,
    /// What has work and makes no progress.
    pub stuck: Vec<String>,
    /// What is complained of, in words.
    pub warnings: Vec<String>,
}

/// A peer's clock, as a node sees it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ClockView {
    /// By how many ms it is ahead.
    pub ahead_ms: i64,
    /// How far that may be wrong.
    pub error_ms: u64,
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
    Json(StatusView::of(&admin))
}

impl StatusView {
    /// What a node sees now.
    pub(super) fn of(admin: &Admin) -> Self {
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
        Self {
            node_id: admin.node_id,
            cluster_id: admin.cluster_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            http: admin.http,
            groups: groups.collect(),
            health: health(admin.node.health(), admin.clock_warn_ms),
        }
    }
}

fn health(health: &Health, clock_warn_ms: u64) -> HealthView {
    let room = health.room();
    let clocks = health.clocks();
    let stuck: Vec<String> = health.stuck().iter().map(ToString::to_string).collect();
    let free = room.space().map(|space| space.free);
    let level = format!("{:?}", room.level()).to_lowercase();
    let mut warnings = stuck.clone();
    if room.level() > Level::Ample {
        let left = free.map_or(String::new(), |free| format!(", {} MB left", free >> 20));
        warnings.push(format!("room on the disk is {level}{left}"));
    }
    for (peer, clock) in &clocks {
        if clock.is_further_than(clock_warn_ms) {
            let ahead_ms = clock.ahead_ms;
            warnings.push(format!(
                "the clock of node {peer} is {ahead_ms} ms ahead of this one's"
            ));
        }
    }
    if health.clock_is_far() {
        warnings.push("this node's clock is far from most others'; it should not lead".to_owned());
    }
    let clocks = clocks.into_iter().map(|(peer, clock)| {
        let PeerClock { ahead_ms, error_ms } = clock;
        (peer, ClockView { ahead_ms, error_ms })
    });
    HealthView {
        room: level,
        disk_free_bytes: free,
        writes_waiting: room.waiting() as u64,
        clocks: clocks.collect(),
        clock_is_far: health.clock_is_far(),
        stuck,
        warnings,
    }
}
