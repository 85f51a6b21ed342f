//! A model of a cluster under an on-sale: what would be, on machines that are not here.
//!
//! ```text
//!  costs.toml ─┐
//!  cluster ────┼─► Engine: calendar, cores, disks, links, shards' logs ◄──► load: closed loop, steady, a sale
//!  seed ───────┘                 │
//!                                ▼ stats, window by window ─► capacity, tables, docs/scaling.md
//! ```
//!
//! A discrete-event simulation in whole nanoseconds: pure, and the same from the same seed on every machine
//! (no clock, no entropy, no system's logarithm, ordered collections). What takes time is in the model; what a
//! request means is not: there are no seats, only how many are left.
//!
//! What is modelled follows the code, and says where it stands. What is left out stands in
//! `docs/scaling.md`. Textbook queues ([`textbook`]) and the measured closed loop ([`validate`]) are what
//! it is held against.

pub mod calendar;
pub mod capacity;
pub mod chance;
pub mod closed;
pub mod cluster;
pub mod costs;
pub mod cpu;
pub mod disk;
pub mod document;
pub mod engine;
pub mod placement;
pub mod proposer;
pub mod request;
pub mod resources;
pub mod sale;
pub mod stats;
pub mod steady;
pub mod tables;
pub mod textbook;
pub mod units;
pub mod validate;
