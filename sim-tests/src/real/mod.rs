//! The second tier: the real program over real disks, sockets and processes; the people and the
//! checkers of the simulator.
//!
//! ```text
//!  seed ─► plan: blow after blow                people ──HTTP──► node 1, 2, 3  (usher start)
//!            │  kill -9, power cut,                                │  each over a disk that forgets
//!            │  SIGSTOP, bad links ──► machine ─────────────► links (a TCP proxy for each ordered pair)
//!            └► sales, many and small ──► histories ─► evidence over admin routes ─► checkers
//! ```
//!
//! What the simulator cannot show: the real system's files, locks, sockets and threads, and how a
//! process begins again on what its predecessor left. What this tier cannot do is repeat: the plan
//! follows from the seed, the timing does not. The provider, the proxy and the people survive
//! everything; they are the world outside.

pub mod dialler;
pub mod door;
pub mod evidence;
pub mod holds;
pub mod links;
pub mod machine;
pub mod plan;
pub mod run;
pub mod sales;
