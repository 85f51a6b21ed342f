//! The registry: every node, everyone that ever left, and the placement.

use std::collections::{BTreeMap, BTreeSet};

use super::{NodeRecord, NodeState, Placement};

/// What the catalogue knows of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    pub(crate) nodes: BTreeMap<u64, NodeRecord>,
    pub(crate) gone: BTreeSet<u64>,
    pub(crate) placement: Placement,
}

impl Registry {
    /// Puts a registry together from its parts, for snapshots and rehearsals.
    pub fn from_parts(
        nodes: BTreeMap<u64, NodeRecord>,
        gone: BTreeSet<u64>,
        placement: Placement,
    ) -> Self {
        Self {
            nodes,
            gone,
            placement,
        }
    }

    /// A node of the cluster.
    pub fn node(&self, node: u64) -> Option<&NodeRecord> {
        self.nodes.get(&node)
    }

    /// All nodes, by id.
    pub fn nodes(&self) -> impl Iterator<Item = (u64, &NodeRecord)> {
        self.nodes.iter().map(|(node, record)| (*node, record))
    }

    /// Nodes that left. Their ids are never given again.
    pub fn gone(&self) -> &BTreeSet<u64> {
        &self.gone
    }

    /// Who is to vote where.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Nodes that may vote.
    pub fn members(&self) -> BTreeSet<u64> {
        let members = self.nodes.iter();
        let members = members.filter(|(_, record)| record.state == NodeState::Member);
        members.map(|(node, _)| *node).collect()
    }

    /// A node's state, if it belongs to the cluster.
    pub fn state(&self, node: u64) -> Option<NodeState> {
        Some(self.nodes.get(&node)?.state)
    }
}
