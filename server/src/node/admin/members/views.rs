//! How members look from outside.

use cluster::SYSTEM_GROUP;
use cluster::members::NodeState;
use cluster::plan::{Blocked, GroupSeen, Rehearsal};
use serde::{Deserialize, Serialize};

use crate::node::admin::Admin;
use crate::node::members::Look;

/// `GET /admin/members`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MembersView {
    /// Who says so.
    pub node_id: u64,
    /// Whether that one is no member of the system group (it has not joined yet, or has left): what it
    /// knows of nodes may be old.
    #[serde(default)]
    pub outside: bool,
    /// The placement's version; 0 while the members have not been registered.
    pub placement: u64,
    /// How many voters a group is to have.
    pub replicas: u8,
    /// Every node.
    pub nodes: Vec<NodeView>,
    /// Nodes that left. Their ids are never given again.
    pub gone: Vec<u64>,
    /// Every group.
    pub groups: Vec<GroupSeenView>,
    /// Whether everything is as it is wanted.
    pub settled: bool,
    /// What is still to be done, in this order.
    pub steps: Vec<String>,
    /// What waits, why, and what helps.
    pub blocked: Vec<BlockedView>,
    /// What the mover did last; only where the system group leads.
    pub did: Option<String>,
    /// What it could not do, and why.
    pub failed: Option<String>,
}

/// One node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeView {
    /// Its id.
    pub id: u64,
    /// Where the others reach it.
    pub peer: String,
    /// What it fails together with.
    pub zone: String,
    /// `member`, `draining` or `leaving`.
    pub state: String,
    /// Groups it has a replica of.
    pub replicas: usize,
    /// Groups it votes in.
    pub votes: usize,
    /// Groups it leads.
    pub leads: usize,
    /// Entries it lacks in the group where it lacks most.
    pub lag: u64,
    /// How long ago it last answered the leader it answered longest ago, in ms; absent when it did
    /// not answer some leader at all.
    pub heard_ms: Option<u64>,
}

/// One group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupSeenView {
    /// Its number; 0 is the system group.
    pub group: u32,
    /// Who leads; absent when nobody answered.
    pub leader: Option<u64>,
    /// Who votes.
    pub voters: Vec<u64>,
    /// Who only listens.
    pub learners: Vec<u64>,
    /// Whether a change of voters is half done.
    pub changing: bool,
    /// Who is to vote.
    pub wanted_voters: Vec<u64>,
    /// Who had better lead.
    pub wanted_leader: Option<u64>,
}

/// Something that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockedView {
    /// The group, unless it is about all.
    pub group: Option<u32>,
    /// Why.
    pub reason: String,
    /// What helps.
    pub remedy: String,
}

/// What a change comes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeView {
    /// Whether it was made; false for a dry run.
    pub done: bool,
    /// What is done for it, in this order.
    pub steps: Vec<String>,
    /// What would wait, why, and what helps.
    pub blocked: Vec<BlockedView>,
}

impl ChangeView {
    pub(super) fn of(rehearsal: &Rehearsal, done: bool) -> Self {
        Self {
            done,
            steps: rehearsal.steps.iter().map(ToString::to_string).collect(),
            blocked: rehearsal.blocked.iter().map(BlockedView::of).collect(),
        }
    }
}

impl BlockedView {
    fn of(blocked: &Blocked) -> Self {
        Self {
            group: blocked.group,
            reason: blocked.to_string(),
            remedy: blocked.remedy(),
        }
    }
}

impl MembersView {
    pub(in crate::node::admin) fn of(admin: &Admin, look: &Look, left: &Rehearsal) -> Self {
        let ChangeView { steps, blocked, .. } = ChangeView::of(left, false);
        let words = admin.mover.words();
        let registry = &look.registry;
        let placement = registry.placement();
        let nodes = registry.nodes().map(|(id, record)| {
            let groups = || look.seen.values().flatten();
            let member = |seen: &&GroupSeen| seen.replicas.contains_key(&id);
            let heard = groups().filter(member).map(|seen| match seen.leader == id {
                true => Some(0),
                false => seen.replicas.get(&id)?.heard_ms,
            });
            let heard: Option<Vec<u64>> = heard.collect();
            let state = match record.state {
                NodeState::Member => "member",
                NodeState::Draining => "draining",
                NodeState::Leaving => "leaving",
            };
            NodeView {
                id,
                peer: record.peer.clone(),
                zone: record.zone.clone(),
                state: state.to_owned(),
                replicas: groups().filter(member).count(),
                votes: groups().filter(|seen| seen.voters().contains(&id)).count(),
                leads: groups().filter(|seen| seen.leader == id).count(),
                lag: groups()
                    .filter(member)
                    .map(|seen| seen.lag(id))
                    .max()
                    .unwrap_or(0),
                heard_ms: heard.and_then(|heard| heard.into_iter().max()),
            }
        });
        let groups = look.seen.iter().map(|(&group, seen)| {
            let wish = placement.groups.get(&group);
            let seen = seen.as_ref();
            GroupSeenView {
                group,
                leader: seen.map(|seen| seen.leader),
                voters: seen.map_or(Vec::new(), |seen| seen.voters().into_iter().collect()),
                learners: seen.map_or(Vec::new(), |seen| seen.learners().collect()),
                changing: seen.is_some_and(|seen| seen.configs.len() > 1),
                wanted_voters: wish
                    .map_or(Vec::new(), |wish| wish.voters.iter().copied().collect()),
                wanted_leader: wish.and_then(|wish| wish.leader),
            }
        });
        let system = look.seen.get(&SYSTEM_GROUP).and_then(Option::as_ref);
        Self {
            node_id: admin.node_id,
            outside: system.is_some_and(|seen| !seen.replicas.contains_key(&admin.node_id)),
            placement: placement.version,
            replicas: placement.replication,
            nodes: nodes.collect(),
            gone: registry.gone().iter().copied().collect(),
            groups: groups.collect(),
            settled: placement.version > 0 && steps.is_empty() && blocked.is_empty(),
            steps,
            blocked,
            did: words.did,
            failed: words.failed,
        }
    }
}
