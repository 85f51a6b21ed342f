//! Who belongs to a group, and who leads it: told and changed by the group's leader, asked for from
//! anywhere. A change is a log entry like any other, so it is safe to ask twice.

mod describe;
mod serve;
mod stranger;

use std::collections::BTreeSet;
use std::time::Duration;

pub use self::describe::{Description, ReplicaState};
pub(crate) use self::serve::serve;
pub(crate) use self::stranger::ANOTHER_CLUSTER;
pub use self::stranger::StrangerError;

use bytes::Bytes;
use prost::Message;

use crate::client::{Client, Patience};
use crate::error::AdminError;
use crate::group::Group;
use crate::transport::link::CallError;
use crate::transport::peer::{self, admin_request::Call};
use crate::transport::wire::{self, Kind, Reason};

/// Before one node is asked again that could not be reached.
const LINK_PAUSE: Duration = Duration::from_millis(50);

/// New voters of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voters {
    /// Who votes from now on; each must be a member already.
    pub voters: BTreeSet<u64>,
    /// Whether former voters stay, as learners.
    pub retain: bool,
    /// Only while the membership is still the one of this entry, so that who decided on an older one
    /// changes nothing. See [`Description::membership_index`].
    pub expected: Option<u64>,
}

fn described(reply: peer::AdminReply) -> Result<Description, AdminError> {
    let description = reply.description.ok_or(AdminError::OutcomeUnknown)?;
    Ok(Description::from_wire(description))
}

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
        self.admit(group, node, address, false, deadline).await
    }

    /// The same, without waiting until the node has caught up; see [`Client::describe`].
    pub async fn begin_learner(
        &self,
        group: u32,
        node: u64,
        address: String,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        self.admit(group, node, address, true, deadline).await
    }

    async fn admit(
        &self,
        group: u32,
        node: u64,
        address: String,
        at_once: bool,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        let call = Call::AddLearner(peer::Member {
            node,
            address,
            at_once,
        });
        Ok(self.administer(group, call, deadline).await?.index)
    }

    /// Takes a member without a vote out of a group.
    pub async fn remove_learner(
        &self,
        group: u32,
        node: u64,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        let call = Call::RemoveLearner(node);
        Ok(self.administer(group, call, deadline).await?.index)
    }

    /// Replaces the voters of a group; each must be a member already. Nodes that are no longer
    /// voters leave the group. A change that was left half done is finished by asking for it again.
    pub async fn change_voters(
        &self,
        group: u32,
        voters: BTreeSet<u64>,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        let change = Voters {
            voters,
            retain: false,
            expected: None,
        };
        self.replace_voters(group, change, deadline).await
    }

    /// The same, with a say in what becomes of former voters and in when it is too late.
    pub async fn replace_voters(
        &self,
        group: u32,
        change: Voters,
        deadline: Duration,
    ) -> Result<u64, AdminError> {
        let call = Call::ChangeVoters(peer::VoterSet {
            nodes: change.voters.into_iter().collect(),
            retain: change.retain,
            expected: change.expected.unwrap_or(0),
        });
        Ok(self.administer(group, call, deadline).await?.index)
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

    /// Who belongs to a group, and how far each is, in the words of its leader.
    pub async fn describe(
        &self,
        group: u32,
        deadline: Duration,
    ) -> Result<Description, AdminError> {
        let anybody = false;
        let call = Call::Describe(peer::Describe { anybody });
        described(self.administer(group, call, deadline).await?)
    }

    /// A group as one of its replicas knows it, leader or not, and what that node supports.
    pub async fn describe_at(
        &self,
        node: u64,
        group: u32,
        deadline: Duration,
    ) -> Result<Description, AdminError> {
        let group = self.shared.group(group).ok_or(AdminError::Stopped)?;
        let call = Some(Call::Describe(peer::Describe { anybody: true }));
        let payload = wire::encode(&peer::AdminRequest { call });
        let until = self.now() + deadline;
        let bytes = loop {
            let left = until.saturating_sub(self.now());
            match self.ask_admin(group, node, payload.clone(), left).await {
                Ok(bytes) => break bytes,
                // A link that is just being made.
                Err(CallError::Unreachable(_) | CallError::Full(_)) if left > LINK_PAUSE => {
                    tokio::time::sleep(LINK_PAUSE).await;
                }
                Err(error) => return Err(AdminError::Refused(error.to_string())),
            }
        };
        described(peer::AdminReply::decode(bytes).map_err(|_| AdminError::OutcomeUnknown)?)
    }

    async fn administer(
        &self,
        group: u32,
        call: Call,
        deadline: Duration,
    ) -> Result<peer::AdminReply, AdminError> {
        let group = self.shared.group(group).ok_or(AdminError::Stopped)?;
        let payload = wire::encode(&peer::AdminRequest { call: Some(call) });
        let until = self.now() + deadline;
        let (mut hint, mut patience) = (None, Patience::new());
        loop {
            let leader = *group.leader.borrow();
            let node = match hint.take().or(leader.node) {
                Some(node) => Some(node),
                None => self.leader_elsewhere(group.id).await,
            };
            let left = until.saturating_sub(self.now());
            let elsewhere = match node {
                None => None,
                Some(node) => match self.ask_admin(group, node, payload.clone(), left).await {
                    Ok(bytes) => {
                        let reply = peer::AdminReply::decode(bytes);
                        return reply.map_err(|_| AdminError::OutcomeUnknown);
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
            self.before_retry(group, leader, elsewhere, until, &mut patience)
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
