//! Backups of a whole cluster, taken while it sells, and what becomes of them.
//!
//! ```text
//!   nodes' admin listeners ─► create ─► DIR/manifest.json, group-*.snapshot, group-*.log
//!                              │ cut        │
//!                              └── world ◄──┴── verify ─► restore ─► empty data directories
//! ```
//! A backup is, for each group, the newest snapshot file of some node and the log entries behind it
//! up to the group's *cut*. The cut is consistent: whatever one group knows of another one's past
//! lies within that other's cut ([`cut`]). A [`world`] is all of it applied, outside any cluster;
//! creating, verifying and restoring all go through one, so what is restored is what was verified.
//!
//! [`cut`] and [`world`] are all that the simulator needs to judge backups under faults; the rest is a
//! process's.
//!
//! Protects P1 to P4 for everything acknowledged before the backup began (ADR 0010 says what is
//! lost, and `reconcile` what becomes of money that moved after the cut).

#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "process")]
pub mod chain;
#[cfg(feature = "process")]
pub mod create;
pub mod cut;
#[cfg(feature = "process")]
mod digest;
#[cfg(feature = "process")]
mod error;
#[cfg(feature = "process")]
mod log_file;
#[cfg(feature = "process")]
pub mod manifest;
#[cfg(feature = "process")]
pub mod place;
#[cfg(feature = "process")]
mod point;
#[cfg(feature = "process")]
mod pull;
#[cfg(feature = "process")]
pub mod reconcile;
#[cfg(feature = "process")]
pub mod restore;
pub mod world;

#[cfg(feature = "process")]
pub use error::BackupError;
#[cfg(feature = "process")]
pub use point::Point;
