//! What clients asked and were told, in order, and the hash that makes a run comparable.

use sha2::{Digest, Sha256};
use std::sync::Mutex;

use crate::platform::elapsed;

/// How an order ended, as its buyer was told. Unknown is never folded into failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// 201: held.
    Held,
    /// 200: paid.
    Paid,
    /// Given back.
    Cancelled,
}

/// A "yes" somebody got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yes {
    /// What was said.
    pub told: Told,
    /// The order.
    pub order: String,
    /// Its seats, by id or `section x count`, sorted.
    pub seats: Vec<String>,
    /// Minor units.
    pub amount: u64,
    /// When the hold ends, as told, in ms since the epoch.
    pub held_until_ms: u64,
    /// Tickets, once paid.
    pub tickets: Vec<String>,
}

/// The whole history.
#[derive(Default)]
pub struct History {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    yes: Vec<Yes>,
    lines: Vec<String>,
    trace: Sha256,
    events: u64,
}

impl History {
    /// Notes something for the trace. Everything that a client or the nemesis does or sees.
    pub fn note(&self, what: &str) {
        let line = format!("{:>10.6} {what}", elapsed().as_secs_f64());
        let mut inner = self.lock();
        inner.trace.update(line.as_bytes());
        inner.trace.update(b"\n");
        inner.events += 1;
        inner.lines.push(line);
    }

    /// Notes a "yes".
    pub fn yes(&self, yes: Yes) {
        self.note(&format!("{:?} {} {:?}", yes.told, yes.order, yes.seats));
        self.lock().yes.push(yes);
    }

    /// Every "yes", in order.
    pub fn all_yes(&self) -> Vec<Yes> {
        self.lock().yes.clone()
    }

    /// Hash of everything noted, and how much that was.
    pub fn trace(&self) -> (String, u64) {
        let inner = self.lock();
        let hash = inner.trace.clone().finalize();
        (
            hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            inner.events,
        )
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let inner = self.lock();
        inner.lines[inner.lines.len().saturating_sub(count)..].to_vec()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("noting does not panic")
    }
}
