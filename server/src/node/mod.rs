//! A node, composed of all the parts. The same [`run`] starts it in production and in the
//! simulator; only the platform and the gateway handed in differ.

pub mod admin;
pub mod audit_view;
pub mod backend;
pub mod backup;
pub mod config;
pub mod duties;
pub mod keys;
pub mod lineage;
pub mod machines;
mod metrics;
mod run;
#[cfg(feature = "process")]
pub mod serve;
pub(crate) mod snapshot;

pub use run::{Instruments, RunError, Server, Tune, run, run_with};
