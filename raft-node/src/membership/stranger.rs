//! A node that belongs to no group yet: it knows a few addresses and asks there who leads. That is
//! how a node that joins says so, through whoever answers.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::Description;
use crate::client::Client;
use crate::error::ProposeError;
use crate::propose::Committed;
use crate::transport::link::CallError;
use crate::transport::peer::{self, admin_request::Call};
use crate::transport::wire::{self, Kind, Reason};

/// What a node says to a frame of another cluster.
pub(crate) const ANOTHER_CLUSTER: &str = "another cluster";

/// How long one of them may take to say who leads.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(100);

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrangerError {
    /// An address that was given is another cluster's.
    #[error("node {node} belongs to another cluster: compare cluster_id and peers on both")]
    AnotherCluster {
        /// Who was asked.
        node: u64,
    },
    /// Nobody who answered knew a leader.
    #[error("none of the peers answered and knew a leader")]
    NoLeader,
    /// As with any command.
    #[error(transparent)]
    Propose(#[from] ProposeError),
}

impl Client {
    /// Commits a command of a group that this node need not belong to: as usual when it knows the
    /// leader, otherwise through the peers it was told of.
    pub async fn propose_as_stranger(
        &self,
        group: u32,
        command: Bytes,
        deadline: Duration,
    ) -> Result<Committed, StrangerError> {
        let until = self.now() + deadline;
        let own = self.shared.group(group).ok_or(ProposeError::Stopped)?;
        while own.leader.borrow().node.is_none() {
            match self.find_leader(group).await? {
                Some((leader, address)) => {
                    self.shared.links.reach(leader, &address);
                    let left = until.saturating_sub(self.now());
                    let told = self.forward_to(own, leader, command.clone(), left).await?;
                    if let Some(committed) = told {
                        return Ok(committed);
                    }
                }
                None if self.now() >= until => return Err(StrangerError::NoLeader),
                None => {}
            }
            if self.now() >= until {
                return Err(StrangerError::NoLeader);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let left = until.saturating_sub(self.now());
        Ok(self.propose(group, command, left).await?)
    }

    /// Who leads a group of which this node knows no leader, with a link to that one. A node that leads
    /// the system group need not be in every shard yet, and has to bring that about.
    pub(super) async fn leader_elsewhere(&self, group: u32) -> Option<u64> {
        let (leader, address) = self.find_leader(group).await.ok()??;
        if leader != self.shared.config.node_id {
            self.shared.links.reach(leader, &address);
        }
        Some(leader)
    }

    /// Asks one peer after the other who leads, and where that one is.
    async fn find_leader(&self, group: u32) -> Result<Option<(u64, String)>, StrangerError> {
        let me = self.shared.config.node_id;
        // Whom it was told of may have left by now: whoever it met since knows as well.
        let mut others: BTreeSet<u64> = self.shared.config.peers.keys().copied().collect();
        others.extend(self.shared.links.dialled());
        others.remove(&me);
        for node in others {
            let Some(link) = self.shared.links.get(node) else {
                continue;
            };
            let call = Some(Call::Describe(peer::Describe { anybody: true }));
            let question = wire::encode(&peer::AdminRequest { call });
            let answer = link.call(group, Kind::Admin, question, ANSWER_WITHIN).await;
            let answer = match answer {
                Ok(bytes) => peer::AdminReply::decode(bytes).ok(),
                Err(CallError::Refused(refused))
                    if refused.reason == Reason::Foreign && refused.text == ANOTHER_CLUSTER =>
                {
                    return Err(StrangerError::AnotherCluster { node });
                }
                Err(_) => None,
            };
            let known = answer.and_then(|reply| reply.description);
            let known = known.map(Description::from_wire).unwrap_or_default();
            let found = known.leader.and_then(|leader| {
                let replica = known.replicas.get(&leader)?;
                // The operator's word goes before the membership's, as everywhere.
                let told = self.shared.config.peers.get(&leader);
                Some((leader, told.unwrap_or(&replica.address).clone()))
            });
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
