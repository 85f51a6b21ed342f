//! What clients asked and were told, in order, and the hash that makes a run comparable.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::client::Reply;

/// How an order ended, as its buyer was told. Unknown is never folded into failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// 201: held.
    Held,
    /// 200: paid.
    Paid,
    /// Given back.
    Cancelled,
    /// Not an answer: the organizer is about to give the money back.
    RefundAsked,
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

/// One request and what became of it. Repeats are requests of their own.
#[derive(Clone, Debug)]
pub struct Op {
    /// Who asked.
    pub who: String,
    /// The bearer token they showed.
    pub token: String,
    /// When it was sent.
    pub invoked: Duration,
    /// When its answer came; when it was given up, if none came: it may still have its effect.
    pub returned: Duration,
    /// GET, POST, ...
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// The body.
    pub body: Value,
    /// The answer.
    pub reply: Reply,
}

/// Something that must not be granted, and what was said.
#[derive(Clone, Debug)]
pub struct Trespass {
    /// Who tried.
    pub who: String,
    /// What.
    pub what: String,
    /// The answer.
    pub reply: Reply,
    /// Codes that refuse it.
    pub allowed: &'static [&'static str],
}

/// The whole history.
pub struct History {
    elapsed: Box<dyn Fn() -> Duration + Send + Sync>,
    inner: Mutex<Inner>,
    off_record: AtomicBool,
}

#[derive(Default)]
struct Inner {
    yes: Vec<Yes>,
    granted: Vec<(String, String)>,
    ops: Vec<Op>,
    trespasses: Vec<Trespass>,
    lines: Vec<String>,
    trace: Sha256,
    events: u64,
}

impl History {
    /// An empty one; `elapsed` tells the time since the run began.
    pub fn new(elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            elapsed: Box::new(elapsed),
            inner: Mutex::default(),
            off_record: AtomicBool::new(false),
        }
    }

    /// Notes something for the trace. Everything that a client or the nemesis does or sees.
    pub fn note(&self, what: &str) {
        let line = format!("{:>10.6} {what}", (self.elapsed)().as_secs_f64());
        let mut inner = self.lock();
        inner.trace.update(line.as_bytes());
        inner.trace.update(b"\n");
        inner.events += 1;
        tracing::debug!("{line}");
        inner.lines.push(line);
    }

    /// Notes a "yes".
    pub fn yes(&self, yes: Yes) {
        self.note(&format!("{:?} {} {:?}", yes.told, yes.order, yes.seats));
        self.lock().yes.push(yes);
    }

    /// Keeps what an operator was granted: the request's name, and what it was.
    pub fn granted(&self, request: &str, action: &str) {
        if self.off_record.load(Ordering::SeqCst) {
            return;
        }
        let granted = (request.to_owned(), action.to_owned());
        self.lock().granted.push(granted);
    }

    /// Whether the cluster keeps no trail: its version is older.
    pub fn keep_off_record(&self, off: bool) {
        self.off_record.store(off, Ordering::SeqCst);
    }

    /// All that operators were granted.
    pub fn all_granted(&self) -> Vec<(String, String)> {
        self.lock().granted.clone()
    }

    /// Keeps a request and its answer.
    pub fn op(&self, op: Op) {
        self.lock().ops.push(op);
    }

    /// Keeps something that must not have been granted.
    pub fn trespass(&self, trespass: Trespass) {
        let Trespass {
            who, what, reply, ..
        } = &trespass;
        self.note(&format!("{who} tries {what}: {}", reply.code()));
        self.lock().trespasses.push(trespass);
    }

    /// All that must not have been granted.
    pub fn trespasses(&self) -> Vec<Trespass> {
        self.lock().trespasses.clone()
    }

    /// Every request, in the order in which they were over.
    pub fn ops(&self) -> Vec<Op> {
        self.lock().ops.clone()
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
