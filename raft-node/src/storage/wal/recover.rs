//! Opening a log that some process left behind: read every segment in order, replay it, cut a
//! torn tail, and refuse everything that no crash can explain.
//!
//! | found | meaning | done |
//! |---|---|---|
//! | a bad record, nothing good after it, in the last segment | the write a crash tore | cut, zeroed, synced |
//! | a bad record, then good ones of the same unsynced write | the same, pages out of order | cut, zeroed, synced |
//! | a bad record, then one that saw it durable | damage | refused |
//! | a bad record in a segment that is not the last | damage: a segment is sealed and synced before the next is named | refused |
//! | a segment missing in the sequence, or entries a checkpoint speaks of in none | lost files | refused |

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use probes::Bug;

use super::record::{
    self, ALIGN_BYTES, EntryId, FRAME_BYTES, Parsed, Place, Record, group_hint, parse,
};
use super::segment::{self, HEADER_BYTES, Header, Name};
use crate::platform::Disk;
use crate::platform::disk::File;
use crate::storage::error::StorageError;
use crate::storage::file::read_whole;
use crate::storage::group_log::GroupLog;
use crate::storage::identity::Identity;

/// Bytes zeroed by one write.
const ZERO_CHUNK_BYTES: usize = 1 << 20;

/// An entry as recovery found it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) segment: u64,
    pub(crate) term: u64,
    pub(crate) payload: Bytes,
}

impl Found {
    /// Size of its record.
    pub(crate) fn bytes(&self) -> u64 {
        record::entry_size(self.payload.len()) as u64
    }
}

/// The segment to go on in.
pub(crate) struct OpenSegment {
    pub(crate) file: Arc<dyn File>,
    pub(crate) sequence: u64,
    pub(crate) size: u32,
    /// Where the next record goes. Everything before it is durable.
    pub(crate) written: u32,
}

/// A log, read.
pub(crate) struct Recovered {
    pub(crate) groups: BTreeMap<u32, GroupLog<Found>>,
    /// Sequence and size of each segment, oldest first.
    pub(crate) segments: Vec<(u64, u64)>,
    /// `None` when a new segment must be begun: there is none, or the last one is sealed.
    pub(crate) open: Option<OpenSegment>,
    /// Numbers of the spare files.
    pub(crate) spares: Vec<u64>,
}

/// Entries a checkpoint promised and no record has shown yet are `None`.
type Replay = BTreeMap<u32, GroupLog<Option<Found>>>;

/// Reads the log of `identity`.
pub(crate) async fn recover(
    disk: &dyn Disk,
    identity: Identity,
) -> Result<Recovered, StorageError> {
    let names = disk
        .list(segment::DIRECTORY)
        .await
        .map_err(StorageError::io("list", segment::DIRECTORY))?;
    if !names.is_empty() {
        // A process that was killed may have left names that a power cut would still take back.
        disk.sync_dir(segment::DIRECTORY)
            .await
            .map_err(StorageError::io("sync", segment::DIRECTORY))?;
    }
    let names: Vec<Name> = names
        .iter()
        .filter_map(|name| segment::parse_name(name))
        .collect();
    let of = |pick: fn(Name) -> Option<u64>| {
        names.iter().copied().filter_map(pick).collect::<Vec<u64>>()
    };
    let sequences = of(|name| {
        if let Name::Segment(number) = name {
            Some(number)
        } else {
            None
        }
    });
    let spares = of(|name| {
        if let Name::Spare(number) = name {
            Some(number)
        } else {
            None
        }
    });
    for pair in sequences.windows(2) {
        if pair[1] != pair[0] + 1 {
            return Err(StorageError::MissingSegment {
                path: segment::path(pair[0] + 1),
            });
        }
    }

    let mut replay = Replay::new();
    let mut segments = Vec::with_capacity(sequences.len());
    let mut open = None;
    for (at, sequence) in sequences.iter().copied().enumerate() {
        let path = segment::path(sequence);
        let is_last = at + 1 == sequences.len();
        let contents = read_whole(disk, &path)
            .await?
            .ok_or_else(|| StorageError::MissingSegment { path: path.clone() })?;
        let header = Header::decode(&path, &contents)?;
        identity.expect(header.identity, &path)?;
        if header.sequence != sequence {
            return Err(damaged(
                &path,
                0,
                None,
                format!("its header names segment {:016x}", header.sequence),
            ));
        }
        segments.push((sequence, header.size));
        let stop = replay_segment(&mut replay, &path, &contents, &header, at == 0)?;
        match stop {
            // Its seal may not be durable yet, if the process was killed before it could sync.
            Stop::Sealed if is_last => {
                let file = disk
                    .open(&path, false)
                    .await
                    .map_err(StorageError::io("open", &path))?;
                make_durable(&*file, &path, contents).await?;
            }
            Stop::Sealed => {}
            Stop::End(offset) if is_last => {
                open = Some(open_tail(disk, &path, &contents, &header, offset).await?)
            }
            Stop::End(offset) => {
                let group = group_hint(&contents, offset);
                return Err(damaged(
                    &path,
                    offset,
                    group,
                    "a record cannot be read, and a later segment exists".to_owned(),
                ));
            }
        }
    }
    let groups = complete(replay)?;
    Ok(Recovered {
        groups,
        segments,
        open,
        spares,
    })
}

enum Stop {
    /// The seal was reached.
    Sealed,
    /// Good records end here, and nothing durable follows.
    End(usize),
}

fn replay_segment(
    replay: &mut Replay,
    path: &str,
    contents: &Bytes,
    header: &Header,
    is_first: bool,
) -> Result<Stop, StorageError> {
    let mut offset = HEADER_BYTES;
    loop {
        match parse(contents, place(header, offset)) {
            Parsed::Valid {
                record: Record::Sealed,
                ..
            } => return Ok(Stop::Sealed),
            Parsed::Valid {
                group,
                record,
                bytes,
                ..
            } => {
                apply(replay, group, record, header.sequence, is_first)
                    .map_err(|reason| damaged(path, offset, Some(group), reason))?;
                offset += bytes;
            }
            Parsed::Unknown { group, kind } => {
                let reason =
                    format!("a record of kind {kind} is whole, but this release cannot read it");
                return Err(damaged(path, offset, Some(group), reason));
            }
            Parsed::Blank | Parsed::Invalid => break,
        }
    }
    if offset < header.head_bytes as usize {
        return Err(damaged(
            path,
            offset,
            group_hint(contents, offset),
            "a checkpoint cannot be read".to_owned(),
        ));
    }
    let mut beyond = offset + ALIGN_BYTES;
    while beyond + FRAME_BYTES <= contents.len() {
        if let Parsed::Valid { base, .. } = parse(contents, place(header, beyond))
            && base as usize > offset
            && !probes::planted(Bug::DamageTakenForTornTail)
        {
            let reason = format!(
                "a record cannot be read, and one at offset {beyond} was written after it was durable"
            );
            return Err(damaged(path, offset, group_hint(contents, offset), reason));
        }
        beyond += ALIGN_BYTES;
    }
    Ok(Stop::End(offset))
}

fn place(header: &Header, offset: usize) -> Place {
    Place {
        segment: header.sequence,
        offset: u32::try_from(offset).expect("a segment is smaller than 4 GiB"),
    }
}

/// Replays one record; the error says why the log cannot have been written like this.
fn apply(
    replay: &mut Replay,
    group: u32,
    record: Record,
    segment: u64,
    is_first: bool,
) -> Result<(), String> {
    if let Record::Checkpoint(checkpoint) = &record {
        return match replay.get(&group) {
            None if is_first => {
                replay.insert(group, GroupLog::from_checkpoint(checkpoint, || None));
                Ok(())
            }
            Some(log) if log.checkpoint() == *checkpoint => Ok(()),
            _ => Err("its checkpoint disagrees with the segments before it".to_owned()),
        };
    }
    let log = replay.entry(group).or_default();
    // Copied, so that one entry does not keep the whole segment in memory.
    let found = |id: EntryId, payload: &Bytes| {
        Some(Found {
            segment,
            term: id.term,
            payload: Bytes::copy_from_slice(payload),
        })
    };
    match record {
        Record::Entry { id, payload } => log
            .append(id, found(id, &payload))
            .map_err(|error| error.to_string())?,
        Record::Rewrite { id, payload } => {
            let held = log
                .get_mut(id.index)
                .ok_or_else(|| format!("entry {} is rewritten, but not in the log", id.index))?;
            if held.as_ref().is_some_and(|held| held.term != id.term) {
                return Err(format!(
                    "entry {} is rewritten under another term",
                    id.index
                ));
            }
            *held = found(id, &payload);
        }
        Record::Vote(vote) => log.vote = Some(vote),
        Record::Truncate(after) => drop(log.truncate_after(after)),
        Record::Purge(upto) => drop(log.purge(upto)),
        Record::Committed(id) => log.committed = id,
        Record::Checkpoint(_) | Record::Synced | Record::Sealed => {}
    }
    Ok(())
}

/// Makes the last segment ready to go on: what follows the good records is zeroed, so that no
/// leftover of a torn write can come back behind a later one, and all of it is synced, so that
/// what was found may be relied on.
async fn open_tail(
    disk: &dyn Disk,
    path: &str,
    contents: &Bytes,
    header: &Header,
    offset: usize,
) -> Result<OpenSegment, StorageError> {
    let file = disk
        .open(path, false)
        .await
        .map_err(StorageError::io("open", path))?;
    if (contents.len() as u64) < header.size {
        file.set_len(header.size)
            .await
            .map_err(StorageError::io("extend", path))?;
    }
    // The padding of the last record may be what is cut off.
    let leftover = contents.get(offset..).unwrap_or_default();
    if leftover.iter().any(|byte| *byte != 0) && !probes::planted(Bug::TornTailKept) {
        probes::reached(probes::Mark::TornTailCut);
        tracing::debug!(
            path,
            offset,
            "clearing what follows the last whole record of the log"
        );
        let mut at = offset;
        while at < contents.len() {
            let count = ZERO_CHUNK_BYTES.min(contents.len() - at);
            if contents[at..at + count].iter().any(|byte| *byte != 0) {
                file.write_at(at as u64, Bytes::from(vec![0; count]))
                    .await
                    .map_err(StorageError::io("zero the tail of", path))?;
            }
            at += count;
        }
    }
    let good = contents.slice(..offset.min(contents.len()));
    make_durable(&*file, path, good).await?;
    let size = u32::try_from(header.size).expect("a segment is smaller than 4 GiB");
    let written = u32::try_from(offset).expect("a segment is smaller than 4 GiB");
    Ok(OpenSegment {
        file,
        sequence: header.sequence,
        size,
        written,
    })
}

/// Makes what was read durable. Written again, not only synced: if the process before this one
/// died of a failed sync, its pages may be clean, in memory only, and no sync would write them.
async fn make_durable(file: &dyn File, path: &str, contents: Bytes) -> Result<(), StorageError> {
    file.write_at(0, contents)
        .await
        .map_err(StorageError::io("write", path))?;
    file.sync().await.map_err(StorageError::io("sync", path))
}

/// Every entry a checkpoint promised must have been seen by now, or cut off, or purged.
fn complete(replay: Replay) -> Result<BTreeMap<u32, GroupLog<Found>>, StorageError> {
    let mut groups = BTreeMap::new();
    for (group, log) in replay {
        if let Some((index, _)) = log.items().find(|(_, item)| item.is_none()) {
            return Err(StorageError::MissingEntries { group, index });
        }
        groups.insert(
            group,
            log.map(|item| item.clone().expect("just checked: every entry was found")),
        );
    }
    Ok(groups)
}

fn damaged(path: &str, offset: usize, group: Option<u32>, reason: String) -> StorageError {
    StorageError::Damaged {
        path: path.to_owned(),
        offset: offset as u64,
        group,
        reason,
    }
}
