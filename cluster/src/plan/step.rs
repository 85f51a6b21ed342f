//! One safe step, and what keeps one from being taken.

use std::collections::BTreeSet;
use std::fmt;

use crate::SYSTEM_GROUP;
use crate::members::Wish;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A node that consensus knows and the registry does not.
    Register {
        /// Which.
        node: u64,
        /// Where consensus dials it.
        peer: String,
    },
    /// Write down who is to vote where.
    Place {
        /// The version it was computed from.
        expected: u64,
        /// Voters a group.
        replication: u8,
        /// Every group.
        groups: Vec<(u32, Wish)>,
    },
    /// A node gets a replica of a group, without a vote.
    AddLearner {
        /// The group.
        group: u32,
        /// The node.
        node: u64,
        /// Where it is.
        peer: String,
    },
    /// Others vote from now on; former voters keep their replicas.
    ChangeVoters {
        /// The group.
        group: u32,
        /// Who votes.
        voters: BTreeSet<u64>,
    },
    /// A change of voters was left half done: finish it.
    Finish {
        /// The group.
        group: u32,
        /// Who votes then.
        voters: BTreeSet<u64>,
    },
    /// Somebody else leads.
    MoveLeader {
        /// The group.
        group: u32,
        /// Who.
        to: u64,
    },
    /// A node gives its replica of a group away.
    RemoveLearner {
        /// The group.
        group: u32,
        /// The node.
        node: u64,
    },
    /// A node is in no group any more.
    Gone {
        /// Which.
        node: u64,
    },
}

impl Step {
    /// Whether those who use the group feel it: whoever leads or votes becomes another.
    #[must_use]
    pub fn disturbs(&self) -> bool {
        match self {
            Self::ChangeVoters { .. } | Self::Finish { .. } | Self::MoveLeader { .. } => true,
            Self::Register { .. }
            | Self::Place { .. }
            | Self::AddLearner { .. }
            | Self::RemoveLearner { .. }
            | Self::Gone { .. } => false,
        }
    }
}

/// Why a group or a node waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody who leads the group answered.
    NoLeader,
    /// A change of the group's members is not committed yet.
    Unsettled,
    /// The voters that there are have no majority that answers and is caught up.
    NoQuorum {
        /// Who is missed.
        missing: BTreeSet<u64>,
    },
    /// The voters that there would be had none.
    NoNewQuorum {
        /// Who is missed.
        missing: BTreeSet<u64>,
    },
    /// Who is to vote has not been heard of lately.
    NotHeard {
        /// Who.
        node: u64,
    },
    /// Who is to vote does not have the log yet.
    Behind {
        /// Who.
        node: u64,
        /// By how many entries.
        entries: u64,
    },
    /// The voters would share zones more than they have to.
    ZonesCrowded,
    /// Who had better lead cannot yet.
    LeaderNotReady {
        /// Who.
        node: u64,
    },
    /// Fewer members than voters a group is to have.
    TooFewMembers {
        /// How many there are.
        members: usize,
        /// How many are needed.
        replication: u8,
    },
}

/// Something that has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The group, unless it is about all.
    pub group: Option<u32>,
    /// Why.
    pub reason: Reason,
}

/// What can be done now, and what cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// At most one step a group; each is safe by itself.
    pub steps: Vec<Step>,
    /// What has to wait.
    pub blocked: Vec<Blocked>,
}

impl Plan {
    /// Whether everything is as it is wanted.
    pub fn is_finished(&self) -> bool {
        self.steps.is_empty() && self.blocked.is_empty()
    }
}

impl Blocked {
    /// What helps.
    pub fn remedy(&self) -> String {
        match &self.reason {
            Reason::NoLeader => {
                "wait for an election, or start the nodes that are down: a majority is needed"
                    .to_owned()
            }
            Reason::Unsettled => "wait for a majority to write it down".to_owned(),
            Reason::NoQuorum { missing } | Reason::NoNewQuorum { missing } => {
                format!(
                    "start {}, or wait until they have caught up",
                    Nodes(missing)
                )
            }
            Reason::NotHeard { node } => {
                format!("start node {node} and see that its address can be reached, or drain it")
            }
            Reason::Behind { .. } => "wait: it is being sent the log".to_owned(),
            Reason::ZonesCrowded => "rebalance, so that the placement uses every zone".to_owned(),
            Reason::LeaderNotReady { node } => {
                format!("wait for node {node}, or rebalance once it is known to be gone")
            }
            Reason::TooFewMembers { .. } => {
                "add a node, or rebalance with fewer replicas".to_owned()
            }
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = self.group {
            write!(f, "{}: ", Group(group))?;
        }
        match &self.reason {
            Reason::NoLeader => f.write_str("no leader answers"),
            Reason::Unsettled => f.write_str("a change of its members is not committed yet"),
            Reason::NoQuorum { missing } => write!(
                f,
                "too few of its voters answer and are caught up; {} missing",
                Nodes(missing)
            ),
            Reason::NoNewQuorum { missing } => write!(
                f,
                "the change would cost its quorum; {} missing",
                Nodes(missing)
            ),
            Reason::NotHeard { node } => write!(f, "node {node} has not answered lately"),
            Reason::Behind { node, entries } => {
                write!(f, "node {node} still lacks {entries} entries")
            }
            Reason::ZonesCrowded => {
                f.write_str("the change would put more voters into one zone than has to be")
            }
            Reason::LeaderNotReady { node } => {
                write!(f, "node {node} is to lead it and is not ready")
            }
            Reason::TooFewMembers {
                members,
                replication,
            } => write!(
                f,
                "{members} nodes may vote, and every group is to have {replication} voters"
            ),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { node, peer } => write!(f, "register node {node} at {peer}"),
            Self::Place { replication, .. } => {
                write!(
                    f,
                    "write down who votes where, {replication} voters a group"
                )
            }
            Self::AddLearner { group, node, .. } => {
                write!(f, "{}: node {node} gets a replica", Group(*group))
            }
            Self::ChangeVoters { group, voters } => {
                write!(f, "{}: {} vote", Group(*group), Nodes(voters))
            }
            Self::Finish { group, voters } => write!(
                f,
                "{}: finish a change that was cut short: {} vote",
                Group(*group),
                Nodes(voters)
            ),
            Self::MoveLeader { group, to } => write!(f, "{}: node {to} leads", Group(*group)),
            Self::RemoveLearner { group, node } => {
                write!(f, "{}: node {node} leaves", Group(*group))
            }
            Self::Gone { node } => write!(f, "node {node} is gone; its id stays taken"),
        }
    }
}

struct Group(u32);

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SYSTEM_GROUP => f.write_str("system group"),
            shard => write!(f, "shard {shard}"),
        }
    }
}

struct Nodes<'a>(&'a BTreeSet<u64>);

impl fmt::Display for Nodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "node" } else { "nodes" })?;
        for (number, node) in self.0.iter().enumerate() {
            write!(f, "{} {node}", if number == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
