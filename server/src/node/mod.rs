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
pub mod members;
mod metrics;
pub mod readiness;
mod run;
#[cfg(feature = "process")]
pub mod serve;
pub(crate) mod snapshot;
#[cfg(feature = "process")]
mod tls;
pub mod version;

#[cfg(feature = "process")]
pub use run::run;
pub use run::{Instruments, RunError, Server, Tune, run_with};
#[cfg(feature = "process")]
pub use tls::{OPERATOR, READER};
