//! Where people meet the cluster: the one thing the workload needs of a world. The simulator's
//! world is a door, and so is a row of real processes: same people, same checkers.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use ledger::OrderId;

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

    /// How many nodes there are to choose from.
    fn nodes(&self) -> u64;

    /// A node that runs and does not reach a majority, where that is known: the `at` of it.
    fn cut_off(&self) -> Option<u64> {
        None
    }

    /// Who leads an order's home, and what time it is there, where that is known: the `at` of it.
    fn home_of(&self, _order: OrderId) -> Option<(u64, u64)> {
        None
    }

    /// Keeps the leader of an order's home busy with commands that change nothing.
    fn keep_busy(&self, _order: OrderId, _for_ms: u64) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// The true wall clock, in ms since the epoch.
    fn now_ms(&self) -> u64;

    /// Time since the run began, on a clock that never jumps.
    fn elapsed(&self) -> Duration;
}
