//! Who belongs to a group, and who leads it: changed by the group's leader, asked for from
//! anywhere. A change is a log entry like any other, so it is safe to ask twice.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use crate::client::Client;
use crate::error::AdminError;
use crate::group::Group;
use crate::transport::link::CallError;
use crate::transport::peer::{self, admin_request::Call};
use crate::transport::wire::{self, Kind, Reason, Refused};
use crate::types::{Peer, TypeConfig};

impl Client {
    /// Adds a node that receives the log and does not vote yet. Returns the entry's index, once
    /// the node has caught up.
    pub async fn add_learner(
        &self,
        group: u32,
        node: u64,
        address: String,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        let call = Call::AddLearner(peer::Member { node, address });
        self.administer(group, call, deadline).await
    }

    /// Replaces the voters of a group; each must be a member already. Nodes that are no longer
    /// voters leave the group.
    pub async fn change_voters(
        &self,
        group: u32,
        voters: BTreeSet<u64>,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        let nodes = voters.into_iter().collect();
        let call = Call::ChangeVoters(peer::VoterSet { nodes });
        self.administer(group, call, deadline).await
    }

    /// Asks the leader of a group to hand it to another voter. Returns when the leader began to;
    /// watch [`Client::leader`] to see it happen.
    pub async fn move_leader(
        &self,
        group: u32,
        to: u64,
        deadline: Duration,
    ) -> Result<(), AdminError> {
        let done = self.administer(group, Call::MoveLeader(to), deadline).await;
        done.map(|_| ())
    }

    async fn administer(
        &self,
        group: u32,
        call: Call,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        let group = self.shared.group(group).ok_or(AdminError::Stopped)?;
        let payload = wire::encode(&peer::AdminRequest { call: Some(call) });
        let until = self.now() + deadline;
        let mut hint = None;
        loop {
            let leader = *group.leader.borrow();
            let node = hint.take().or(leader.node);
            let left = until.saturating_sub(self.now());
            let elsewhere = match node {
                None => None,
                Some(node) => match self.ask_admin(group, node, payload.clone(), left).await {
                    Ok(bytes) => {
                        let reply = peer::AdminReply::decode(bytes);
                        return Ok(reply.map_err(|_| AdminError::OutcomeUnknown)?.index);
                    }
                    Err(CallError::Unreachable(_) | CallError::Full(_)) => None,
                    Err(CallError::Refused(refused)) => match refused.reason {
                        Reason::NotLeader => refused.leader,
                        Reason::OutcomeUnknown => return Err(AdminError::OutcomeUnknown),
                        _ => return Err(AdminError::Refused(refused.text)),
                    },
                    Err(_) => return Err(AdminError::OutcomeUnknown),
                },
            };
            self.before_retry(group, leader, elsewhere, until)
                .await
                .ok_or(AdminError::NoLeader)?;
            hint = elsewhere;
        }
    }

    async fn ask_admin(
        &self,
        group: &Group,
        node: u64,
        payload: Bytes,
        time: Duration,
    ) -> Result<Bytes, CallError> {
        if node == self.shared.config.node_id {
            return match tokio::time::timeout(time, serve(group, payload)).await {
                Ok(served) => served.map_err(CallError::Refused),
                Err(_) => Err(CallError::TimedOut(node)),
            };
        }
        match self.link(group, node) {
            Some(link) => link.call(group.id, Kind::Admin, payload, time).await,
            None => Err(CallError::Unreachable(node)),
        }
    }
}

/// Does what was asked, on the leader.
pub(crate) async fn serve(group: &Group, payload: Bytes) -> Result<Bytes, Refused> {
    let request = peer::AdminRequest::decode(payload).map_err(wire::Unreadable::from)?;
    let call = request.call.ok_or(wire::Unreadable::Missing("call"))?;
    let raft = &group.raft;
    let done = match call {
        Call::AddLearner(member) => {
            raft.add_learner(member.node, Peer::new(member.address), true)
                .await
        }
        Call::ChangeVoters(voters) => {
            let voters: BTreeSet<u64> = voters.nodes.into_iter().collect();
            raft.change_membership(voters, false).await
        }
        Call::MoveLeader(to) => return move_leader(group, to).await,
    };
    match done {
        Ok(written) => Ok(wire::encode(&peer::AdminReply {
            index: written.log_id.index(),
        })),
        Err(error) => Err(refused(error)),
    }
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
    if leader.node != Some(to) {
        let moved = group.raft.trigger().transfer_leader(to).await;
        moved.map_err(|fatal| Refused::new(Reason::Stopped).with_text(fatal))?;
    }
    let index = group.applied.borrow().index;
    Ok(wire::encode(&peer::AdminReply { index }))
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
