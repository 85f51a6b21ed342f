//! openraft's view of one group's log. Thin: the order of writes, their durability and their
//! recovery are the business of [`super::wal`]; the bytes are that of [`super::codec`].

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;

use bytes::Bytes;
use openraft::entry::RaftEntry;
use openraft::storage::RaftLogStorage;
use openraft::{OptionalSend, RaftLogReader};

use super::codec;
use super::wal::GroupWal;
use super::wal::record::EntryId;
use crate::types::{Entry, IoFlushed, LogId, LogState, TypeConfig, Vote};
use crate::watch;

/// Bytes of payload one replication message carries at most (but at least one entry).
const READ_BYTES_MAX: usize = 1 << 20;

/// One group's log. Clones are views of the same log.
#[derive(Clone)]
pub struct LogStore {
    wal: GroupWal,
}

impl LogStore {
    pub(super) fn new(wal: GroupWal) -> Self {
        Self { wal }
    }

    /// Waits until everything that was appended is durable.
    pub(crate) async fn synced(&self) -> io::Result<()> {
        self.wal.synced().await
    }

    /// Index of the last entry appended by this process, as it grows.
    pub(crate) fn appended(&self) -> watch::Receiver<u64> {
        self.wal.appended()
    }

    /// Entries as the log has them, undecoded.
    pub(crate) fn read_raw(
        &self,
        range: impl RangeBounds<u64>,
        bytes_max: usize,
    ) -> Vec<(EntryId, Bytes)> {
        self.wal.read(range, bytes_max)
    }

    fn read(&self, range: impl RangeBounds<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        self.wal
            .read(range, bytes_max)
            .into_iter()
            .map(decoded)
            .collect()
    }
}

fn decoded((id, payload): (EntryId, Bytes)) -> io::Result<Entry> {
    let payload = codec::decode_payload(payload).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("log entry {} cannot be decoded: {error}", id.index),
        )
    })?;
    Ok(Entry::new(codec::log_id(id), payload))
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(range, usize::MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.wal.vote().map(codec::vote))
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(start..end, READ_BYTES_MAX)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState, io::Error> {
        let (purged, last) = self.wal.bounds();
        Ok(LogState {
            last_purged_log_id: purged.map(codec::log_id),
            last_log_id: last.map(codec::log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.wal.save_vote(codec::vote_record(vote)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.wal
            .save_committed(committed.as_ref().map(codec::entry_id));
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.wal.committed().map(codec::log_id))
    }

    async fn append<I>(&mut self, entries: I, callback: IoFlushed) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries
            .into_iter()
            .map(|entry| {
                (
                    codec::entry_id(&entry.log_id),
                    codec::encode_payload(&entry.payload),
                )
            })
            .collect();
        self.wal
            .append(entries, Box::new(|result| callback.io_completed(result)))
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        probes::reached(probes::Mark::LogTruncated);
        self.wal
            .truncate_after(last_log_id.as_ref().map(codec::entry_id));
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        probes::reached(probes::Mark::LogPurged);
        self.wal.purge(codec::entry_id(&log_id));
        Ok(())
    }
}
