//! What a run is about: machines, nodes, shards.

use super::placement::{Place, place};
use super::proposer::{BOUNDS, Bounds};

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeAt {
    /// Its machine.
    pub machine: usize,
    /// What it fails together with.
    pub zone: usize,
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Cores of each machine.
    pub machines: Vec<usize>,
    /// Its nodes.
    pub nodes: Vec<NodeAt>,
    /// Voters and leader of each shard.
    pub places: Vec<Place>,
    /// Whether nodes that do not vote in a shard read along (ADR 0009). Without it no door but a voter's could
    /// answer reads by itself: only to see what it costs.
    pub learners: bool,
    /// How leaders close entries.
    pub bounds: Bounds,
}

impl Cluster {
    /// Every node on a machine of its own, over three zones, `replicas` voters a shard.
    #[must_use]
    pub fn spread(nodes: usize, cores: usize, shards: usize, replicas: usize) -> Self {
        let zones: Vec<usize> = (0..nodes).map(|node| node % 3).collect();
        let at = |node: usize| NodeAt {
            machine: node,
            zone: zones[node],
        };
        Self {
            machines: vec![cores; nodes],
            nodes: (0..nodes).map(at).collect(),
            places: place(&zones, shards, replicas),
            learners: true,
            bounds: BOUNDS,
        }
    }

    /// All nodes on one machine, as on the one that was measured.
    #[must_use]
    pub fn on_one_machine(nodes: usize, cores: usize, shards: usize) -> Self {
        let zones: Vec<usize> = (0..nodes).collect();
        let at = |zone: usize| NodeAt { machine: 0, zone };
        Self {
            machines: vec![cores],
            nodes: (0..nodes).map(at).collect(),
            places: place(&zones, shards, nodes),
            learners: true,
            bounds: BOUNDS,
        }
    }
}
