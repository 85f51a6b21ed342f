//! The proof: whole clusters in one deterministic process, judged by checkers.
//!
//! ```text
//!  seed ─► scenario (knobs, printed) ─► world: nodes run server::node::run over simulated
//!            │                           disk, clock, entropy, network; provider on the side
//!            └► workload: buyers through the real axum Router ─► history ─► checkers ─► verdict
//! ```
//!
//! One `u64` is the run. Build with `--cfg madsim` (`cargo xtask sim` does) and one process a
//! seed; without the cfg this crate is empty. What is deliberately absent: real time, real
//! sockets, real files, threads.

pub mod seed;

#[cfg(madsim)]
pub mod checker;
#[cfg(madsim)]
pub mod client;
#[cfg(madsim)]
pub mod fault;
#[cfg(madsim)]
pub mod gateway;
#[cfg(madsim)]
pub mod history;
#[cfg(madsim)]
pub mod nemesis;
#[cfg(madsim)]
pub mod plan;
#[cfg(madsim)]
pub mod platform;
#[cfg(madsim)]
pub mod run;
#[cfg(madsim)]
pub mod scenario;
#[cfg(madsim)]
pub mod steps;
#[cfg(madsim)]
pub mod workload;
#[cfg(madsim)]
pub mod world;
