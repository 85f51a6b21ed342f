//! The process: the one place that knows all the parts, and the usher binary.
//!
//! [`node`] is a node, composed; [`cli`] the commands. The rest treats a running cluster as a
//! black box over HTTP: [`demo`], [`loadgen`], [`audit_client`], and [`sandbox`], the payment
//! provider that ships with them.

pub mod audit_client;
pub mod cli;
pub mod demo;
pub mod dice;
pub mod http_client;
pub mod loadgen;
pub mod node;
pub mod progress;
pub mod read_model;
pub mod sandbox;
