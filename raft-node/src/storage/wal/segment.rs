//! A segment: a file of fixed size that holds a stretch of the log.
//!
//! A segment gets its name only when its header and its checkpoints are durable: it is prepared
//! under a spare name, synced, renamed, and the directory synced. So a named segment whose head
//! cannot be read is damaged, never half-made; and the older segments can go as soon as nothing
//! in them is needed, because every head repeats each group's vote and bounds.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::storage::error::StorageError;
use crate::storage::identity::Identity;

/// The directory of the log.
pub(crate) const DIRECTORY: &str = "wal";
/// Bytes in front of a segment's records.
pub(crate) const HEADER_BYTES: usize = 64;

// Persisted.
const MAGIC: &[u8; 8] = b"USHERWAL";
const VERSION: u32 = 1;

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sequence: u64,
    pub(crate) identity: Identity,
    /// Size of the file.
    pub(crate) size: u64,
    /// Where the checkpoints end and the records begin.
    pub(crate) head_bytes: u32,
}

impl Header {
    /// The header as it stands in the file.
    pub(crate) fn encode(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(HEADER_BYTES);
        out.put_slice(MAGIC);
        out.put_u32_le(VERSION);
        out.put_u32_le(0);
        out.put_u64_le(self.sequence);
        out.put_u128_le(self.identity.cluster);
        out.put_u64_le(self.identity.node);
        out.put_u64_le(self.size);
        out.put_u32_le(self.head_bytes);
        out.put_u32_le(0);
        let sum = crc32fast::hash(&out);
        out[12..16].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the header of the file `path`.
    pub(crate) fn decode(path: &str, segment: &Bytes) -> Result<Self, StorageError> {
        let damaged = |reason: &str| StorageError::Damaged {
            path: path.to_owned(),
            offset: 0,
            group: None,
            reason: reason.to_owned(),
        };
        let Some(raw) = segment.get(..HEADER_BYTES) else {
            return Err(damaged("the header is cut off"));
        };
        if &raw[..8] != MAGIC {
            return Err(damaged("it does not begin as a log segment does"));
        }
        let mut rest = &raw[8..];
        let version = rest.get_u32_le();
        if version > VERSION {
            return Err(StorageError::UnsupportedVersion {
                path: path.to_owned(),
                found: version,
                supported: VERSION,
            });
        }
        let sum = rest.get_u32_le();
        let mut blanked = BytesMut::from(raw);
        blanked[12..16].fill(0);
        if crc32fast::hash(&blanked) != sum {
            return Err(damaged("the header's checksum does not match"));
        }
        Ok(Self {
            sequence: rest.get_u64_le(),
            identity: Identity {
                cluster: rest.get_u128_le(),
                node: rest.get_u64_le(),
            },
            size: rest.get_u64_le(),
            head_bytes: rest.get_u32_le(),
        })
    }
}

/// Path of a segment in use.
pub(crate) fn path(sequence: u64) -> String {
    format!("{DIRECTORY}/{sequence:016x}.seg")
}

/// Path of a segment that waits to be used (again); `number` only makes it unique.
pub(crate) fn spare_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}.spare")
}

/// What a file name in the log's directory means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A segment in use.
    Segment(u64),
    /// A spare.
    Spare(u64),
}

/// Reads a file name; `None` for files that are not the log's.
pub(crate) fn parse_name(name: &str) -> Option<Name> {
    let (number, suffix) = name.split_once('.')?;
    if number.len() != 16 {
        return None;
    }
    let number = u64::from_str_radix(number, 16).ok()?;
    match suffix {
        "seg" => Some(Name::Segment(number)),
        "spare" => Some(Name::Spare(number)),
        _ => None,
    }
}
