//! The making of segments: zeroed files that wait, and files that become segments.
//!
//! The order matters. A spare has durably lost its old name before its contents change; a segment
//! has durable contents before it gets its name. So whatever bears a segment's name is whole.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::record::{ALIGN_BYTES, FRAME_BYTES, Place, Record};
use super::recover::OpenSegment;
use super::segment::{self, HEADER_BYTES, Header};
use super::writer::Slot;
use crate::platform::Disk;
use crate::platform::disk::File;
use crate::storage::error::StorageError;
use crate::storage::group_log::GroupLog;
use crate::storage::identity::Identity;

/// Segments kept to be used again; more are removed.
pub(super) const SPARES_MAX: usize = 2;
/// Files are whole multiples of this.
const BLOCK_BYTES: usize = 4096;
/// Bytes zeroed by one write when somebody waits for the file.
const ZERO_CHUNK_BYTES: usize = 1 << 20;
/// Pieces in which the next segment is made between batches: a batch waits for one of them at most.
const PIECES: usize = 64;

/// What all of it needs.
pub(super) struct Preparation<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) identity: Identity,
    pub(super) segment_bytes: usize,
}

/// The next segment while it is being made, piece by piece.
pub(super) struct Unfinished {
    pub(super) number: u64,
    file: Arc<dyn File>,
    zeroed: usize,
}

impl Preparation<'_> {
    /// Begins to make a spare.
    pub(super) async fn begin_spare(&self, number: u64) -> io::Result<Unfinished> {
        let file = self.disk.open(&segment::spare_path(number), true).await?;
        file.set_len(0).await?;
        Ok(Unfinished {
            number,
            file,
            zeroed: 0,
        })
    }

    /// Makes the next piece of it, durable: what is left to the disk would delay the log's next sync.
    /// True when it was the last one.
    pub(super) async fn go_on(&self, spare: &mut Unfinished) -> io::Result<bool> {
        let piece = (self.segment_bytes / PIECES).next_multiple_of(BLOCK_BYTES);
        let count = piece.min(self.segment_bytes - spare.zeroed);
        let zeros = Bytes::from(vec![0; count]);
        spare.file.write_at(spare.zeroed as u64, zeros).await?;
        spare.file.sync().await?;
        spare.zeroed += count;
        Ok(spare.zeroed >= self.segment_bytes)
    }

    /// One that did not fit is not left there half made: others may need the room.
    pub(super) async fn give_up(&self, number: u64) {
        // If it cannot be removed, it is made anew at the next try.
        let _ = self.disk.remove(&segment::spare_path(number)).await;
    }

    /// Keeps the spares that have the size in use, removes the others.
    pub(super) async fn usable_spares(&self, found: Vec<u64>) -> Result<Vec<u64>, StorageError> {
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
    pub(super) async fn zeroed(&self, number: u64, size: usize) -> io::Result<Arc<dyn File>> {
        let made = self.make_zeroed(number, size).await;
        if made.is_err() {
            self.give_up(number).await;
        }
        made
    }

    async fn make_zeroed(&self, number: u64, size: usize) -> io::Result<Arc<dyn File>> {
        let file = self.begin_spare(number).await?.file;
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
    pub(super) async fn begin(
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
