//! How much of each resource was used, and which will be used up first.

use std::fmt;

use super::calendar::Nanos;
use super::engine::CALLS_MAX;
use super::engine::Engine;
use super::stats::Window;

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Cores of one node, which is busier than most.
    NodeCpu(usize),
    /// Cores of all nodes alike.
    AllCpu,
    /// What a shard's leader does for its entries, one after the other.
    ShardLeader(usize),
    /// Room in a shard's entries, one of which is in flight at a time.
    Entries,
    /// What a node sends to others.
    Line(usize),
    /// A shard's calls to the payment provider.
    Calls(usize),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeCpu(_) => write!(f, "cores of a leader's node"),
            Self::AllCpu => write!(f, "cores of all nodes"),
            Self::ShardLeader(_) => write!(f, "one shard's leader, an entry at a time"),
            Self::Entries => write!(f, "commands in an entry, one in flight"),
            Self::Line(_) => write!(f, "a node's network line"),
            Self::Calls(_) => write!(f, "{CALLS_MAX} calls to the provider a shard"),
        }
    }
}

/// Shares of what there is, 0 to 1 (a little more where work began that ended later).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Cores of the busiest node, ...
    pub cpu_max: f64,
    /// ... and of the mean node.
    pub cpu_mean: f64,
    /// How much of the time the busiest log syncs. One that always does is not full: whatever comes meanwhile
    /// shares the next sync. It is a delay and no limit, and never the bottleneck.
    pub disk: f64,
    /// What is used most, and how much of it.
    pub most: (Resource, f64),
}

/// What a window of this length used.
#[must_use]
pub fn usage(engine: &Engine, window: &Window, length: Nanos) -> Usage {
    let length = length.max(1) as f64;
    let nodes = engine.node_count();
    let cpu: Vec<f64> = (0..nodes)
        .map(|node| window.cpu[node] as f64 / length / engine.cores(node) as f64)
        .collect();
    let living = (0..nodes).filter(|node| engine.lives(*node)).count().max(1);
    let cpu_mean = cpu.iter().sum::<f64>() / living as f64;
    let (node, cpu_max) = greatest(cpu.iter().copied());
    let line = f64::from(engine.costs.link.gbit_per_s) / 8.0;
    let (shard, serial) = greatest(window.serial.iter().map(|of| *of as f64 / length));
    let (_, disk) = greatest(window.disk.iter().map(|of| *of as f64 / length));
    // A byte a nanosecond is a GB a second.
    let (line_node, sent) = greatest(window.sent.iter().map(|of| *of as f64 / length / line));
    let places = CALLS_MAX as f64;
    let (caller, calls) = greatest(window.calls.iter().map(|of| *of as f64 / length / places));
    let cores = match cpu_max > cpu_mean * 1.25 {
        true => Resource::NodeCpu(node),
        false => Resource::AllCpu,
    };
    let mut most = (cores, cpu_max);
    let full = window.commands_per_entry() / engine.batch_max() as f64;
    for other in [
        (Resource::Entries, full),
        (Resource::ShardLeader(shard), serial),
        (Resource::Line(line_node), sent),
        (Resource::Calls(caller), calls),
    ] {
        if other.1 > most.1 {
            most = other;
        }
    }
    Usage {
        cpu_max,
        cpu_mean,
        disk,
        most,
    }
}

fn greatest(of: impl Iterator<Item = f64>) -> (usize, f64) {
    of.enumerate().fold(
        (0, 0.0),
        |most, (index, value)| {
            if value > most.1 { (index, value) } else { most }
        },
    )
}
