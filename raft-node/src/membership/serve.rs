//! The leader's side.

use std::collections::BTreeSet;

use bytes::Bytes;
use openraft::ChangeMembers;
use openraft::raft::Precondition;
use prost::Message;

use super::describe;
use crate::group::Group;
use crate::transport::peer::{self, admin_request::Call};
use crate::transport::wire::{self, Reason, Refused};
use crate::types::{Peer, TypeConfig};

/// Does what was asked, on the leader.
pub(crate) async fn serve(group: &Group, payload: Bytes) -> Result<Bytes, Refused> {
    let request = peer::AdminRequest::decode(payload).map_err(wire::Unreadable::from)?;
    let call = request.call.ok_or(wire::Unreadable::Missing("call"))?;
    let raft = &group.raft;
    let done = match call {
        Call::AddLearner(member) => {
            let wait = !member.at_once;
            raft.add_learner(member.node, Peer::new(member.address), wait)
                .await
        }
        Call::RemoveLearner(node) => {
            let gone = ChangeMembers::RemoveNodes(BTreeSet::from([node]));
            raft.change_membership(gone, true).await
        }
        Call::ChangeVoters(change) => {
            let voters: BTreeSet<u64> = change.nodes.into_iter().collect();
            let only_while = match change.expected {
                0 => None,
                expected => Some(still(group, expected)?),
            };
            raft.change_membership_if(voters, change.retain, only_while)
                .await
        }
        Call::MoveLeader(to) => return move_leader(group, to).await,
        Call::Describe(describe) => {
            let description = describe::here(group, describe.anybody)?;
            return Ok(wire::encode(&peer::AdminReply {
                index: group.applied.borrow().index,
                description: Some(description),
            }));
        }
    };
    match done {
        Ok(written) => Ok(wire::encode(&peer::AdminReply {
            index: written.log_id.index(),
            description: None,
        })),
        Err(error) => Err(refused(error)),
    }
}

/// What consensus has to check: that the membership is the one the caller decided on.
fn still(group: &Group, expected: u64) -> Result<Precondition<TypeConfig>, Refused> {
    let metrics = group.metrics();
    let last = *metrics.membership_config.log_id();
    let index = last.map_or(0, |id| id.index());
    if index != expected {
        let text = format!("the members changed at {index}, after {expected}; look again");
        return Err(Refused::new(Reason::Rejected).with_text(text));
    }
    Ok(Precondition::LastMembershipLogId {
        last_membership_log_id: last,
    })
}

async fn move_leader(group: &Group, to: u64) -> Result<Bytes, Refused> {
    let leader = *group.leader.borrow();
    let voters: BTreeSet<u64> = group.raft.voter_ids().collect();
    if leader.node != Some(*group.raft.node_id()) {
        return Err(Refused::new(Reason::NotLeader).with_leader(leader.node));
    }
    if !voters.contains(&to) {
        let text = format!("node {to} is not a voter of group {}", group.id);
        return Err(Refused::new(Reason::Rejected).with_text(text));
    }
    if let Some(why) = group.health.unfit_peer(to) {
        let text = format!("node {to} should not lead: {why}");
        return Err(Refused::new(Reason::Rejected).with_text(text));
    }
    if leader.node != Some(to) {
        let moved = group.raft.trigger().transfer_leader(to).await;
        moved.map_err(|fatal| Refused::new(Reason::Stopped).with_text(fatal))?;
    }
    let index = group.applied.borrow().index;
    Ok(wire::encode(&peer::AdminReply {
        index,
        description: None,
    }))
}

type WriteError =
    openraft::error::RaftError<TypeConfig, openraft::error::ClientWriteError<TypeConfig>>;

fn refused(error: WriteError) -> Refused {
    use openraft::error::{ClientWriteError, RaftError};
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(to)) => {
            Refused::new(Reason::NotLeader).with_leader(to.leader_id)
        }
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => {
            Refused::new(Reason::OutcomeUnknown)
        }
        RaftError::APIError(error) => Refused::new(Reason::Rejected).with_text(error),
        RaftError::Fatal(fatal) => Refused::new(Reason::Stopped).with_text(fatal),
    }
}
