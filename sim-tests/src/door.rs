//! Where people meet the cluster: the one thing the workload needs of a world. The simulator's
//! world is a door, and so is a row of real processes: same people, same checkers.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};

/// A node's answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A cluster, seen from outside.
pub trait Door: Send + Sync + 'static {
    /// A request to a node and its answer; `None` when none came, and then the request may have
    /// had its effect or not. `at` is any number: which node follows from it.
    fn exchange(
        &self,
        at: u64,
        request: Request<Bytes>,
    ) -> impl Future<Output = Option<Answer>> + Send;

    /// The true wall clock, in ms since the epoch.
    fn now_ms(&self) -> u64;

    /// Time since the run began, on a clock that never jumps.
    fn elapsed(&self) -> Duration;
}
