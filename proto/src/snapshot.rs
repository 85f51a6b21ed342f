//! A ledger as bytes and back.
//!
//! A snapshot is a list of parts of bounded size, one protobuf message a part. Each says its
//! number and the first says how many there are, so that a part that is lost, swapped or left over
//! is refused. Damage inside a part is for the storage's and the wire's checksums to find; here
//! it leads to a refusal or another ledger, never to a panic.

use bytes::Bytes;
use ledger::parts::{Part, PartsError};
use ledger::{Ledger, ShardId};
use prost::Message as _;

use crate::convert::snapshot::{decode_part, encode_part};
use crate::error::DecodeError;
use crate::v1;

/// Why bytes are no snapshot of this shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// A part's bytes mean nothing.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The parts make no ledger.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// It is another shard's.
    #[error("the snapshot is of shard {found}")]
    WrongShard {
        /// Whose.
        found: ShardId,
    },
    /// Parts are missing or left over.
    #[error("{found} parts where the first says {expected}")]
    Count {
        /// As the first part says; 0, when there is none.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A part stands in another's place.
    #[error("it is part number {number}")]
    Place {
        /// Its own number.
        number: u32,
    },
}

/// The ledger's parts as bytes, in the order [`restore`] wants them.
pub fn save(ledger: &Ledger) -> Vec<Bytes> {
    // The head says how many parts there are, so it is encoded last.
    let mut parts = ledger.parts();
    let head = parts.next().expect("every ledger has a head");
    let encode =
        |(number, part): (u32, Part)| Bytes::from(encode_part(&part, number, 0).encode_to_vec());
    let mut encoded = vec![Bytes::new()];
    encoded.extend((1..).zip(parts).map(encode));
    let count = u32::try_from(encoded.len()).expect("far fewer parts than 2^32 fit in memory");
    encoded[0] = encode_part(&head, 0, count).encode_to_vec().into();
    encoded
}

/// Puts a ledger together again. An error names the part it was found at.
pub fn restore(shard: ShardId, parts: &[Bytes]) -> Result<Ledger, (usize, SnapshotError)> {
    check_head(shard, parts).map_err(|error| (0, error))?;
    // `from_parts` pulls parts one by one, so that the whole is never decoded at once; what stops
    // it is noted here, and so is how far it came.
    let mut at = 0;
    let mut undecodable = None;
    let decoded = parts.iter().enumerate().map_while(|(number, bytes)| {
        at = number;
        decode(number, bytes)
            .map_err(|error| undecodable = Some(error))
            .ok()
    });
    let ledger = Ledger::from_parts(decoded);
    match (undecodable, ledger) {
        (Some(error), _) => Err((at, error)),
        (None, Err(error)) => Err((at, error.into())),
        (None, Ok(ledger)) => Ok(ledger),
    }
}

/// Whether this is a snapshot of `shard`, with all its parts.
fn check_head(shard: ShardId, parts: &[Bytes]) -> Result<(), SnapshotError> {
    let found = parts.len();
    let Some(first) = parts.first() else {
        return Err(SnapshotError::Count { expected: 0, found });
    };
    let part = v1::SnapshotPart::decode(&first[..]).map_err(DecodeError::from)?;
    let Some(v1::snapshot_part::Kind::Head(head)) = &part.kind else {
        return Err(PartsError::Head.into());
    };
    let expected = head.parts as usize;
    let Part::Head(head) = decode_part(part)? else {
        return Err(PartsError::Head.into());
    };
    if head.shard != shard {
        return Err(SnapshotError::WrongShard { found: head.shard });
    }
    if expected != found {
        return Err(SnapshotError::Count { expected, found });
    }
    Ok(())
}

fn decode(number: usize, bytes: &[u8]) -> Result<Part, SnapshotError> {
    let part = v1::SnapshotPart::decode(bytes).map_err(DecodeError::from)?;
    if part.number as usize != number {
        return Err(SnapshotError::Place {
            number: part.number,
        });
    }
    Ok(decode_part(part)?)
}
