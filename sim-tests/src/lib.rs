//! The proof: whole clusters in one deterministic process, judged by checkers.
//!
//! ```text
//!  seed ─► scenario (knobs, printed) ─► world: nodes run server::node::run over simulated
//!            │                           disk, clock, entropy, network; provider on the side
//!            └► workload: buyers through the real axum Router ─► history ─► checkers ─► verdict
//! ```
//!
//! One `u64` is the run. Build with `--cfg madsim` (`cargo xtask sim` does) and one process a
//! seed. Without the cfg there are the people, their plans, the history and the checkers, for
//! whoever brings another [`door::Door`]; the simulated world is absent. What is deliberately
//! absent from that world: real time, real sockets, real files, threads.

pub mod checker;
pub mod client;
pub mod door;
pub mod fate;
pub mod fault;
pub mod gateway;
pub mod history;
pub mod logbook;
pub mod scenario;
pub mod seed;
pub mod workload;

#[cfg(madsim)]
pub mod nemesis;
#[cfg(madsim)]
pub mod plan;
#[cfg(madsim)]
pub mod platform;
#[cfg(not(madsim))]
pub mod real;
#[cfg(madsim)]
pub mod run;
#[cfg(madsim)]
pub mod steps;
#[cfg(madsim)]
pub mod timeline;
#[cfg(madsim)]
pub mod world;
