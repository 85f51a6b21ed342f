//! The ports: the only doors through which a node reaches time, chance and disks.
//!
//! Production hands in [`os`]; the simulator hands in its own, with faults. Everything else in
//! the workspace takes them as arguments, so a run can be repeated from its seed (P10).

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod forgetful_disk;
pub mod os;
pub mod sim_disk;
#[cfg(not(madsim))]
pub mod tls;
#[cfg(madsim)]
#[path = "tls/absent.rs"]
pub mod tls;

use std::sync::Arc;

use futures::future::BoxFuture;

pub use clock::Clock;
pub use disk::Disk;
pub use entropy::Entropy;

/// Where a node's disk work runs.
///
/// Production gives the log writer a thread of its own, so that a blocking `fdatasync` never
/// stalls a worker that answers buyers; the simulator, which has no threads, spawns a task.
pub trait Spawner: Send + Sync {
    /// Runs `future` to its end, beside everything else. `name` is for humans.
    fn spawn_io(&self, name: &str, future: BoxFuture<'static, ()>);
}

/// All that differs between one run and another.
#[derive(Clone)]
pub struct Platform {
    /// Wall and monotonic time.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The node's data directory.
    pub disk: Arc<dyn Disk>,
    /// Where disk work runs.
    pub spawner: Arc<dyn Spawner>,
}
