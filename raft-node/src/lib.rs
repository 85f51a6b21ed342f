//! How a decision becomes durable: consensus, storage and transport for any deterministic
//! [`Machine`]. This crate replicates bytes; it knows no seats, no orders and no money.
//!
//! ```text
//!  Client::propose ─► Proposer (stamp, batch) ═══ openraft log ═══► Applier ─► Machine::apply
//!        ▲             time, chance drawn here      │                            pure
//!        │             and only here                ▼
//!   other nodes ◄── transport (one stream a peer)  Wal (one fsync for many groups) ─► Disk port
//! ```
//!
//! What is deliberately absent: seats, HTTP, the wall clock, entropy and files other than through
//! [`platform`]. All openraft types stay inside this crate.

pub mod acquaint;
mod admission;
pub mod applier;
pub mod backup;
pub mod client;
pub mod config;
pub mod error;
mod follow;
mod freshness;
mod gather;
mod group;
pub mod health;
pub mod leader;
pub mod machine;
mod membership;
pub mod node;
mod obituary;
pub mod platform;
mod propose;
pub mod replay;
pub mod runtime;
mod stamp;
pub mod status;
pub mod storage;
mod tasks;
pub mod transport;
pub mod types;
pub mod watch;
pub mod witness;

pub use applier::Applied;
pub use client::Client;
pub use config::NodeConfig;
pub use error::{AdminError, InitializeError, ProposeError, ReadError, StartError};
pub use group::Leader;
pub use health::Health;
pub use leader::{Duty, Leadership};
pub use machine::{Entry, Machine, NotUnderstood, RestoreError, Stamp};
pub use membership::{Description, ReplicaState, StrangerError, Voters};
pub use node::{Failure, Node};
pub use propose::Committed;
pub use status::{GroupStatus, Role};
