//! The cluster's version: which words all of its replicas understand.
//!
//! Two releases run side by side while a cluster is upgraded node by node. A command that only the
//! newer one understands would stop the older one's replicas, or worse, be stepped over by them. So
//! new words wait: the catalogue refuses them until an operator has raised the cluster's version,
//! and that is granted when every node says that it supports it. Until then every node can go back
//! to the older release; afterwards none can. (The gate of CockroachDB's cluster version; ADR 0015.)
//!
//! | version | since | new words |
//! |--:|---|---|
//! | 1 | 0.1 | everything without a mark |
//! | 2 | 0.2 | raising the version; keys of the API; who asked for a change, and the trail of it |

/// The oldest version whose words this release still writes.
pub const OLDEST: u16 = 1;
/// Keys of the API, and the trail.
pub const TRAIL: u16 = 2;
/// The newest version that this release supports.
pub const NEWEST: u16 = 2;
