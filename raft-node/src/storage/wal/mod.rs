//! The write-ahead log: one sequence of segments for all groups of a node, so that one `fsync`
//! makes votes and entries of many groups durable at once (P3).
//!
//! ```text
//!  GroupWal (one a group) ─┐  memory: readable at once
//!  GroupWal ───────────────┼─► queue ─► Writer: everything queued ─► one write, one sync ─► all callbacks
//!  GroupWal ───────────────┘
//!
//!  wal/…04.seg  sealed      wal/…05.seg  open            wal/…01.spare  to be used again
//!  ├ header ┼ a checkpoint a group ┼ records …
//! ```
//!
//! Invariants: nothing is acknowledged before a sync that covers it; votes and entries become
//! durable in the order in which they were given; after a failed write or sync nothing is ever
//! acknowledged again (the kernel may have dropped the pages, and a second `fsync` would lie).
//! A write that finds no room has not failed: it waits (see [`super::room`]). Segments are made of
//! zeros before they are used, and one is kept ready, so that a full disk still takes votes and what
//! a leader sends for a while.
//!
//! Reads never touch the disk: entries from the purge point on are held in memory.

mod housekeeping;
mod prepare;
pub(crate) mod record;
pub(crate) mod recover;
pub(crate) mod segment;
pub(crate) mod writer;

use std::collections::BTreeMap;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use probes::Bug;

use self::record::{EntryId, Record, Vote};
use self::recover::Recovered;
use self::writer::{Request, Writer};
use super::StorageOptions;
use super::error::StorageError;
use super::group_log::GroupLog;
use super::identity::Identity;
use super::room::Room;
use crate::platform::Platform;
use crate::watch;

/// Called once, when what it belongs to is durable or never will be.
pub(crate) type Completion = Box<dyn FnOnce(io::Result<()>) + Send>;

/// What the log has done since it was opened.
#[derive(Debug, Default)]
pub struct WalCounters {
    syncs: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    asked: AtomicU64,
    done: AtomicU64,
}

impl WalCounters {
    /// Requests made of the writer, and those it is done with.
    pub fn requests(&self) -> (u64, u64) {
        // In this order: one that is done was asked for.
        let done = self.done.load(Ordering::Relaxed);
        (self.asked.load(Ordering::Relaxed), done)
    }

    /// Times a segment was made durable.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Records written, of all kinds.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Bytes of records written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// An entry in memory.
#[derive(Clone, Debug)]
pub(crate) struct MemoryEntry {
    pub(crate) term: u64,
    pub(crate) payload: Bytes,
}

/// One group's log in memory. It may run ahead of the disk, never behind it.
pub(crate) type SharedLog = Arc<MemoryLog>;

/// See [`SharedLog`].
pub(crate) struct MemoryLog {
    log: Mutex<GroupLog<MemoryEntry>>,
    /// Index of the last entry appended by this process; 0 before the first.
    appended: watch::Sender<u64>,
}

impl MemoryLog {
    fn new(log: GroupLog<MemoryEntry>) -> Self {
        Self {
            log: Mutex::new(log),
            appended: watch::channel(0).0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, GroupLog<MemoryEntry>> {
        locked(&self.log)
    }

    /// How far the group is known to have committed.
    pub(crate) fn committed(&self) -> Option<EntryId> {
        self.lock().committed
    }

    /// One entry, as long as it is held.
    pub(crate) fn entry(&self, index: u64) -> Option<MemoryEntry> {
        self.lock().get(index).cloned()
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new(GroupLog::default())
    }
}

/// All groups' logs in memory.
pub(crate) type SharedLogs = Arc<Mutex<BTreeMap<u32, SharedLog>>>;

/// Locks; a poisoned lock means another thread panicked in the middle of a change, and a replica
/// that may be half-changed must stop.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code panics while it holds a log")
}

/// The open log of a node.
pub(crate) struct Wal {
    requests: mpsc::UnboundedSender<Request>,
    logs: SharedLogs,
    counters: Arc<WalCounters>,
}

impl Wal {
    /// Goes on where `recovered` ends. `lock` is held until the writer has finished.
    pub(crate) async fn start(
        platform: &Platform,
        identity: Identity,
        options: &StorageOptions,
        room: &Arc<Room>,
        recovered: Recovered,
        lock: Box<dyn Send + Sync>,
    ) -> Result<Self, StorageError> {
        let logs: BTreeMap<u32, SharedLog> = recovered
            .groups
            .iter()
            .map(|(group, log)| {
                let log = log.map(|found| MemoryEntry {
                    term: found.term,
                    payload: found.payload.clone(),
                });
                (*group, Arc::new(MemoryLog::new(log)))
            })
            .collect();
        let logs = Arc::new(Mutex::new(logs));
        let counters = Arc::new(WalCounters::default());
        let writer = Writer::start(
            platform.disk.clone(),
            identity,
            options,
            room.clone(),
            recovered,
            logs.clone(),
            counters.clone(),
        )
        .await?;
        let (requests, queue) = mpsc::unbounded();
        platform
            .spawner
            .spawn_io("wal", Box::pin(writer.run(queue, lock)));
        Ok(Self {
            requests,
            logs,
            counters,
        })
    }

    /// The log of one group; an empty one when it has none yet.
    pub(crate) fn group(&self, group: u32) -> GroupWal {
        let log = locked(&self.logs).entry(group).or_default().clone();
        GroupWal {
            group,
            log,
            requests: self.requests.clone(),
            counters: self.counters.clone(),
        }
    }

    /// Whether no group has a vote, an entry, or anything that was purged.
    pub(crate) fn is_blank(&self) -> bool {
        let logs = locked(&self.logs);
        logs.values().all(|log| {
            let log = log.lock();
            log.vote.is_none() && log.last.is_none() && log.purged.is_none()
        })
    }

    /// What was written so far.
    pub(crate) fn counters(&self) -> Arc<WalCounters> {
        self.counters.clone()
    }

    /// Writes what is queued, stops the writer and gives the directory free.
    pub(crate) async fn close(self) {
        let (done, stopped) = oneshot::channel();
        if self.requests.unbounded_send(Request::Stop(done)).is_ok() {
            // An error means that the writer is gone already.
            let _gone = stopped.await;
        }
    }
}

/// One group's view of the log.
#[derive(Clone)]
pub(crate) struct GroupWal {
    group: u32,
    log: SharedLog,
    requests: mpsc::UnboundedSender<Request>,
    counters: Arc<WalCounters>,
}

impl GroupWal {
    /// The durable vote.
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.log.lock().vote
    }

    /// Purge point and last entry.
    pub(crate) fn bounds(&self) -> (Option<EntryId>, Option<EntryId>) {
        let log = self.log.lock();
        (log.purged, log.last)
    }

    /// How far the group was known to have committed.
    pub(crate) fn committed(&self) -> Option<EntryId> {
        self.log.committed()
    }

    /// The entries of `range` that the log holds, up to `bytes_max` (but at least one).
    pub(crate) fn read(
        &self,
        range: impl RangeBounds<u64>,
        bytes_max: usize,
    ) -> Vec<(EntryId, Bytes)> {
        let log = self.log.lock();
        let from = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => index.saturating_add(1),
            Bound::Excluded(index) => *index,
            Bound::Unbounded => u64::MAX,
        };
        let mut bytes = 0;
        let mut read = Vec::new();
        for index in from.max(log.first())..to.min(log.end()) {
            let Some(entry) = log.get(index) else { break };
            bytes += entry.payload.len();
            if bytes > bytes_max && !read.is_empty() {
                break;
            }
            read.push((
                EntryId {
                    term: entry.term,
                    index,
                },
                entry.payload.clone(),
            ));
        }
        read
    }

    /// Makes a vote durable.
    pub(crate) async fn save_vote(&self, vote: Vote) -> io::Result<()> {
        let (done, saved) = completion();
        let unwritten = probes::planted(Bug::VoteNotWritten);
        if unwritten || probes::planted(Bug::VoteSavedAfterReply) {
            if !unwritten {
                self.send(vec![Record::Vote(vote)], None, true, None);
            }
            self.log.lock().vote = Some(vote);
            return Ok(());
        }
        let durable = !probes::planted(Bug::VoteNotSynced);
        self.send(vec![Record::Vote(vote)], None, durable, Some(done));
        saved.await.unwrap_or_else(|_| Err(closed()))?;
        self.log.lock().vote = Some(vote);
        Ok(())
    }

    /// Appends entries: readable on return, durable when `done` is called.
    pub(crate) fn append(
        &self,
        entries: Vec<(EntryId, Bytes)>,
        done: Completion,
    ) -> io::Result<()> {
        let mut log = self.log.lock();
        let mut records = Vec::with_capacity(entries.len());
        for (id, payload) in entries {
            log.append(
                id,
                MemoryEntry {
                    term: id.term,
                    payload: payload.clone(),
                },
            )
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            records.push(Record::Entry { id, payload });
        }
        let last = log.last.map_or(0, |last| last.index);
        // Sent under the lock: the queue has the order the memory has.
        if probes::planted(Bug::AppendAcknowledgedEarly) {
            self.send(records, log.committed, true, None);
            done(Ok(()));
        } else {
            self.send(records, log.committed, true, Some(done));
        }
        drop(log);
        self.log.appended.publish(last);
        Ok(())
    }

    /// Waits until everything that was sent before this is durable.
    pub(crate) async fn synced(&self) -> io::Result<()> {
        let (done, synced) = completion();
        self.send(Vec::new(), None, true, Some(done));
        synced.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Cuts off everything behind `after`; durable before any later append is.
    pub(crate) fn truncate_after(&self, after: Option<EntryId>) {
        let mut log = self.log.lock();
        let cut = log.truncate_after(after);
        if !cut.is_empty() && !probes::planted(Bug::TruncateForgotten) {
            self.send(vec![Record::Truncate(after)], None, false, None);
        }
    }

    /// Forgets everything up to `upto`, which a durable snapshot covers.
    pub(crate) fn purge(&self, upto: EntryId) {
        let mut log = self.log.lock();
        log.purge(upto);
        self.send(vec![Record::Purge(upto)], log.committed, false, None);
    }

    /// Notes how far the group has committed. Nobody is woken for it: the writer takes the newest
    /// mark along with what it writes next, and at the end.
    pub(crate) fn save_committed(&self, committed: Option<EntryId>) {
        self.log.lock().committed = committed;
    }

    /// Index of the last entry appended by this process, as it grows.
    pub(crate) fn appended(&self) -> watch::Receiver<u64> {
        self.log.appended.receiver()
    }

    fn send(
        &self,
        records: Vec<Record>,
        committed: Option<EntryId>,
        durable: bool,
        done: Option<Completion>,
    ) {
        let request = Request::Write {
            group: self.group,
            records,
            committed,
            durable,
            done,
        };
        self.counters.asked.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = self.requests.unbounded_send(request)
            && let Request::Write {
                done: Some(done), ..
            } = refused.into_inner()
        {
            done(Err(closed()));
        }
    }
}

/// A callback, and what waits for it.
fn completion() -> (Completion, oneshot::Receiver<io::Result<()>>) {
    let (done, waits) = oneshot::channel();
    let done: Completion = Box::new(move |result| {
        // Nobody waits any more: the caller was dropped, and with it the promise to act on.
        let _dropped = done.send(result);
    });
    (done, waits)
}

/// What is answered once the log is closed.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the log is closed")
}
