//! Identities.

use ledger::*;

use crate::error::{DecodeError, narrow, required};
use crate::v1;

/// 128 bits as two words.
pub fn id(value: u128) -> v1::Id {
    v1::Id {
        high: (value >> 64) as u64,
        low: value as u64,
    }
}

/// Two words as 128 bits.
pub fn from_id(id: Option<v1::Id>, field: &'static str) -> Result<u128, DecodeError> {
    let id = required(id, field)?;
    Ok((u128::from(id.high) << 64) | u128::from(id.low))
}

/// A shard's number.
pub fn shard(number: u32, field: &'static str) -> Result<ShardId, DecodeError> {
    narrow(number, field).map(ShardId)
}

pub(super) fn section(number: u32) -> Result<SectionNo, DecodeError> {
    narrow(number, "section").map(SectionNo)
}

pub(super) fn seats(numbers: &[u32]) -> Result<Vec<SeatNo>, DecodeError> {
    numbers
        .iter()
        .map(|&number| narrow(number, "seat").map(SeatNo))
        .collect()
}

pub(super) fn seat_numbers(seats: &[SeatNo]) -> Vec<u32> {
    seats.iter().map(|seat| u32::from(seat.0)).collect()
}

/// 16 bytes an id, big-endian.
pub(super) fn pack(ids: impl ExactSizeIterator<Item = u128>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ids.len() * 16);
    ids.for_each(|id| bytes.extend_from_slice(&id.to_be_bytes()));
    bytes
}

pub(super) fn unpack<T>(
    bytes: &[u8],
    field: &'static str,
    make: impl Fn(u128) -> T,
) -> Result<Vec<T>, DecodeError> {
    let chunks = bytes.chunks_exact(16);
    if !chunks.remainder().is_empty() {
        return Err(DecodeError::Range(field));
    }
    let ids = chunks.map(|chunk| u128::from_be_bytes(chunk.try_into().expect("16 bytes a chunk")));
    Ok(ids.map(make).collect())
}

impl From<LegKey> for v1::LegKey {
    fn from(leg: LegKey) -> Self {
        Self {
            order: Some(id(leg.order.0)),
            leg: leg.leg.into(),
        }
    }
}

pub(super) fn leg_key(leg: Option<v1::LegKey>) -> Result<LegKey, DecodeError> {
    let leg = required(leg, "leg")?;
    Ok(LegKey {
        order: OrderId(from_id(leg.order, "leg.order")?),
        leg: narrow(leg.leg, "leg.leg")?,
    })
}
