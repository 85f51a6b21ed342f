//! The bytes of what openraft stores: entry payloads, memberships, snapshot metadata. Our own
//! encoding, because openraft's types change between releases and our files must not.
//!
//! Everything begins with a version byte. Persisted: never reuse a tag, never change a type.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::EntryPayload;
use prost::Message;

use super::wal::record::{EntryId, Vote as VoteRecord};
use crate::machine::Stamp;
use crate::types::{
    Batch, CommittedLeaderId, LeaderId, LogId, Membership, Payload, Peer, SnapshotMeta,
    StoredMembership, Vote,
};

const VERSION: u8 = 1;

/// Bytes that are whole (their checksum matched) and still make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("it has encoding version {found}, and this release reads {VERSION}")]
    Version { found: u8 },
    #[error("it is empty")]
    Empty,
    #[error("{0}")]
    Malformed(#[from] prost::DecodeError),
    #[error("field {field} is missing or has a value that cannot be")]
    BadField { field: &'static str },
}

#[derive(Clone, PartialEq, Message)]
struct PayloadRecord {
    #[prost(oneof = "PayloadKind", tags = "1, 2, 3")]
    kind: Option<PayloadKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum PayloadKind {
    #[prost(message, tag = "1")]
    Blank(BlankRecord),
    #[prost(message, tag = "2")]
    Batch(BatchRecord),
    #[prost(message, tag = "3")]
    Membership(MembershipRecord),
}

#[derive(Clone, PartialEq, Message)]
struct BlankRecord {}

#[derive(Clone, PartialEq, Message)]
struct BatchRecord {
    #[prost(uint64, tag = "1")]
    at_ms: u64,
    #[prost(bytes = "bytes", tag = "2")]
    draw: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    commands: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct MembershipRecord {
    #[prost(message, repeated, tag = "1")]
    configs: Vec<VotersRecord>,
    #[prost(message, repeated, tag = "2")]
    nodes: Vec<NodeRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct VotersRecord {
    #[prost(uint64, repeated, tag = "1")]
    ids: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeRecord {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    addr: String,
}

#[derive(Clone, PartialEq, Message)]
struct SnapshotMetaRecord {
    #[prost(message, optional, tag = "1")]
    last: Option<EntryId>,
    #[prost(message, optional, tag = "2")]
    membership_at: Option<EntryId>,
    #[prost(message, optional, tag = "3")]
    membership: Option<MembershipRecord>,
}

/// What one log entry carries, as bytes.
pub(crate) fn encode_payload(payload: &Payload) -> Bytes {
    let kind = match payload {
        EntryPayload::Blank => PayloadKind::Blank(BlankRecord {}),
        EntryPayload::Normal(batch) => PayloadKind::Batch(BatchRecord {
            at_ms: batch.stamp.at_ms,
            draw: Bytes::copy_from_slice(&batch.stamp.draw),
            commands: batch.commands.clone(),
        }),
        EntryPayload::Membership(membership) => {
            PayloadKind::Membership(membership_record(membership))
        }
    };
    versioned(&PayloadRecord { kind: Some(kind) })
}

/// The other way. The commands are slices of `bytes`, not copies.
pub(crate) fn decode_payload(bytes: Bytes) -> Result<Payload, CodecError> {
    let record: PayloadRecord = unversioned(bytes)?;
    Ok(
        match record.kind.ok_or(CodecError::BadField {
            field: "payload.kind",
        })? {
            PayloadKind::Blank(_) => EntryPayload::Blank,
            PayloadKind::Batch(batch) => {
                let draw = batch
                    .draw
                    .as_ref()
                    .try_into()
                    .map_err(|_| CodecError::BadField {
                        field: "batch.draw",
                    })?;
                EntryPayload::Normal(Batch {
                    stamp: Stamp {
                        at_ms: batch.at_ms,
                        draw,
                    },
                    commands: batch.commands,
                })
            }
            PayloadKind::Membership(record) => EntryPayload::Membership(membership(record)?),
        },
    )
}

/// What a snapshot covers, as bytes.
pub(crate) fn encode_snapshot_meta(meta: &SnapshotMeta) -> Bytes {
    versioned(&SnapshotMetaRecord {
        last: meta.last_log_id.as_ref().map(entry_id),
        membership_at: meta.last_membership.log_id().as_ref().map(entry_id),
        membership: Some(membership_record(meta.last_membership.membership())),
    })
}

/// The other way.
pub(crate) fn decode_snapshot_meta(bytes: Bytes) -> Result<SnapshotMeta, CodecError> {
    let record: SnapshotMetaRecord = unversioned(bytes)?;
    let members = record.membership.ok_or(CodecError::BadField {
        field: "snapshot.membership",
    })?;
    Ok(SnapshotMeta {
        last_log_id: record.last.map(log_id),
        last_membership: StoredMembership::new(
            record.membership_at.map(log_id),
            membership(members)?,
        ),
    })
}

/// A log id as the log stores it.
pub(crate) fn entry_id(id: &LogId) -> EntryId {
    EntryId {
        term: id.leader_id.term,
        index: id.index,
    }
}

/// The other way.
pub(crate) fn log_id(id: EntryId) -> LogId {
    LogId {
        leader_id: CommittedLeaderId::new(id.term),
        index: id.index,
    }
}

/// A vote as the log stores it.
pub(crate) fn vote_record(vote: &Vote) -> VoteRecord {
    VoteRecord {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

/// The other way.
pub(crate) fn vote(record: VoteRecord) -> Vote {
    let leader_id = LeaderId {
        term: record.term,
        voted_for: record.node,
    };
    Vote {
        leader_id,
        committed: record.committed,
    }
}

fn membership_record(membership: &Membership) -> MembershipRecord {
    MembershipRecord {
        configs: membership
            .get_joint_config()
            .iter()
            .map(|voters| VotersRecord {
                ids: voters.iter().copied().collect(),
            })
            .collect(),
        nodes: membership
            .nodes()
            .map(|(id, node)| NodeRecord {
                id: *id,
                addr: node.addr.clone(),
            })
            .collect(),
    }
}

fn membership(record: MembershipRecord) -> Result<Membership, CodecError> {
    let configs: Vec<BTreeSet<u64>> = record
        .configs
        .into_iter()
        .map(|voters| voters.ids.into_iter().collect())
        .collect();
    let nodes: BTreeMap<u64, Peer> = record
        .nodes
        .into_iter()
        .map(|node| (node.id, Peer { addr: node.addr }))
        .collect();
    Membership::new(configs, nodes).map_err(|_| CodecError::BadField {
        field: "membership",
    })
}

fn versioned(message: &impl Message) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + message.encoded_len());
    out.put_u8(VERSION);
    message
        .encode(&mut out)
        .expect("a growing buffer has room for every message");
    out.freeze()
}

fn unversioned<M: Message + Default>(mut bytes: Bytes) -> Result<M, CodecError> {
    if bytes.is_empty() {
        return Err(CodecError::Empty);
    }
    match bytes.get_u8() {
        VERSION => Ok(M::decode(bytes)?),
        found => Err(CodecError::Version { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_back_as_it_was_and_an_unknown_version_is_refused() {
        let batch = Batch {
            stamp: Stamp {
                at_ms: 7,
                draw: [9; 32],
            },
            commands: vec![Bytes::from_static(b"hold"), Bytes::new()],
        };
        let peers = BTreeMap::from([
            (1, Peer::new("a:1")),
            (2, Peer::new("b:2")),
            (3, Peer::new("c:3")),
        ]);
        let joint =
            Membership::new(vec![BTreeSet::from([1, 2]), BTreeSet::from([2])], peers).unwrap();
        for payload in [
            EntryPayload::Blank,
            EntryPayload::Normal(batch),
            EntryPayload::Membership(joint.clone()),
        ] {
            let bytes = encode_payload(&payload);
            let back = decode_payload(bytes.clone()).unwrap();
            assert_eq!(format!("{back:?}"), format!("{payload:?}"));

            let mut newer = BytesMut::from(bytes);
            newer[0] = 2;
            assert!(matches!(
                decode_payload(newer.freeze()),
                Err(CodecError::Version { found: 2 })
            ));
        }
        let at = log_id(EntryId { term: 3, index: 4 });
        let meta = SnapshotMeta {
            last_log_id: Some(at),
            last_membership: StoredMembership::new(Some(at), joint),
        };
        assert_eq!(
            decode_snapshot_meta(encode_snapshot_meta(&meta)).unwrap(),
            meta
        );
        let none = SnapshotMeta::default();
        assert_eq!(
            decode_snapshot_meta(encode_snapshot_meta(&none)).unwrap(),
            none
        );
    }
}
