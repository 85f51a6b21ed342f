//! The one task that writes the log: it takes everything queued, writes it with one write, syncs
//! once, and completes all callbacks in order. Between batches it gives back segments nothing
//! lives in, and moves the few entries of an idle group out of the oldest segment, so that one
//! quiet group cannot hold back the disk of a busy node.
//!
//! Its mirror of each group says what the *written* log says (memory may be ahead): checkpoints
//! are taken from the mirror.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};

use super::record::{ALIGN_BYTES, EntryId, FRAME_BYTES, Place, Record};
use super::recover::{OpenSegment, Recovered};
use super::segment::{self, HEADER_BYTES, Header};
use super::{Completion, SharedLogs, WalCounters, closed, locked};
use crate::platform::Disk;
use crate::storage::StorageOptions;
use crate::storage::error::StorageError;
use crate::storage::group_log::GroupLog;
use crate::storage::identity::Identity;

/// Payload bytes after which a batch is written though more is queued.
const BATCH_BYTES: usize = 4 << 20;
/// Segments kept to be used again; more are removed.
const SPARES_MAX: usize = 2;
/// Files are whole multiples of this.
const BLOCK_BYTES: usize = 4096;
/// Bytes zeroed by one write.
const ZERO_CHUNK_BYTES: usize = 1 << 20;

/// What the writer is asked for.
pub(crate) enum Request {
    /// Write these, in this order; with `durable`, sync before calling `done`.
    Write {
        group: u32,
        records: Vec<Record>,
        durable: bool,
        done: Option<Completion>,
    },
    /// Write what came before, stop, and say so.
    Stop(oneshot::Sender<()>),
}

/// Where an entry lives.
#[derive(Clone, Copy, Debug)]
struct Slot {
    segment: u64,
    term: u64,
}

/// What is known of a segment.
#[derive(Clone, Copy, Debug)]
struct Usage {
    size: u64,
    /// Entries in it that are neither purged, nor cut off, nor rewritten.
    live: u64,
}

/// See the module.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    identity: Identity,
    segment_bytes: usize,
    segments_before_rewrite: usize,
    counters: Arc<WalCounters>,
    /// What readers see; the source of rewritten entries.
    logs: SharedLogs,
    mirror: BTreeMap<u32, GroupLog<Slot>>,
    segments: BTreeMap<u64, Usage>,
    spares: Vec<u64>,
    open: OpenSegment,
    /// Everything before this offset of the open segment is durable.
    synced: u32,
    /// Records not yet written, to go to `open.written`.
    buffer: BytesMut,
    rotated: bool,
}

impl Writer {
    /// Goes on where `recovered` ends, beginning a segment when there is none to go on in.
    pub(crate) async fn start(
        disk: Arc<dyn Disk>,
        identity: Identity,
        options: &StorageOptions,
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
                    .live += 1;
            }
            mirror.insert(
                *group,
                log.map(|found| Slot {
                    segment: found.segment,
                    term: found.term,
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
                let open = place
                    .begin(sequence, &mirror, 0, spares.pop())
                    .await
                    .map_err(StorageError::io("begin", &segment::path(sequence)))?;
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
            counters,
            logs,
            mirror,
            segments,
            spares,
            synced: open.written,
            open,
            buffer: BytesMut::new(),
            rotated: false,
        };
        writer.retire_dead_segments().await;
        writer.prepare_spare().await;
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
        while stop.is_none()
            && let Some(first) = queue.next().await
        {
            let (batch, stopped) = gather(first, &mut queue);
            stop = stopped;
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
            if failed.is_none()
                && let Err(error) = self.keep_house().await
            {
                failed = Some(give_up(&error));
            }
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
                durable: wanted,
                done,
            } = request
            {
                durable |= wanted;
                completions.extend(done);
                writes.push((group, records));
            }
        }
        // Of several commit marks of a group only the last says anything.
        let mut committed = BTreeMap::new();
        for (group, records) in writes {
            for record in records {
                match record {
                    Record::Committed(id) => {
                        committed.insert(group, id);
                    }
                    record => self.put(group, record).await?,
                }
            }
        }
        for (group, id) in committed {
            self.put(group, Record::Committed(id)).await?;
        }
        self.flush(durable).await
    }

    /// Puts a record into the buffer, beginning a new segment when it does not fit.
    async fn put(&mut self, group: u32, record: Record) -> io::Result<()> {
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
        let mut gone = Default::default();
        match record {
            Record::Entry { id, .. } => {
                log.append(
                    *id,
                    Slot {
                        segment,
                        term: id.term,
                    },
                )
                .map_err(io::Error::other)?;
                self.segments
                    .entry(segment)
                    .and_modify(|usage| usage.live += 1);
            }
            Record::Rewrite { id, .. } => {
                if let Some(slot) = log.get_mut(id.index) {
                    gone = [std::mem::replace(
                        slot,
                        Slot {
                            segment,
                            term: id.term,
                        },
                    )]
                    .into();
                    self.segments
                        .entry(segment)
                        .and_modify(|usage| usage.live += 1);
                }
            }
            Record::Vote(vote) => log.vote = Some(*vote),
            Record::Truncate(after) => gone = log.truncate_after(*after),
            Record::Purge(upto) => gone = log.purge(*upto),
            Record::Committed(id) => log.committed = *id,
            Record::Checkpoint(_) | Record::Synced | Record::Sealed => {}
        }
        for slot in gone {
            self.segments
                .entry(slot.segment)
                .and_modify(|usage| usage.live -= 1);
        }
        Ok(())
    }

    /// Writes the buffer; with `durable`, syncs, and leaves a mark that says so.
    async fn flush(&mut self, durable: bool) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let bytes = self.buffer.split().freeze();
            let count = u32::try_from(bytes.len()).expect("the buffer is smaller than the segment");
            self.open
                .file
                .write_at(u64::from(self.open.written), bytes)
                .await?;
            self.open.written += count;
            self.counters
                .bytes
                .fetch_add(u64::from(count), Ordering::Relaxed);
        }
        if durable {
            self.open.file.sync().await?;
            self.counters.syncs.fetch_add(1, Ordering::Relaxed);
            self.synced = self.open.written;
            self.mark_synced().await?;
        }
        Ok(())
    }

    /// Notes behind the last record that all before it is durable: without the mark, damage in
    /// the last batch would look like a torn write. Not synced, and overwritten by what comes next.
    async fn mark_synced(&mut self) -> io::Result<()> {
        if (self.open.written as usize) + FRAME_BYTES > self.open.size as usize {
            return Ok(());
        }
        let mut mark = BytesMut::with_capacity(FRAME_BYTES);
        Record::Synced.encode(0, self.place(), self.synced, &mut mark);
        self.open
            .file
            .write_at(u64::from(self.open.written), mark.freeze())
            .await
    }

    /// Seals the open segment, durably, and begins the next, with room for `first_bytes`.
    async fn rotate(&mut self, first_bytes: usize) -> io::Result<()> {
        Record::Sealed.encode(0, self.place(), self.synced, &mut self.buffer);
        self.flush(true).await?;
        let sequence = self.open.sequence + 1;
        let spare = self.spares.pop();
        let place = Preparation {
            disk: &*self.disk,
            identity: self.identity,
            segment_bytes: self.segment_bytes,
        };
        self.open = place
            .begin(sequence, &self.mirror, first_bytes, spare)
            .await?;
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

    /// What can wait until nobody waits. A failure to give back or to prepare a file costs space,
    /// not promises; a failed rewrite is a failed write like any other.
    async fn keep_house(&mut self) -> io::Result<()> {
        self.retire_dead_segments().await;
        if std::mem::take(&mut self.rotated) {
            self.rewrite_oldest().await?;
            self.retire_dead_segments().await;
            self.prepare_spare().await;
            // A rewrite may itself have begun a segment; that is no reason for another one.
            self.rotated = false;
        }
        Ok(())
    }

    /// Gives back the oldest segments nothing lives in. One at a time, each durably: a hole in
    /// the sequence would look like a lost file, and a spare must have lost its old name before
    /// its contents change.
    async fn retire_dead_segments(&mut self) {
        if self.synced != self.open.written {
            // The purge that killed a segment may not be durable yet.
            return;
        }
        while let Some((sequence, usage)) = self
            .segments
            .first_key_value()
            .map(|(sequence, usage)| (*sequence, *usage))
        {
            if usage.live > 0 || sequence == self.open.sequence {
                return;
            }
            if let Err(error) = self.retire(sequence, usage).await {
                tracing::warn!(%error, segment = sequence, "cannot give back a log segment");
                return;
            }
            self.segments.remove(&sequence);
        }
    }

    async fn retire(&mut self, sequence: u64, usage: Usage) -> io::Result<()> {
        let path = segment::path(sequence);
        let reusable = usage.size == self.segment_bytes as u64 && self.spares.len() < SPARES_MAX;
        if reusable {
            self.disk
                .rename(&path, &segment::spare_path(sequence))
                .await?;
        } else {
            self.disk.remove(&path).await?;
        }
        self.disk.sync_dir(segment::DIRECTORY).await?;
        if reusable {
            self.spares.push(sequence);
        }
        Ok(())
    }

    /// Sees to it that the next segment is there before it is needed.
    async fn prepare_spare(&mut self) {
        if !self.spares.is_empty() {
            return;
        }
        // Unique: segments of smaller numbers are in use or were spares before.
        let number = self.open.sequence + 1;
        let place = Preparation {
            disk: &*self.disk,
            identity: self.identity,
            segment_bytes: self.segment_bytes,
        };
        match place.zeroed(number, self.segment_bytes).await {
            Ok(_) => self.spares.push(number),
            Err(error) => tracing::warn!(%error, "cannot prepare the next log segment"),
        }
    }

    /// Writes the few living entries of the oldest segment again, when the log has grown long.
    async fn rewrite_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.keys().next().copied() else {
            return Ok(());
        };
        if self.segments.len() <= self.segments_before_rewrite || oldest == self.open.sequence {
            return Ok(());
        }
        let mut moved = Vec::new();
        let mut bytes = 0;
        for (group, mirror) in &self.mirror {
            let Some(memory) = locked(&self.logs).get(group).cloned() else {
                continue;
            };
            let memory = locked(&memory);
            for (index, slot) in mirror.items().filter(|(_, slot)| slot.segment == oldest) {
                // In memory it may be cut off or purged already; then its segment waits for that.
                let Some(entry) = memory.get(index).filter(|entry| entry.term == slot.term) else {
                    continue;
                };
                bytes += entry.payload.len();
                let id = EntryId {
                    term: entry.term,
                    index,
                };
                moved.push((
                    *group,
                    Record::Rewrite {
                        id,
                        payload: entry.payload.clone(),
                    },
                ));
            }
        }
        if bytes > self.segment_bytes / 4 {
            // Not an idle group's leftovers but a log in use, waiting for its snapshot.
            return Ok(());
        }
        for (group, record) in moved {
            self.put(group, record).await?;
        }
        self.flush(true).await
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

/// Making of segments.
struct Preparation<'a> {
    disk: &'a dyn Disk,
    identity: Identity,
    segment_bytes: usize,
}

impl Preparation<'_> {
    /// Keeps the spares that have the size in use, removes the others.
    async fn usable_spares(&self, found: Vec<u64>) -> Result<Vec<u64>, StorageError> {
        let mut kept = Vec::new();
        for number in found {
            let path = segment::spare_path(number);
            let file = self
                .disk
                .open(&path, false)
                .await
                .map_err(StorageError::io("open", &path))?;
            let length = file
                .len()
                .await
                .map_err(StorageError::io("measure", &path))?;
            if length == self.segment_bytes as u64 && kept.len() < SPARES_MAX {
                kept.push(number);
            } else {
                self.disk
                    .remove(&path)
                    .await
                    .map_err(StorageError::io("remove", &path))?;
            }
        }
        Ok(kept)
    }

    /// A file of zeros, durable: writing into it later changes no metadata, so a sync is one write.
    async fn zeroed(
        &self,
        number: u64,
        size: usize,
    ) -> io::Result<Arc<dyn crate::platform::disk::File>> {
        let file = self.disk.open(&segment::spare_path(number), true).await?;
        file.set_len(0).await?;
        let mut at = 0;
        while at < size {
            let count = ZERO_CHUNK_BYTES.min(size - at);
            file.write_at(at as u64, Bytes::from(vec![0; count]))
                .await?;
            at += count;
        }
        file.sync().await?;
        Ok(file)
    }

    /// Begins a segment: header and checkpoints durable first, then its name.
    async fn begin(
        &self,
        sequence: u64,
        mirror: &BTreeMap<u32, GroupLog<Slot>>,
        first_bytes: usize,
        spare: Option<u64>,
    ) -> io::Result<OpenSegment> {
        let mut head = BytesMut::zeroed(HEADER_BYTES);
        for (group, log) in mirror {
            let offset = u32::try_from(head.len())
                .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
            Record::Checkpoint(log.checkpoint()).encode(
                *group,
                Place {
                    segment: sequence,
                    offset,
                },
                0,
                &mut head,
            );
        }
        debug_assert_eq!(head.len() % ALIGN_BYTES, 0, "records are padded");
        // Never so full of checkpoints that the first record, the seal and the mark have no room.
        let least = (head.len() + first_bytes + 2 * FRAME_BYTES).next_multiple_of(BLOCK_BYTES);
        let size = self.segment_bytes.max(least);
        let too_large = |_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "an entry is larger than a log segment can be",
            )
        };
        let size = u32::try_from(size).map_err(too_large)?;
        let head_bytes = u32::try_from(head.len()).map_err(too_large)?;
        let header = Header {
            sequence,
            identity: self.identity,
            size: u64::from(size),
            head_bytes,
        };
        head[..HEADER_BYTES].copy_from_slice(&header.encode());

        let (number, file) = match spare {
            Some(number) if size as usize == self.segment_bytes => (
                number,
                self.disk.open(&segment::spare_path(number), false).await?,
            ),
            // The spare does not fit; making it anew under the same number keeps the count.
            Some(number) => (number, self.zeroed(number, size as usize).await?),
            None => (sequence, self.zeroed(sequence, size as usize).await?),
        };
        file.write_at(0, head.freeze()).await?;
        file.sync().await?;
        self.disk
            .rename(&segment::spare_path(number), &segment::path(sequence))
            .await?;
        self.disk.sync_dir(segment::DIRECTORY).await?;
        Ok(OpenSegment {
            file,
            sequence,
            size,
            written: head_bytes,
        })
    }
}
