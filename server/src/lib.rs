//! The process: the one place that knows all the parts, and the usher binary.
//!
//! [`node`] is a node, composed; [`cli`] the commands. The rest treats a running cluster as a
//! black box over HTTP: [`demo`], [`audit_client`], and [`sandbox`], the payment
//! provider that ships with them.

pub mod audit_client;
pub mod cli;
pub mod demo;
mod dice;
pub mod http_client;
pub mod node;
pub mod progress;
pub mod sandbox;
