//! What stands in front of a machine's own parts in a snapshot: how far it had applied, and that
//! entry's stamp. Persisted: two big-endian words, in this order, for ever.

use bytes::{BufMut, Bytes, BytesMut};
use raft_node::machine::RestoreError;

/// The first part.
pub fn header(applied: u64, at_ms: u64) -> Bytes {
    let mut bytes = BytesMut::with_capacity(16);
    bytes.put_u64(applied);
    bytes.put_u64(at_ms);
    bytes.freeze()
}

/// (applied, at_ms) of a snapshot's first part.
pub fn read_header(parts: &[Bytes]) -> Result<(u64, u64), RestoreError> {
    let word = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
    parts
        .first()
        .filter(|part| part.len() == 16)
        .and_then(|part| Some((word(&part[..8])?, word(&part[8..])?)))
        .ok_or(RestoreError {
            part: 0,
            reason: "no header of 16 bytes".to_owned(),
        })
}
