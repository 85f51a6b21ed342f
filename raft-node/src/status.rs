//! What a node tells about its replicas.

use std::collections::BTreeSet;

use openraft::ServerState;

use crate::applier::index_of;
use crate::group::Group;

/// The part a replica plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Proposes.
    Leader,
    /// Votes.
    Follower,
    /// Stands for election.
    Candidate,
    /// Listens.
    Learner,
    /// Consensus stopped here; the process should exit.
    Stopped,
}

/// One replica, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStatus {
    /// The group.
    pub group: u32,
    /// The newest term it knows.
    pub term: u64,
    /// Who leads, if it knows.
    pub leader: Option<u64>,
    /// The part it plays.
    pub role: Role,
    /// Index of its last log entry.
    pub last_log_index: u64,
    /// Up to here its log is known to be committed.
    pub committed: u64,
    /// Up to here its machine has applied it.
    pub applied: u64,
    /// Up to here its newest snapshot reaches.
    pub snapshot_index: u64,
    /// Who votes.
    pub voters: BTreeSet<u64>,
    /// Who listens without a vote.
    pub learners: BTreeSet<u64>,
    /// The machine's digest and the index it is of, when asked for: it costs a walk through all
    /// of the state.
    pub digest: Option<(u64, [u8; 32])>,
    /// Why consensus stopped here, if it did.
    pub stopped: Option<String>,
}

impl GroupStatus {
    pub(crate) fn of(group: &Group) -> Self {
        let metrics = group.metrics();
        let stopped = metrics
            .running_state
            .as_ref()
            .err()
            .map(ToString::to_string);
        let role = match metrics.state {
            _ if stopped.is_some() => Role::Stopped,
            ServerState::Leader => Role::Leader,
            ServerState::Follower => Role::Follower,
            ServerState::Candidate => Role::Candidate,
            ServerState::Learner => Role::Learner,
            ServerState::Shutdown => Role::Stopped,
        };
        let membership = metrics.membership_config.membership();
        Self {
            group: group.id,
            term: metrics.current_term,
            leader: metrics.current_leader,
            role,
            last_log_index: metrics.last_log_index.unwrap_or(0),
            committed: index_of(&metrics.local_committed),
            applied: group.applied.borrow().index,
            snapshot_index: index_of(&metrics.snapshot),
            voters: membership.voter_ids().collect(),
            learners: membership.learner_ids().collect(),
            digest: None,
            stopped,
        }
    }

    pub(crate) fn with_digest(group: &Group) -> Self {
        Self {
            digest: Some(group.replica.digest()),
            ..Self::of(group)
        }
    }
}
