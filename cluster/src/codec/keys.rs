//! Keys of the HTTP API.

use ledger::{EventId, Timestamp};
use proto::DecodeError;
use proto::convert::ids::{from_id, id};
use proto::v1;

use crate::catalogue::{KeyId, KeyRecord, KeyRole};

pub(super) fn wire_key(key: KeyId, record: &KeyRecord) -> v1::ApiKey {
    v1::ApiKey {
        key: key.0,
        role: match record.role {
            KeyRole::Organizer => 1,
            KeyRole::Operator => 2,
            KeyRole::Gate => 3,
            KeyRole::ReadOnly => 4,
        },
        name: record.name.clone(),
        event: record.event.map(|event| id(event.0)),
        hash: record.hash.to_vec(),
        created_at_ms: record.created_at.0,
        expires_at_ms: wire_time(record.expires_at),
        revoked_at_ms: wire_time(record.revoked_at),
    }
}

pub(super) fn key(wire: v1::ApiKey) -> Result<(KeyId, KeyRecord), DecodeError> {
    let event = wire.event.map(|event| from_id(Some(event), "key.event"));
    let record = KeyRecord {
        role: match wire.role {
            1 => KeyRole::Organizer,
            2 => KeyRole::Operator,
            3 => KeyRole::Gate,
            4 => KeyRole::ReadOnly,
            _ => return Err(DecodeError::Missing("key.role")),
        },
        name: wire.name,
        event: event.transpose()?.map(EventId),
        hash: wire.hash[..]
            .try_into()
            .map_err(|_| DecodeError::Missing("key.hash"))?,
        created_at: Timestamp(wire.created_at_ms),
        expires_at: time(wire.expires_at_ms),
        revoked_at: time(wire.revoked_at_ms),
    };
    Ok((KeyId(wire.key), record))
}

fn wire_time(at: Option<Timestamp>) -> u64 {
    at.map_or(0, |at| at.0)
}

fn time(at_ms: u64) -> Option<Timestamp> {
    (at_ms != 0).then_some(Timestamp(at_ms))
}
