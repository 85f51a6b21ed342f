//! The one task that writes the log: it takes everything queued, writes it with one write, syncs
//! once, and completes all callbacks in order. What can wait is done between batches (see
//! [`super::housekeeping`]).
//!
//! Its mirror of each group says what the *written* log says (memory may be ahead): checkpoints
//! are taken from the mirror.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use probes::Bug;

use super::prepare::{Preparation, Unfinished};
use super::record::{EntryId, FRAME_BYTES, Place, Record};
use super::recover::{OpenSegment, Recovered};
use super::segment;
use super::{Completion, SharedLogs, WalCounters, closed, locked};
use crate::platform::Disk;
use crate::storage::StorageOptions;
use crate::storage::error::StorageError;
use crate::storage::group_log::GroupLog;
use crate::storage::identity::Identity;
use crate::storage::room::Room;

/// Payload bytes after which a batch is written though more is queued.
const BATCH_BYTES: usize = 4 << 20;

/// What the writer is asked for.
pub(crate) enum Request {
    /// Write these, in this order; with `durable`, sync before calling `done`.
    Write {
        group: u32,
        records: Vec<Record>,
        /// How far the group was known to have committed when this was asked for; `None` when
        /// nobody looked. Carried along, so that the writer need not wait for the group's lock.
        committed: Option<EntryId>,
        durable: bool,
        done: Option<Completion>,
    },
    /// Write what came before, stop, and say so.
    Stop(oneshot::Sender<()>),
}

/// What a writer does next.
enum Next {
    Request(Option<Request>),
    Beat,
}

/// Where an entry lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) segment: u64,
    pub(super) term: u64,
    /// Size of its record.
    pub(super) bytes: u64,
}

/// What is known of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Size of the file.
    pub(super) size: u64,
    /// Bytes of entries in it that are neither purged, nor cut off, nor rewritten.
    pub(super) live: u64,
}

/// See the module.
pub(crate) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) identity: Identity,
    pub(super) segment_bytes: usize,
    pub(super) segments_before_rewrite: usize,
    pub(super) room: Arc<Room>,
    pub(super) counters: Arc<WalCounters>,
    /// What readers see; the source of rewritten entries.
    pub(super) logs: SharedLogs,
    pub(super) mirror: BTreeMap<u32, GroupLog<Slot>>,
    pub(super) segments: BTreeMap<u64, Usage>,
    pub(super) spares: Vec<u64>,
    /// The next spare, while there is none.
    pub(super) unfinished: Option<Unfinished>,
    pub(super) open: OpenSegment,
    /// Everything before this offset of the open segment is durable.
    pub(super) synced: u32,
    /// Records not yet written, to go to `open.written`.
    pub(super) buffer: BytesMut,
    pub(super) rotated: bool,
}

impl Writer {
    /// Goes on where `recovered` ends, beginning a segment when there is none to go on in.
    pub(crate) async fn start(
        disk: Arc<dyn Disk>,
        identity: Identity,
        options: &StorageOptions,
        room: Arc<Room>,
        recovered: Recovered,
        logs: SharedLogs,
        counters: Arc<WalCounters>,
    ) -> Result<Self, StorageError> {
        let mut segments: BTreeMap<u64, Usage> = recovered
            .segments
            .iter()
            .map(|(sequence, size)| {
                (
                    *sequence,
                    Usage {
                        size: *size,
                        live: 0,
                    },
                )
            })
            .collect();
        let mut mirror = BTreeMap::new();
        for (group, log) in &recovered.groups {
            for (_, found) in log.items() {
                segments
                    .get_mut(&found.segment)
                    .expect("recovery names only segments it read")
                    .live += found.bytes();
            }
            mirror.insert(
                *group,
                log.map(|found| Slot {
                    segment: found.segment,
                    term: found.term,
                    bytes: found.bytes(),
                }),
            );
        }
        let place = Preparation {
            disk: &*disk,
            identity,
            segment_bytes: options.segment_bytes,
        };
        let mut spares = place.usable_spares(recovered.spares).await?;
        let open = match recovered.open {
            Some(open) => open,
            None => {
                let sequence = recovered
                    .segments
                    .last()
                    .map_or(1, |(sequence, _)| sequence + 1);
                let spare = spares.pop();
                let begun = room
                    .insist(|| place.begin(sequence, &mirror, 0, spare))
                    .await;
                let open = begun.map_err(StorageError::io("begin", &segment::path(sequence)))?;
                segments.insert(
                    sequence,
                    Usage {
                        size: u64::from(open.size),
                        live: 0,
                    },
                );
                open
            }
        };
        let mut writer = Self {
            disk,
            identity,
            segment_bytes: options.segment_bytes,
            segments_before_rewrite: options.segments_before_rewrite,
            room,
            counters,
            logs,
            mirror,
            segments,
            spares,
            unfinished: None,
            synced: open.written,
            open,
            buffer: BytesMut::new(),
            rotated: false,
        };
        // Recovery synced what it found; from here on damage to it can be told from a torn tail.
        let marked = writer.mark_synced().await;
        marked.map_err(StorageError::io("write", segment::DIRECTORY))?;
        writer.retire_dead_segments().await;
        writer.finish_spare().await;
        Ok(writer)
    }

    /// Serves requests until told to stop, or until nobody can make any. `lock` is the
    /// directory's; it is given free at the very end.
    pub(crate) async fn run(
        mut self,
        mut queue: mpsc::UnboundedReceiver<Request>,
        lock: Box<dyn Send + Sync>,
    ) {
        let mut failed: Option<(io::ErrorKind, String)> = None;
        let mut stop = None;
        while stop.is_none() {
            let first = match self.next(&mut queue).await {
                Next::Request(Some(first)) => first,
                Next::Request(None) => break,
                Next::Beat => {
                    match failed {
                        None => self.go_on_with_spare().await,
                        Some(_) => self.unfinished = None,
                    }
                    continue;
                }
            };
            let (batch, stopped) = gather(first, &mut queue);
            stop = stopped;
            let count = batch.len() as u64;
            let mut completions = Vec::new();
            if failed.is_none() {
                if let Err(error) = self.write_batch(batch, &mut completions).await {
                    failed = Some(give_up(&error));
                }
            } else {
                completions.extend(batch.into_iter().filter_map(completion));
            }
            for done in completions {
                done(match &failed {
                    None => Ok(()),
                    Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
                });
            }
            self.counters.done.fetch_add(count, Ordering::Relaxed);
            if failed.is_none()
                && let Err(error) = self.keep_house().await
            {
                failed = Some(give_up(&error));
            }
        }
        if failed.is_none()
            && let Err(error) = self.write_last_marks().await
        {
            // Nothing that was acknowledged is at stake: only marks nobody waits for.
            tracing::warn!(%error, "the last marks of the log are not durable");
        }
        queue.close();
        while let Ok(request) = queue.try_recv() {
            if let Some(done) = completion(request) {
                done(Err(closed()));
            }
        }
        drop(self);
        drop(lock);
        if let Some(stop) = stop {
            // Whoever asked may have left; the log is closed all the same.
            let _left = stop.send(());
        }
    }

    /// The next request; or a beat, while there is no segment to go on in, or nothing better to do than
    /// to make one.
    async fn next(&self, queue: &mut mpsc::UnboundedReceiver<Request>) -> Next {
        if self.unfinished.is_some() {
            return match queue.next().now_or_never() {
                Some(request) => Next::Request(request),
                None => Next::Beat,
            };
        }
        if !self.room.lacks_spare() {
            return Next::Request(queue.next().await);
        }
        let beat = std::pin::pin!(self.room.beat());
        match select(queue.next(), beat).await {
            Either::Left((request, _)) => Next::Request(request),
            Either::Right(_) => Next::Beat,
        }
    }

    async fn write_last_marks(&mut self) -> io::Result<()> {
        let logs: Vec<_> = locked(&self.logs)
            .iter()
            .map(|(group, log)| (*group, log.committed()))
            .collect();
        for (group, committed) in logs {
            if let Some(committed) = committed {
                self.put_committed(group, committed).await?;
            }
        }
        let news = !self.buffer.is_empty() || self.synced != self.open.written;
        self.flush(news).await
    }

    /// Writes a batch. Completions are handed out also when it fails.
    async fn write_batch(
        &mut self,
        batch: Vec<Request>,
        completions: &mut Vec<Completion>,
    ) -> io::Result<()> {
        let mut durable = false;
        let mut writes = Vec::with_capacity(batch.len());
        for request in batch {
            if let Request::Write {
                group,
                records,
                committed,
                durable: wanted,
                done,
            } = request
            {
                durable |= wanted;
                completions.extend(done);
                writes.push((group, records, committed));
            }
        }
        // Of several marks of a group only the last says anything.
        let mut marks = BTreeMap::new();
        for (group, records, committed) in writes {
            for record in records {
                self.put(group, record).await?;
            }
            marks.extend(committed.map(|committed| (group, committed)));
        }
        for (group, committed) in marks {
            self.put_committed(group, committed).await?;
        }
        self.flush(durable).await
    }

    /// Marks how far a group has committed, where that is news and this log has all of it.
    async fn put_committed(&mut self, group: u32, known: EntryId) -> io::Result<()> {
        let Some(written) = self.mirror.get(&group) else {
            return Ok(());
        };
        // A quorum may hold what this node has yet to write.
        let covered = written.last.is_some_and(|last| last.index >= known.index);
        if written.committed == Some(known) || !covered {
            return Ok(());
        }
        self.put(group, Record::Committed(Some(known))).await
    }

    /// Puts a record into the buffer, beginning a new segment when it does not fit.
    pub(super) async fn put(&mut self, group: u32, record: Record) -> io::Result<()> {
        let size = record.size();
        // Room for the seal is always left.
        if self.open.written as usize + self.buffer.len() + size + FRAME_BYTES
            > self.open.size as usize
        {
            self.rotate(size).await?;
        }
        record.encode(group, self.place(), self.synced, &mut self.buffer);
        self.counters.records.fetch_add(1, Ordering::Relaxed);
        self.reflect(group, &record)
    }

    pub(super) fn preparation(&self) -> Preparation<'_> {
        Preparation {
            disk: &*self.disk,
            identity: self.identity,
            segment_bytes: self.segment_bytes,
        }
    }

    fn place(&self) -> Place {
        let buffered =
            u32::try_from(self.buffer.len()).expect("the buffer is smaller than the segment");
        Place {
            segment: self.open.sequence,
            offset: self.open.written + buffered,
        }
    }

    /// Changes the mirror as the record says.
    fn reflect(&mut self, group: u32, record: &Record) -> io::Result<()> {
        let log = self.mirror.entry(group).or_default();
        let segment = self.open.sequence;
        let slot = |id: &EntryId| Slot {
            segment,
            term: id.term,
            bytes: record.size() as u64,
        };
        let mut gone = VecDeque::new();
        let mut come = 0;
        match record {
            Record::Entry { id, .. } => {
                log.append(*id, slot(id)).map_err(io::Error::other)?;
                come = record.size() as u64;
            }
            Record::Rewrite { id, .. } => {
                if let Some(old) = log.get_mut(id.index) {
                    gone = [std::mem::replace(old, slot(id))].into();
                    come = record.size() as u64;
                }
            }
            Record::Vote(vote) => log.vote = Some(*vote),
            Record::Truncate(after) => gone = log.truncate_after(*after),
            Record::Purge(upto) => gone = log.purge(*upto),
            Record::Committed(id) => log.committed = *id,
            Record::Checkpoint(_) | Record::Synced | Record::Sealed => {}
        }
        self.segments
            .entry(segment)
            .and_modify(|usage| usage.live += come);
        for slot in gone {
            self.segments
                .entry(slot.segment)
                .and_modify(|usage| usage.live -= slot.bytes);
        }
        Ok(())
    }

    /// Writes the buffer; with `durable`, syncs, and leaves a mark that says so.
    pub(super) async fn flush(&mut self, durable: bool) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let bytes = self.buffer.split().freeze();
            let count = u32::try_from(bytes.len()).expect("the buffer is smaller than the segment");
            self.write(bytes).await?;
            self.open.written += count;
            self.counters
                .bytes
                .fetch_add(u64::from(count), Ordering::Relaxed);
        }
        if durable && probes::planted(Bug::LogNotSynced) {
            return Ok(());
        }
        if durable {
            let synced = self.open.file.sync().await;
            if synced.is_ok() || !probes::planted(Bug::FailedSyncIgnored) {
                synced?;
            }
            self.counters.syncs.fetch_add(1, Ordering::Relaxed);
            self.synced = self.open.written;
            self.mark_synced().await?;
        }
        Ok(())
    }

    /// Writes at the end of what is written. Without room the same bytes are written again, at the
    /// same place: no sync has spoken of them yet.
    async fn write(&self, bytes: Bytes) -> io::Result<()> {
        let at = u64::from(self.open.written);
        let write = || self.open.file.write_at(at, bytes.clone());
        self.room.insist(write).await
    }

    /// Notes behind the last record that all before it is durable: without the mark, damage in
    /// the last batch would look like a torn write. Not synced, and overwritten by what comes next.
    async fn mark_synced(&mut self) -> io::Result<()> {
        if (self.open.written as usize) + FRAME_BYTES > self.open.size as usize {
            return Ok(());
        }
        let mut mark = BytesMut::with_capacity(FRAME_BYTES);
        Record::Synced.encode(0, self.place(), self.synced, &mut mark);
        self.write(mark.freeze()).await
    }

    /// Seals the open segment, durably, and begins the next, with room for `first_bytes`.
    async fn rotate(&mut self, first_bytes: usize) -> io::Result<()> {
        Record::Sealed.encode(0, self.place(), self.synced, &mut self.buffer);
        self.flush(true).await?;
        let sequence = self.open.sequence + 1;
        if self.unfinished.is_some() {
            // Under this very number: nobody may go on making what has become a segment.
            self.finish_spare().await;
        }
        let spare = self.spares.pop();
        let place = self.preparation();
        let begin = || place.begin(sequence, &self.mirror, first_bytes, spare);
        self.open = self.room.insist(begin).await?;
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.segments.insert(
            sequence,
            Usage {
                size: u64::from(self.open.size),
                live: 0,
            },
        );
        self.synced = self.open.written;
        self.rotated = true;
        Ok(())
    }
}

/// Takes what is queued now, up to a bound.
fn gather(
    first: Request,
    queue: &mut mpsc::UnboundedReceiver<Request>,
) -> (Vec<Request>, Option<oneshot::Sender<()>>) {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(request) = next {
        match request {
            Request::Stop(stop) => return (batch, Some(stop)),
            Request::Write { ref records, .. } => {
                bytes += records.iter().map(Record::size).sum::<usize>();
                batch.push(request);
            }
        }
        next = if bytes < BATCH_BYTES {
            queue.try_recv().ok()
        } else {
            None
        };
    }
    (batch, None)
}

/// The first failure is the last word: what a later sync says about these pages means nothing.
fn give_up(error: &io::Error) -> (io::ErrorKind, String) {
    tracing::error!(%error, "the log cannot be written; this node acknowledges nothing any more");
    (error.kind(), format!("the log cannot be written: {error}"))
}

fn completion(request: Request) -> Option<Completion> {
    match request {
        Request::Write { done, .. } => done,
        Request::Stop(_) => None,
    }
}
