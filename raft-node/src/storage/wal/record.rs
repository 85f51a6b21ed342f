//! A record of the log: its frame, its checksum and its kinds.
//!
//! ```text
//!  0      4      8     9        12      16      20         24          24+length, padded to 8
//!  ├ length ┼ crc32 ┼ kind ┼ zero ┼ group ┼ base ┼ zero ────┼ body ─────┤
//! ```
//! The checksum is seeded with the segment and the offset, so that a record left in a recycled
//! segment, or one that landed in a wrong place, is not taken for one of ours.
//!
//! `base` is the offset up to which the segment was known durable when the record was written.
//! It tells a torn write from damage: a bad record at X in front of a good one with `base > X`
//! was durable once; with `base <= X` both belong to a write that no sync ever covered, and a
//! power cut may have kept its pages in any order.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use probes::Bug;
use prost::Message;

/// Bytes in front of a record's body.
pub(crate) const FRAME_BYTES: usize = 24;
/// Records begin at multiples of this.
pub(crate) const ALIGN_BYTES: usize = 8;
/// Term and index in front of an entry's payload.
const ENTRY_ID_BYTES: usize = 16;

/// Which entry: the term of its leader and its place in the group's log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct EntryId {
    // Persisted: never reuse a tag.
    #[prost(uint64, tag = "1")]
    pub(crate) term: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) index: u64,
}

/// What this node promised in an election.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct Vote {
    // Persisted: never reuse a tag.
    #[prost(uint64, tag = "1")]
    pub(crate) term: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) node: u64,
    #[prost(bool, tag = "3")]
    pub(crate) committed: bool,
}

/// Everything a group's log is besides its entries: written at the head of each segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct Checkpoint {
    // Persisted: never reuse a tag.
    #[prost(message, optional, tag = "1")]
    pub(crate) vote: Option<Vote>,
    #[prost(message, optional, tag = "2")]
    pub(crate) purged: Option<EntryId>,
    #[prost(message, optional, tag = "3")]
    pub(crate) committed: Option<EntryId>,
    /// Index of the first entry held, or of the next one when none is.
    #[prost(uint64, tag = "4")]
    pub(crate) first: u64,
    #[prost(message, optional, tag = "5")]
    pub(crate) last: Option<EntryId>,
}

/// A place in a log, or its very beginning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct Bound {
    // Persisted: never reuse a tag.
    #[prost(message, optional, tag = "1")]
    id: Option<EntryId>,
}

/// What the log says, one statement at a time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    /// An entry behind the last one.
    Entry { id: EntryId, payload: Bytes },
    /// The same entry once more, so that the old segment it lived in can go.
    Rewrite { id: EntryId, payload: Bytes },
    /// An election promise.
    Vote(Vote),
    /// Everything behind this entry is cut off.
    Truncate(Option<EntryId>),
    /// Everything up to this entry is in a durable snapshot.
    Purge(EntryId),
    /// How far this node knew the group had committed.
    Committed(Option<EntryId>),
    /// The group as of the beginning of this segment.
    Checkpoint(Checkpoint),
    /// Everything before this record is durable. Overwritten by what is written next.
    Synced,
    /// Nothing follows in this segment.
    Sealed,
}

// Persisted: never reuse a number. 0 is what unwritten space reads as.
const ENTRY: u8 = 1;
const VOTE: u8 = 2;
const TRUNCATE: u8 = 3;
const PURGE: u8 = 4;
const COMMITTED: u8 = 5;
const CHECKPOINT: u8 = 6;
const SYNCED: u8 = 7;
const SEALED: u8 = 8;
const REWRITE: u8 = 9;

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Sequence number of the segment.
    pub(crate) segment: u64,
    /// Offset in the segment.
    pub(crate) offset: u32,
}

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A whole record.
    Valid {
        group: u32,
        base: u32,
        record: Record,
        bytes: usize,
    },
    /// Never written.
    Blank,
    /// Not a record of this place: torn, stale or damaged.
    Invalid,
    /// A whole record this release cannot read.
    Unknown { group: u32, kind: u8 },
}

/// Bytes the record of an entry takes in a segment.
pub(crate) fn entry_size(payload_bytes: usize) -> usize {
    (FRAME_BYTES + ENTRY_ID_BYTES + payload_bytes).next_multiple_of(ALIGN_BYTES)
}

impl Record {
    /// Bytes the record takes in a segment.
    pub(crate) fn size(&self) -> usize {
        (FRAME_BYTES + self.body_size()).next_multiple_of(ALIGN_BYTES)
    }

    fn body_size(&self) -> usize {
        match self {
            Self::Entry { payload, .. } | Self::Rewrite { payload, .. } => {
                ENTRY_ID_BYTES + payload.len()
            }
            Self::Vote(vote) => vote.encoded_len(),
            Self::Truncate(id) | Self::Committed(id) => Bound { id: *id }.encoded_len(),
            Self::Purge(id) => id.encoded_len(),
            Self::Checkpoint(checkpoint) => checkpoint.encoded_len(),
            Self::Synced | Self::Sealed => 0,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Entry { .. } => ENTRY,
            Self::Rewrite { .. } => REWRITE,
            Self::Vote(_) => VOTE,
            Self::Truncate(_) => TRUNCATE,
            Self::Purge(_) => PURGE,
            Self::Committed(_) => COMMITTED,
            Self::Checkpoint(_) => CHECKPOINT,
            Self::Synced => SYNCED,
            Self::Sealed => SEALED,
        }
    }

    /// Appends the record to `out`, framed for `place`.
    pub(crate) fn encode(&self, group: u32, place: Place, base: u32, out: &mut BytesMut) {
        const CAN_HOLD: &str = "a growing buffer has room for every message";
        let start = out.len();
        out.reserve(self.size());
        out.put_u32_le(
            u32::try_from(self.body_size())
                .expect("the writer bounds an entry to what a segment may hold"),
        );
        out.put_u32_le(0);
        out.put_u8(self.kind());
        out.put_bytes(0, 3);
        out.put_u32_le(group);
        out.put_u32_le(base);
        out.put_u32_le(0);
        match self {
            Self::Entry { id, payload } | Self::Rewrite { id, payload } => {
                out.put_u64_le(id.term);
                out.put_u64_le(id.index);
                out.put_slice(payload);
            }
            Self::Vote(vote) => vote.encode(out).expect(CAN_HOLD),
            Self::Truncate(id) | Self::Committed(id) => {
                Bound { id: *id }.encode(out).expect(CAN_HOLD)
            }
            Self::Purge(id) => id.encode(out).expect(CAN_HOLD),
            Self::Checkpoint(checkpoint) => checkpoint.encode(out).expect(CAN_HOLD),
            Self::Synced | Self::Sealed => {}
        }
        let sum = checksum(place, &out[start..start + 4], &out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
        out.put_bytes(0, self.size() - (out.len() - start));
    }

    fn decode(kind: u8, mut body: Bytes) -> Option<Self> {
        Some(match kind {
            ENTRY | REWRITE => {
                if body.len() < ENTRY_ID_BYTES {
                    return None;
                }
                let id = EntryId {
                    term: body.get_u64_le(),
                    index: body.get_u64_le(),
                };
                if kind == ENTRY {
                    Self::Entry { id, payload: body }
                } else {
                    Self::Rewrite { id, payload: body }
                }
            }
            VOTE => Self::Vote(Vote::decode(body).ok()?),
            TRUNCATE => Self::Truncate(Bound::decode(body).ok()?.id),
            PURGE => Self::Purge(EntryId::decode(body).ok()?),
            COMMITTED => Self::Committed(Bound::decode(body).ok()?.id),
            CHECKPOINT => Self::Checkpoint(Checkpoint::decode(body).ok()?),
            SYNCED => Self::Synced,
            SEALED => Self::Sealed,
            _ => return None,
        })
    }
}

/// Reads what stands at `place` of a segment whose whole contents are `segment`.
pub(crate) fn parse(segment: &Bytes, place: Place) -> Parsed {
    let start = place.offset as usize;
    let Some(frame) = segment.get(start..start + FRAME_BYTES) else {
        return Parsed::Blank;
    };
    if frame.iter().all(|byte| *byte == 0) {
        return Parsed::Blank;
    }
    let word =
        |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
    let end = (start + FRAME_BYTES).saturating_add(word(0) as usize);
    let kind = frame[8];
    if kind == 0 || end > segment.len() {
        return Parsed::Invalid;
    }
    if checksum(place, &frame[..4], &segment[start + 8..end]) != word(4)
        && !probes::planted(Bug::ChecksumIgnored)
    {
        return Parsed::Invalid;
    }
    let (group, base) = (word(12), word(16));
    match Record::decode(kind, segment.slice(start + FRAME_BYTES..end)) {
        Some(record) => Parsed::Valid {
            group,
            base,
            bytes: record_span(end - start),
            record,
        },
        None => Parsed::Unknown { group, kind },
    }
}

/// The group a bad record seems to name, for the error message only.
pub(crate) fn group_hint(segment: &Bytes, offset: usize) -> Option<u32> {
    let frame = segment.get(offset..offset + FRAME_BYTES)?;
    let plausible = (1..=REWRITE).contains(&frame[8]) && frame[9..12] == [0; 3];
    plausible.then(|| u32::from_le_bytes([frame[12], frame[13], frame[14], frame[15]]))
}

fn record_span(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN_BYTES)
}

fn checksum(place: Place, length: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.segment.to_le_bytes());
    hasher.update(&place.offset.to_le_bytes());
    hasher.update(length);
    hasher.update(rest);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_only_where_it_was_written_and_only_when_whole() {
        let id = EntryId { term: 3, index: 7 };
        let records = [
            Record::Entry {
                id,
                payload: Bytes::from_static(b"seat"),
            },
            Record::Vote(Vote {
                term: 3,
                node: 1,
                committed: true,
            }),
            Record::Truncate(None),
            Record::Truncate(Some(id)),
            Record::Purge(id),
            Record::Committed(Some(id)),
            Record::Checkpoint(Checkpoint {
                first: 4,
                last: Some(id),
                ..Checkpoint::default()
            }),
            Record::Synced,
            Record::Sealed,
        ];
        for written in records {
            let place = Place {
                segment: 9,
                offset: 8,
            };
            let mut out = BytesMut::zeroed(8);
            written.encode(5, place, 4, &mut out);
            assert_eq!(out.len(), 8 + written.size());
            let whole = out.clone().freeze();
            match parse(&whole, place) {
                Parsed::Valid {
                    group: 5,
                    base: 4,
                    record,
                    bytes,
                } => {
                    assert_eq!((&record, bytes), (&written, written.size()));
                }
                other => panic!("{written:?} read as {other:?}"),
            }
            assert!(
                matches!(
                    parse(
                        &whole,
                        Place {
                            segment: 10,
                            offset: 8
                        }
                    ),
                    Parsed::Invalid
                ),
                "a recycled segment"
            );
            let body_end = 8 + FRAME_BYTES + written.body_size();
            for bit in 8 * 8..body_end * 8 {
                let mut flipped = out.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let flipped = parse(&flipped.freeze(), place);
                assert!(
                    !matches!(flipped, Parsed::Valid { .. }),
                    "{written:?} with bit {bit} flipped read as {flipped:?}"
                );
            }
        }
    }
}
