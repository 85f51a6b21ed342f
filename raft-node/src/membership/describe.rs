//! A group's members, as one of its replicas knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ServerState;

use crate::group::Group;
use crate::transport::peer;
use crate::transport::wire::{Reason, Refused};

/// Who belongs to a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Who leads, if known.
    pub leader: Option<u64>,
    /// The term of which this is said.
    pub term: u64,
    /// Who votes: one set, or two (the old one, the new one) while a change is half done.
    pub configs: Vec<BTreeSet<u64>>,
    /// Every member, voters and learners.
    pub replicas: BTreeMap<u64, ReplicaState>,
    /// Whether the membership is committed.
    pub settled: bool,
    /// Index of the entry that holds it.
    pub membership_index: u64,
    /// Index of the last entry of the log.
    pub last_log_index: u64,
    /// The newest version of the machines' words that the node understands which answered.
    pub supports: u32,
    /// Its release; empty from those before 0.2.
    pub release: String,
}

/// One member, as the leader knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaState {
    /// Where the group dials it.
    pub address: String,
    /// Up to here its log is known to be the leader's.
    pub matched: u64,
    /// How long ago it last answered; `None`: not in this leader's time.
    pub heard: Option<Duration>,
}

/// What this replica knows; only a leader knows how far the others are.
pub(super) fn here(group: &Group, anybody: bool) -> Result<peer::Description, Refused> {
    let metrics = group.metrics();
    let me = *group.raft.node_id();
    let leads = metrics.state == ServerState::Leader && metrics.vote.committed;
    if !leads && !anybody {
        return Err(Refused::new(Reason::NotLeader).with_leader(metrics.current_leader));
    }
    let last = metrics.last_log_index.unwrap_or(0);
    let matched = metrics.replication.unwrap_or_default();
    let heard = metrics.heartbeat.unwrap_or_default();
    let stored = &metrics.membership_config;
    let membership = stored.membership();
    let replicas = membership.nodes().map(|(node, known)| {
        let is_me = *node == me;
        let index = matched.get(node).cloned().flatten();
        let answered = heard.get(node).copied().flatten();
        let ago_ms = answered.map(|at| at.into_inner().elapsed().as_millis() as u64);
        peer::ReplicaState {
            member: Some(peer::Member {
                node: *node,
                address: known.addr.clone(),
                at_once: false,
            }),
            matched: if is_me {
                last
            } else {
                index.map_or(0, |id| id.index())
            },
            heard_ms_plus_one: if is_me {
                1
            } else {
                ago_ms.map_or(0, |ms| ms + 1)
            },
        }
    });
    let configs = membership.get_joint_config().iter().map(|voters| {
        let nodes = voters.iter().copied().collect();
        peer::VoterSet {
            nodes,
            ..peer::VoterSet::default()
        }
    });
    Ok(peer::Description {
        leader: metrics.current_leader.unwrap_or(0),
        term: metrics.vote.leader_id.term,
        configs: configs.collect(),
        replicas: replicas.collect(),
        settled: stored.log_id() == metrics.committed_membership_config.log_id(),
        membership_index: stored.log_id().map_or(0, |id| id.index()),
        last_log_index: last,
        supports: group.config.supports,
        release: group.config.release.clone(),
    })
}

impl Description {
    pub(super) fn from_wire(wire: peer::Description) -> Self {
        let configs = wire.configs.into_iter();
        let configs = configs.map(|config| config.nodes.into_iter().collect());
        let replicas = wire.replicas.into_iter().filter_map(|replica| {
            let member = replica.member?;
            let heard = replica.heard_ms_plus_one.checked_sub(1);
            let state = ReplicaState {
                address: member.address,
                matched: replica.matched,
                heard: heard.map(Duration::from_millis),
            };
            Some((member.node, state))
        });
        Self {
            leader: (wire.leader != 0).then_some(wire.leader),
            term: wire.term,
            configs: configs.collect(),
            replicas: replicas.collect(),
            settled: wire.settled,
            membership_index: wire.membership_index,
            last_log_index: wire.last_log_index,
            supports: wire.supports.max(1),
            release: wire.release,
        }
    }
}
