//! Committed entries into the machine, outcomes to whoever asked, the machine into snapshots.
//!
//! The machine lives in memory alone. After a restart it is the newest snapshot plus the log
//! behind it, which openraft replays. Whoever learns an outcome learns it after the applied index
//! was published, so a read that waits for that index sees the write.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{AsyncRuntime, EntryPayload, OptionalSend, RaftSnapshotBuilder};
use probes::Bug;

use crate::error::StartError;
use crate::machine::{self, Frozen, Machine, NotUnderstood};
use crate::runtime::UsherRuntime;
use crate::storage::SnapshotStore;
use crate::types::{
    Batch, Entry, LogId, Outcomes, Snapshot, SnapshotMeta, StoredMembership, TypeConfig,
};
use crate::watch;
use crate::witness::{Application, Replication, Restoration, Witness};

/// How far a replica has applied its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Index of the last applied entry; 0 before the first one.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Time of the last stamp applied by this process, in ms; 0 before the first one.
    pub at_ms: u64,
    /// When the machine's next thing is due, if anything is.
    pub next_due_ms: Option<u64>,
}

/// A group's machine and where it stands, shared with those who ask for a digest or a tick.
#[derive(Clone)]
pub(crate) struct Replica {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    machine: Box<dyn Machine>,
    last: Option<LogId>,
    membership: StoredMembership,
    at_ms: u64,
}

impl Replica {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("a machine that panics takes its replica down with it")
    }

    /// The digest of the state, and the index it is of.
    pub(crate) fn digest(&self) -> (u64, [u8; 32]) {
        let inner = self.lock();
        (index_of(&inner.last), inner.machine.digest())
    }

    /// What a new leader proposes first.
    pub(crate) fn elected(&self) -> Option<Bytes> {
        self.lock().machine.elected()
    }

    /// The newest stamp in the state, in ms; 0 when there is none.
    pub(crate) fn stamped_ms(&self) -> u64 {
        let inner = self.lock();
        inner.at_ms.max(inner.machine.stamped_ms())
    }

    /// What sweeps due things.
    pub(crate) fn tick(&self) -> Bytes {
        self.lock().machine.tick()
    }
}

impl Inner {
    fn applied(&self) -> Applied {
        Applied {
            index: index_of(&self.last),
            term: self
                .last
                .as_ref()
                .map_or(0, |id| id.committed_leader_id().term),
            at_ms: self.at_ms,
            next_due_ms: self.machine.next_due_ms(),
        }
    }

    fn apply(&mut self, entry: &Entry, awaited: bool) -> Result<Outcomes, NotUnderstood> {
        let log_id = entry.log_id;
        let outcomes = match &entry.payload {
            EntryPayload::Blank => Outcomes::default(),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(log_id), membership.clone());
                Outcomes::default()
            }
            EntryPayload::Normal(batch) => {
                let outcomes = self.machine.apply(seen(log_id, batch, awaited))?;
                self.at_ms = self.at_ms.max(batch.stamp.at_ms);
                assert!(
                    !awaited || outcomes.len() == batch.commands.len(),
                    "a machine answers every command"
                );
                Outcomes(outcomes)
            }
        };
        self.last = Some(log_id);
        Ok(outcomes)
    }
}

/// An entry as the machine sees it.
fn seen(log_id: LogId, batch: &Batch, awaited: bool) -> machine::Entry<'_> {
    machine::Entry {
        index: log_id.index(),
        term: log_id.committed_leader_id().term,
        stamp: batch.stamp,
        commands: &batch.commands,
        awaited,
    }
}

/// openraft's view of a group's machine.
pub struct Applier {
    group: u32,
    replica: Replica,
    snapshots: SnapshotStore,
    applied: watch::Sender<Applied>,
    witness: Option<Arc<dyn Witness>>,
}

impl Applier {
    /// Restores the newest snapshot into a fresh machine.
    pub(crate) async fn open(
        group: u32,
        mut machine: Box<dyn Machine>,
        snapshots: SnapshotStore,
        witness: Option<Arc<dyn Witness>>,
    ) -> Result<(Self, Replica, watch::Receiver<Applied>), StartError> {
        let mut last = None;
        let mut membership = StoredMembership::default();
        if let Some(Snapshot { meta, snapshot }) = snapshots.load().await? {
            probes::reached(probes::Mark::StartedFromSnapshot);
            machine
                .restore(snapshot)
                .map_err(|source| StartError::Restore { group, source })?;
            last = meta.last_log_id;
            membership = meta.last_membership;
        }
        if let Some(witness) = &witness {
            witness.restored(Restoration {
                group,
                index: index_of(&last),
                at_start: true,
                digest: &|| machine.digest(),
            });
        }
        let inner = Inner {
            machine,
            last,
            membership,
            at_ms: 0,
        };
        let (sender, receiver) = watch::channel(inner.applied());
        let replica = Replica {
            inner: Arc::new(Mutex::new(inner)),
        };
        let applier = Self {
            group,
            replica: replica.clone(),
            snapshots,
            applied: sender,
            witness,
        };
        Ok((applier, replica, receiver))
    }
}

impl RaftStateMachine<TypeConfig> for Applier {
    type SnapshotData = Vec<Bytes>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let inner = self.replica.lock();
        Ok((inner.last, inner.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let (outcomes, applied) = {
                let mut inner = self.replica.lock();
                let outcomes = inner.apply(&entry, responder.is_some());
                let outcomes = outcomes.map_err(|error| {
                    tracing::error!(group = self.group, %error, "stops");
                    io::Error::new(io::ErrorKind::Unsupported, error)
                })?;
                (outcomes, inner.applied())
            };
            if let Some(witness) = &self.witness {
                let batch = match &entry.payload {
                    EntryPayload::Normal(batch) => Some(batch),
                    _ => None,
                };
                witness.replicated(Replication {
                    group: self.group,
                    index: applied.index,
                    term: applied.term,
                    entry: batch.map(|batch| seen(entry.log_id, batch, responder.is_some())),
                    outcomes: &outcomes.0,
                    digest: &|| self.replica.digest().1,
                });
            }
            // Only the node that proposed an entry has somebody to answer.
            if let (Some(witness), EntryPayload::Normal(batch), Some(_)) =
                (&self.witness, &entry.payload, &responder)
            {
                witness.applied(Application {
                    group: self.group,
                    entry: seen(entry.log_id, batch, true),
                    outcomes: &outcomes.0,
                });
            }
            tracing::trace!(group = self.group, index = applied.index, "applied");
            self.applied.publish(applied);
            if let Some(responder) = responder {
                responder.send(outcomes);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let inner = self.replica.lock();
        Builder {
            group: self.group,
            meta: SnapshotMeta {
                last_log_id: match probes::planted(Bug::SnapshotBehindItsState) {
                    true => inner.last.map(one_before),
                    false => inner.last,
                },
                last_membership: inner.membership.clone(),
            },
            frozen: Some(inner.machine.freeze()),
            snapshots: self.snapshots.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        parts: Vec<Bytes>,
    ) -> Result<(), io::Error> {
        // Durable before the log behind it may be forgotten.
        if !probes::planted(Bug::InstalledSnapshotNotSaved) {
            self.snapshots.save(meta, parts.clone()).await?;
        }
        let applied = {
            let mut inner = self.replica.lock();
            inner.machine.restore(parts).map_err(io::Error::other)?;
            inner.last = meta.last_log_id;
            inner.membership = meta.last_membership.clone();
            inner.applied()
        };
        probes::reached(probes::Mark::SnapshotInstalled);
        if let Some(witness) = &self.witness {
            witness.restored(Restoration {
                group: self.group,
                index: applied.index,
                at_start: false,
                digest: &|| self.replica.digest().1,
            });
        }
        tracing::info!(
            group = self.group,
            index = applied.index,
            "installed a snapshot"
        );
        self.applied.publish(applied);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.snapshots.load().await.map_err(io::Error::other)
    }
}

/// A machine's state, taken at one index, to be written while the machine goes on.
pub struct Builder {
    group: u32,
    meta: SnapshotMeta,
    frozen: Option<Frozen>,
    snapshots: SnapshotStore,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Vec<Bytes>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let frozen = self
            .frozen
            .take()
            .expect("openraft builds with a builder once");
        // On a thread of its own: it takes as long as everything else a node does in some milliseconds.
        let parts = UsherRuntime::spawn_blocking(frozen).await?;
        if probes::planted(Bug::SnapshotAnnouncedEarly) {
            let (snapshots, meta, parts) =
                (self.snapshots.clone(), self.meta.clone(), parts.clone());
            tokio::spawn(async move { snapshots.save(&meta, parts).await });
        } else {
            self.snapshots.save(&self.meta, parts.clone()).await?;
        }
        tracing::info!(
            group = self.group,
            index = index_of(&self.meta.last_log_id),
            "built a snapshot"
        );
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: parts,
        })
    }
}

/// What the planted [`Bug::SnapshotBehindItsState`] says.
fn one_before(id: LogId) -> LogId {
    let term = id.committed_leader_id().term;
    LogId::new_term_index(term, id.index().saturating_sub(1))
}

/// The index of a log id, 0 for none.
pub(crate) fn index_of(id: &Option<LogId>) -> u64 {
    id.as_ref().map_or(0, |id| id.index())
}
