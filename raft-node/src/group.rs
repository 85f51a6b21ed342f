//! One group's replica on this node: consensus, its machine, its queue, and who is said to lead.

use std::sync::Arc;
use std::time::Duration;

use openraft::error::{LinearizableReadError, RaftError};
use openraft::{ReadPolicy, ServerState};
use probes::Bug;

use crate::applier::{Applied, Replica, index_of};
use crate::config::NodeConfig;
use crate::freshness::{Freshness, Standing};
use crate::health::Health;
use crate::propose::Proposer;
use crate::storage::{LogStore, SnapshotStore};
use crate::transport::wire::{Reason, Refused};
use crate::types::{Raft, RaftMetrics};
use crate::watch;

/// Who leads a group, as one node sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// The leader, if one is known.
    pub node: Option<u64>,
    /// The term of which this is said.
    pub term: u64,
}

/// A replica, shared by everything that serves it.
pub(crate) struct Group {
    pub(crate) id: u32,
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) raft: Raft,
    pub(crate) replica: Replica,
    pub(crate) applied: watch::Receiver<Applied>,
    pub(crate) leader: watch::Receiver<Leader>,
    pub(crate) proposer: Arc<Proposer>,
    pub(crate) freshness: Freshness,
    pub(crate) log: LogStore,
    pub(crate) snapshots: SnapshotStore,
    pub(crate) health: Arc<Health>,
}

impl Group {
    /// As far as this replica has to be read to see everything acknowledged before now. Only the
    /// leader can tell, after a quorum confirmed it.
    pub(crate) async fn read_index_here(&self) -> Result<u64, Refused> {
        let leads = self.leader.borrow().node == Some(*self.raft.node_id());
        if leads && probes::planted(Bug::ReadWithoutQuorum) {
            return Ok(self.applied.borrow().index);
        }
        match self.raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
            Ok(linearizer) => Ok(linearizer.read_log_id().index()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(to))) => {
                Err(Refused::new(Reason::NotLeader).with_leader(to.leader_id))
            }
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => {
                probes::reached(probes::Mark::ReadRefused);
                Err(Refused::new(Reason::NotLeader))
            }
            Err(RaftError::Fatal(fatal)) => Err(Refused::new(Reason::Stopped).with_text(fatal)),
        }
    }

    /// What this leader can say of itself without asking anybody.
    pub(crate) fn standing_here(&self) -> Result<Standing, Refused> {
        let metrics = self.raft.metrics();
        let seen = metrics.borrow();
        let own = seen.state == ServerState::Leader && seen.vote.committed;
        let term = seen.vote.leader_id.term;
        let committed = seen.local_committed.as_ref();
        // Before an entry of its own term it does not know all that its predecessors committed.
        if !own || committed.is_none_or(|last| last.committed_leader_id().term != term) {
            return Err(Refused::new(Reason::NotLeader).with_leader(seen.current_leader));
        }
        let mut voters = seen.membership_config.membership().voter_ids();
        let alone = voters.all(|voter| voter == *self.raft.node_id());
        let doubt = match seen.last_quorum_acked {
            _ if alone => Duration::ZERO,
            Some(acked) => acked.into_inner().elapsed(),
            None => return Err(Refused::new(Reason::NotLeader)),
        };
        let index = index_of(&seen.local_committed);
        Ok(Standing { index, doubt })
    }

    /// Waits until this replica applied `index`; false when it stopped first.
    pub(crate) async fn wait_applied(&self, index: u64) -> bool {
        if self.applied.borrow().index >= index {
            return true;
        }
        let mut applied = self.applied.clone();
        applied.until(|at| at.index >= index).await.is_some()
    }

    /// Waits until somebody else, or anybody at all, is said to lead; at most `patience`.
    pub(crate) async fn wait_leader_change(&self, seen: Leader, patience: Duration) {
        let mut leader = self.leader.clone();
        let change = leader.eventually(|now| *now != seen);
        // Either way the caller looks again.
        let _ = tokio::time::timeout(patience, change).await;
    }

    pub(crate) fn metrics(&self) -> RaftMetrics {
        self.raft.metrics().borrow().clone()
    }
}
