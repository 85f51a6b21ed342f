//! A log entry on its way into a backup, and out of it.
//!
//! ```text
//!  0       4       8      16      24             24 + length
//!  ├ length ┼ crc32 ┼ term  ┼ index ┼ payload ────┤      little-endian; the payload as the log has it
//! ```
//! Persisted: this layout is in every backup ever made. The checksum covers all behind it.

use std::io::{self, Read};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::EntryPayload;

use super::Position;
use crate::config::MESSAGE_BYTES_MAX;
use crate::machine::Stamp;
use crate::storage::codec;
use crate::types::Batch;

const FRAME_BYTES: usize = 24;

/// An entry, its payload undecoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it stands.
    pub at: Position,
    /// What it carries.
    pub payload: Bytes,
}

/// Bytes that are no entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// They end in the middle of one.
    #[error("it is cut off inside an entry")]
    CutOff,
    /// A length that cannot be.
    #[error("an entry says that it has {0} bytes")]
    Length(u32),
    /// The checksum does not match.
    #[error("the checksum of an entry does not match")]
    Checksum,
    /// The checksum matches, and this release cannot read it.
    #[error("entry {index} cannot be decoded: {reason}")]
    Payload {
        /// Which.
        index: u64,
        /// Why.
        reason: String,
    },
    /// Whatever was read from failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl LogEntry {
    /// An entry with one command, that no leader ever proposed: a restore's own.
    #[must_use]
    pub fn of_command(at: Position, stamp: Stamp, command: Bytes) -> Self {
        let batch = Batch {
            stamp,
            commands: vec![command],
        };
        Self {
            at,
            payload: codec::encode_payload(&EntryPayload::Normal(batch)),
        }
    }

    /// How many bytes [`LogEntry::put`] adds.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        FRAME_BYTES + self.payload.len()
    }

    /// Adds its bytes to `out`.
    pub fn put(&self, out: &mut BytesMut) {
        let Position { term, index } = self.at;
        let length = u32::try_from(self.payload.len()).expect("a payload is at most a message");
        out.put_u32_le(length);
        out.put_u32_le(checksum(term, index, &self.payload));
        out.put_u64_le(term);
        out.put_u64_le(index);
        out.put_slice(&self.payload);
    }

    /// The next entry of `from`; `None` where it ends in order.
    pub fn read(from: &mut impl Read) -> Result<Option<Self>, EntryError> {
        let mut frame = [0; FRAME_BYTES];
        if !fill(from, &mut frame)? {
            return Ok(None);
        }
        let mut frame = &frame[..];
        let (length, sum) = (frame.get_u32_le(), frame.get_u32_le());
        let (term, index) = (frame.get_u64_le(), frame.get_u64_le());
        if length as usize > MESSAGE_BYTES_MAX {
            return Err(EntryError::Length(length));
        }
        let mut payload = vec![0; length as usize];
        if !fill(from, &mut payload)? && length > 0 {
            return Err(EntryError::CutOff);
        }
        if checksum(term, index, &payload) != sum {
            return Err(EntryError::Checksum);
        }
        Ok(Some(Self {
            at: Position { term, index },
            payload: payload.into(),
        }))
    }

    /// The time of its stamp, in ms; `None` for one of consensus' own.
    pub fn stamped_ms(&self) -> Result<Option<u64>, EntryError> {
        match self.decode()? {
            EntryPayload::Normal(batch) => Ok(Some(batch.stamp.at_ms)),
            EntryPayload::Blank | EntryPayload::Membership(_) => Ok(None),
        }
    }

    pub(super) fn decode(&self) -> Result<crate::types::Payload, EntryError> {
        codec::decode_payload(self.payload.clone()).map_err(|error| EntryError::Payload {
            index: self.at.index,
            reason: error.to_string(),
        })
    }
}

fn checksum(term: u64, index: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(payload.len() as u64).to_le_bytes());
    hasher.update(&term.to_le_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Fills `buffer`; `false` when there was nothing at all to read.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<bool, EntryError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(EntryError::CutOff),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> BytesMut {
        let mut out = BytesMut::new();
        for (index, payload) in [(7, "payload"), (8, "")] {
            let entry = LogEntry {
                at: Position { term: 3, index },
                payload: Bytes::from_static(payload.as_bytes()),
            };
            let before = out.len();
            entry.put(&mut out);
            assert_eq!(out.len() - before, entry.encoded_len());
        }
        out
    }

    fn all(mut bytes: &[u8]) -> Result<Vec<u64>, EntryError> {
        let mut read = Vec::new();
        while let Some(entry) = LogEntry::read(&mut bytes)? {
            read.push(entry.at.index);
        }
        Ok(read)
    }

    #[test]
    fn entries_are_read_as_they_were_put_and_no_flipped_bit_goes_unseen() {
        let whole = two();
        assert_eq!(all(&whole).unwrap(), [7, 8]);
        for at in 0..whole.len() * 8 {
            let mut spoiled = whole.clone();
            spoiled[at / 8] ^= 1 << (at % 8);
            assert!(all(&spoiled).is_err(), "bit {at}");
        }
    }

    #[test]
    fn a_cut_inside_an_entry_is_an_error_and_one_between_two_is_an_end() {
        let whole = two();
        let first = FRAME_BYTES + 7;
        for length in 0..whole.len() {
            let read = all(&whole[..length]);
            match length {
                0 => assert_eq!(read.unwrap(), Vec::<u64>::new()),
                _ if length == first => assert_eq!(read.unwrap(), [7]),
                _ => assert!(matches!(read, Err(EntryError::CutOff)), "{length}"),
            }
        }
    }
}
