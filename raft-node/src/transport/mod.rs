//! How nodes talk: one long-lived stream of frames per ordered pair of nodes, carrying all
//! groups' messages, and a stream of its own for each snapshot.
//!
//! ```text
//!  Network (openraft) ─┐                            ┌─► Raft of the group
//!  Client (forwarding) ┼─► Link ══ frames, coalesced ══► server ┼─► Proposer of the group
//!  membership          ┘    ▲══════ answers ═════════╝   └─► admin
//! ```
//!
//! Payloads are bytes, encoded here: the simulator hands messages over as they are, and would
//! never see a mistake of a generated codec. A frame names its cluster, group and the run of the
//! process that asked; one that does not belong here is refused. Every call has a deadline of its
//! own, because a network may be silent for longer than anybody wants to wait.

pub(crate) mod departures;
pub mod faults;
pub(crate) mod lane;
pub(crate) mod link;
pub(crate) mod network;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod sockets;
pub mod traffic;
pub(crate) mod wire;

/// The generated messages and service.
#[allow(missing_docs, clippy::all)]
pub(crate) mod peer {
    tonic::include_proto!("usher.peer.v1");
}
