//! The process: the one place that knows all the parts, and the usher binary.
//!
//! [`node`] is a node, composed; [`cli`] the commands; [`backup`] what is kept of a cluster outside it.
//! The rest treats a running cluster as a
//! black box over HTTP: [`demo`], [`loadgen`], [`pauses`], [`scaling`], [`audit_client`], and [`sandbox`], the payment
//! provider that ships with them. All of that needs a real process (threads, sockets, children,
//! signals) and is the feature `process`, on by default; the simulator builds without it.

#[cfg(feature = "process")]
pub mod audit_client;
#[cfg(feature = "process")]
pub mod audit_dir;
pub mod backup;
#[cfg(feature = "process")]
pub mod cli;
#[cfg(feature = "process")]
pub mod demo;
#[cfg(feature = "process")]
pub mod dice;
#[cfg(feature = "process")]
pub mod figures;
#[cfg(feature = "process")]
pub mod http_client;
#[cfg(feature = "process")]
pub mod loadgen;
pub mod node;
#[cfg(feature = "process")]
pub mod pauses;
#[cfg(feature = "process")]
pub mod progress;
pub mod read_model;
#[cfg(feature = "process")]
pub mod recent_log;
#[cfg(feature = "process")]
pub mod recover;
#[cfg(feature = "process")]
pub mod sandbox;
#[cfg(feature = "process")]
pub mod scaling;
#[cfg(feature = "process")]
pub mod settings;
#[cfg(feature = "process")]
pub mod telemetry;
