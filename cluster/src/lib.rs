//! Where things are: which shard owns a section, which decides a buyer's orders, which keeps an
//! event's waiting room, and the catalogue of events that the `system` group replicates.
//!
//! Pure: it decides and never does. No I/O, no clock, no chance.

pub mod catalogue;
pub mod codec;
pub mod members;
pub mod names;
pub mod placement;
pub mod plan;
pub mod route;
pub mod version;

/// The Raft group of the catalogue. Groups from 1 on are ledgers' shards.
pub const SYSTEM_GROUP: u32 = 0;
