//! Time, as a port.

use std::time::Duration;

/// A node's view of time.
pub trait Clock: Send + Sync {
    /// Wall clock: milliseconds since the Unix epoch. May jump in either direction; whoever
    /// stamps with it bounds it against [`Clock::monotonic`].
    fn now_ms(&self) -> u64;

    /// Time since some fixed moment of this process; never goes back.
    fn monotonic(&self) -> Duration;
}
