//! Who belongs to the cluster, and who is to vote where. Every node holds every group, as a voter or
//! as a learner, so that every door reads locally; the *placement* says who votes and who had better
//! lead (ADR 0009).
//!
//! Words: a node's *state* is what operators want of it; the placement's *wish* for a group is what
//! the mover brings about; what a group's replicas are in truth is *seen* (`crate::plan::seen`).

mod registry;
mod zones;

use std::collections::{BTreeMap, BTreeSet};

pub use registry::Registry;
pub use zones::Zones;

/// Most nodes of a cluster, those that left not counted.
pub const NODES_MAX: usize = 64;
/// Most voters of a group.
pub const REPLICATION_MAX: u8 = 9;
/// Longest name of a zone, in bytes.
pub const ZONE_BYTES_MAX: usize = 64;
/// Longest address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 256;

/// What operators want of a node. Persisted by number (`crate::codec`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeState {
    /// It may vote and lead.
    #[default]
    Member,
    /// It is to vote nowhere and lead nothing, and stays.
    Draining,
    /// It is to leave, for ever.
    Leaving,
}

/// A node of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRecord {
    /// `host:port` under which the others reach it.
    pub peer: String,
    /// What it fails together with: a rack, a room, a provider's zone. Empty: not told.
    pub zone: String,
    /// What operators want of it.
    pub state: NodeState,
}

/// What is wanted of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Who is to vote.
    pub voters: BTreeSet<u64>,
    /// Who had better lead; `None`: whoever does.
    pub leader: Option<u64>,
}

/// What is wanted of every group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Rises with every change; 0: nobody has placed anything yet.
    pub version: u64,
    /// How many voters a group is to have.
    pub replication: u8,
    /// Every group's wish.
    pub groups: BTreeMap<u32, Wish>,
}

impl Placement {
    /// Whether some group wants this node as a voter or leader.
    pub fn names(&self, node: u64) -> bool {
        let mut wishes = self.groups.values();
        wishes.any(|wish| wish.voters.contains(&node) || wish.leader == Some(node))
    }
}
