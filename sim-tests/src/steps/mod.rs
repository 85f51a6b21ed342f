//! Crashes that are aimed: a leader dies exactly between two steps of an order.
//!
//! ```text
//!   plan (from the seed):  order ─► step, moment, whose leader, how
//!
//!   leader's proposer ──proposed──► log, quorum ──► leader's machine ──applied──► answers
//!                          │ fuse of a few ms             │ at once
//!                          └── dies: "appended"           └── dies: "applied"
//! ```
//!
//! Random kills rarely fall into the gap between two entries a millisecond apart. Here the plan
//! names the gap, a [`raft_node::witness::Witness`] in each node recognizes it, and the node dies
//! there: its tasks never run again, so nothing of what it was about to say is said.
//!
//! *appended*: after the leader closed the entry and before its machine had it. How far the entry
//! got by then (own log, a follower's, a quorum's) is the fuse's chance. *applied*: in the
//! leader's machine, before anybody heard; a quorum has it, and nobody knows.

pub mod across;
pub mod aim;
pub mod aimer;
mod due;
pub mod post;
pub mod step;
