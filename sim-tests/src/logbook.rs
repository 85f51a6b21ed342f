//! The committed log as the replicas applied it: who applied which entry when, what the machine
//! answered, what state it was in then. Kept by a [`raft_node::witness::Witness`] in every node.
//!
//! What can only be seen while it happens is judged here, by [`Safety`]; the rest is left to the
//! checkers, which read the log at the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use raft_node::machine::Stamp;
use raft_node::witness::{Replication, Restoration};

use crate::checker::raft_safety::Safety;

/// A digest is a walk through all of the state, so only every so many entries have one.
const DIGEST_EVERY: u64 = 8;

/// A committed entry.
#[derive(Clone, Debug, Default)]
pub struct Logged {
    /// Its term.
    pub term: u64,
    /// Its stamp and its batch; nothing when it is consensus' own.
    pub batch: Option<(Stamp, Vec<Bytes>)>,
    /// What the leader's machine answered, once somebody was told.
    pub told: Option<Vec<Bytes>>,
    /// The machine's digest after it, if one was taken.
    pub digest: Option<[u8; 32]>,
    /// When its leader closed it, if that was seen.
    pub proposed_at: Option<Duration>,
    /// When the first replica applied it.
    pub applied_at: Duration,
}

/// A group's log, by index.
pub type GroupLog = BTreeMap<u64, Logged>;

/// See the module.
pub struct LogBook {
    elapsed: Box<dyn Fn() -> Duration + Send + Sync>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    groups: BTreeMap<u32, GroupLog>,
    /// By the chance in its stamp, which names an entry before it has an index.
    proposed: BTreeMap<[u8; 32], Duration>,
    /// The first digest anybody had, by group and index.
    digests: BTreeMap<(u32, u64), [u8; 32]>,
    safety: Safety,
    disagreements: Vec<String>,
}

impl LogBook {
    /// An empty one; `elapsed` tells the time since the run began.
    pub fn new(elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            elapsed: Box::new(elapsed),
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("noting does not panic")
    }

    /// A leader closed an entry.
    pub fn proposed(&self, draw: [u8; 32]) {
        let now = (self.elapsed)();
        self.lock().proposed.insert(draw, now);
    }

    /// A node begins to lead.
    pub fn leads(&self, node: usize, group: u32, term: u64) {
        self.lock().safety.leads(node, group, term);
    }

    /// A replica begins.
    pub fn restored(&self, node: usize, restored: Restoration<'_>) {
        let mut inner = self.lock();
        let Restoration {
            group,
            index,
            at_start,
            ..
        } = restored;
        inner.safety.begins(node, group, index, at_start);
        if index > 0 {
            inner.compare(node, group, index, (restored.digest)());
        }
    }

    /// A replica has applied an entry.
    pub fn replicated(&self, node: usize, applied: Replication<'_>) {
        let now = (self.elapsed)();
        let mut inner = self.lock();
        let Replication {
            group, index, term, ..
        } = applied;
        let batch = applied
            .entry
            .map(|entry| (entry.stamp, entry.commands.to_vec()));
        let proposed_at = batch
            .as_ref()
            .and_then(|(stamp, _)| inner.proposed.get(&stamp.draw).copied());
        inner.safety.applies(node, group, index, term);
        let log = inner.groups.entry(group).or_default();
        let told = (!applied.outcomes.is_empty()).then(|| applied.outcomes.to_vec());
        let changed = match log.get_mut(&index) {
            Some(known) => {
                if known.told.is_none() && applied.entry.is_some_and(|entry| entry.awaited) {
                    known.told = told;
                }
                known.term != term || known.batch != batch
            }
            None => {
                let awaited = applied.entry.is_some_and(|entry| entry.awaited);
                let logged = Logged {
                    term,
                    batch,
                    told: told.filter(|_| awaited),
                    digest: None,
                    proposed_at,
                    applied_at: now,
                };
                log.insert(index, logged);
                false
            }
        };
        if changed {
            inner.safety.changed(node, group, index);
        }
        if index.is_multiple_of(DIGEST_EVERY) {
            inner.compare(node, group, index, (applied.digest)());
        }
    }

    /// A group's log as far as anybody applied it.
    pub fn log(&self, group: u32) -> GroupLog {
        let inner = self.lock();
        let mut log = inner.groups.get(&group).cloned().unwrap_or_default();
        for ((of, index), digest) in &inner.digests {
            if let Some(logged) = log.get_mut(index).filter(|_| *of == group) {
                logged.digest = Some(*digest);
            }
        }
        log
    }

    /// What consensus did that it must not.
    pub fn unsafe_acts(&self) -> Vec<String> {
        self.lock().safety.broken.clone()
    }

    /// Where replicas differed at one index.
    pub fn disagreements(&self) -> Vec<String> {
        self.lock().disagreements.clone()
    }
}

impl Inner {
    fn compare(&mut self, node: usize, group: u32, index: u64, digest: [u8; 32]) {
        let known = *self.digests.entry((group, index)).or_insert(digest);
        if known != digest {
            self.disagreements.push(format!(
                "group {group}: node {} is at {:02x}{:02x} after entry {index}, another was at {:02x}{:02x}",
                node + 1, digest[0], digest[1], known[0], known[1]
            ));
        }
    }
}
