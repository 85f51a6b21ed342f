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

pub mod machine;
pub mod platform;
pub mod runtime;
pub mod storage;
pub mod types;
pub mod watch;
