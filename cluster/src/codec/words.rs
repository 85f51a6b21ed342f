//! Commands and outcomes.

use bytes::Bytes;
use ledger::{EventId, Timestamp};
use prost::Message;
use proto::DecodeError;
use proto::convert::ids::{from_id, id, shard};
use proto::error::{narrow, required};
use proto::v1;

use super::events::{record, wire_record};
use super::{keys, nodes, trail};
use crate::catalogue::{
    CatalogueCommand, CatalogueOutcome, CatalogueReceipt, CatalogueRejection, Deed, KeyId,
};
use crate::version;

/// The bytes of a command of the cluster's own.
pub fn encode_command(command: &CatalogueCommand) -> Bytes {
    encode_for(None, command)
}

/// The bytes of a command that somebody asked for.
pub fn encode_for(by: Option<&Deed>, command: &CatalogueCommand) -> Bytes {
    let command = v1::CatalogueCommand {
        kind: Some(kind(command)),
        by: by.map(trail::wire_deed),
    };
    command.encode_to_vec().into()
}

fn kind(command: &CatalogueCommand) -> v1::catalogue_command::Kind {
    use v1::catalogue_command::Kind;
    match command {
        CatalogueCommand::FixShards { shards } => Kind::FixShards((*shards).into()),
        CatalogueCommand::CreateEvent(record) => Kind::CreateEvent(wire_record(record)),
        CatalogueCommand::ChangeRules {
            event,
            expected,
            rules,
        } => Kind::ChangeRules(v1::ChangeRules {
            event: Some(id(event.0)),
            expected: *expected,
            rules: Some((&**rules).into()),
        }),
        CatalogueCommand::RecordInstalled {
            event,
            shard,
            version,
        } => Kind::RecordInstalled(v1::RecordInstalled {
            event: Some(id(event.0)),
            shard: shard.0.into(),
            version: *version,
        }),
        CatalogueCommand::AddNode {
            node,
            record,
            shards,
            supports,
        } => Kind::AddNode(v1::AddNode {
            record: Some(nodes::wire_node(*node, record)),
            shards: (*shards).into(),
            // Nothing for the oldest, as its releases wrote.
            supports: match *supports > version::OLDEST {
                true => (*supports).into(),
                false => 0,
            },
        }),
        CatalogueCommand::DrainNode { node } => Kind::DrainNode(*node),
        CatalogueCommand::UndrainNode { node } => Kind::UndrainNode(*node),
        CatalogueCommand::RemoveNode { node } => Kind::RemoveNode(*node),
        CatalogueCommand::NodeGone { node } => Kind::NodeGone(*node),
        CatalogueCommand::Place {
            expected,
            replication,
            groups,
        } => {
            let groups = groups.iter().map(|(group, wish)| (*group, wish));
            Kind::Place(nodes::wire_placement(*expected, *replication, groups))
        }
        CatalogueCommand::ContinueLineage { lineage } => Kind::ContinueLineage(id(*lineage)),
        CatalogueCommand::RaiseVersion { to } => Kind::RaiseVersion((*to).into()),
        CatalogueCommand::CreateKey { key, record } => {
            Kind::CreateKey(keys::wire_key(*key, record))
        }
        CatalogueCommand::RevokeKey { key, at } => Kind::RevokeKey(v1::RevokeKey {
            key: key.0,
            at_ms: at.0,
        }),
        CatalogueCommand::Note => Kind::Note(v1::Empty {}),
    }
}

/// The command these bytes mean.
pub fn decode_command(bytes: &[u8]) -> Result<CatalogueCommand, DecodeError> {
    decode_for(bytes).map(|(_, command)| command)
}

/// The command these bytes mean, and who asked for it.
pub fn decode_for(bytes: &[u8]) -> Result<(Option<Deed>, CatalogueCommand), DecodeError> {
    let wire = v1::CatalogueCommand::decode(bytes)?;
    let by = wire.by.map(trail::deed).transpose()?;
    Ok((by, meant(required(wire.kind, "command")?)?))
}

fn meant(kind: v1::catalogue_command::Kind) -> Result<CatalogueCommand, DecodeError> {
    use v1::catalogue_command::Kind;
    Ok(match kind {
        Kind::FixShards(shards) => CatalogueCommand::FixShards {
            shards: narrow(shards, "shards")?,
        },
        Kind::CreateEvent(wire) => CatalogueCommand::CreateEvent(Box::new(record(wire)?)),
        Kind::ChangeRules(change) => CatalogueCommand::ChangeRules {
            event: EventId(from_id(change.event, "event")?),
            expected: change.expected,
            rules: Box::new(required(change.rules, "rules")?.try_into()?),
        },
        Kind::RecordInstalled(installed) => CatalogueCommand::RecordInstalled {
            event: EventId(from_id(installed.event, "event")?),
            shard: shard(installed.shard, "shard")?,
            version: installed.version,
        },
        Kind::AddNode(add) => {
            let (node, record) = nodes::node(required(add.record, "record")?)?;
            CatalogueCommand::AddNode {
                node,
                record,
                shards: narrow(add.shards, "shards")?,
                supports: narrow::<_, u16>(add.supports, "supports")?.max(version::OLDEST),
            }
        }
        Kind::DrainNode(node) => CatalogueCommand::DrainNode { node },
        Kind::UndrainNode(node) => CatalogueCommand::UndrainNode { node },
        Kind::RemoveNode(node) => CatalogueCommand::RemoveNode { node },
        Kind::NodeGone(node) => CatalogueCommand::NodeGone { node },
        Kind::Place(wire) => {
            let (expected, replication, groups) = nodes::placement_parts(wire)?;
            CatalogueCommand::Place {
                expected,
                replication,
                groups,
            }
        }
        Kind::ContinueLineage(lineage) => CatalogueCommand::ContinueLineage {
            lineage: from_id(Some(lineage), "lineage")?,
        },
        Kind::RaiseVersion(to) => CatalogueCommand::RaiseVersion {
            to: narrow(to, "version")?,
        },
        Kind::CreateKey(wire) => {
            let (key, record) = keys::key(wire)?;
            CatalogueCommand::CreateKey {
                key,
                record: Box::new(record),
            }
        }
        Kind::RevokeKey(wire) => CatalogueCommand::RevokeKey {
            key: KeyId(wire.key),
            at: Timestamp(wire.at_ms),
        },
        Kind::Note(_) => CatalogueCommand::Note,
    })
}

/// The bytes of an outcome.
pub fn encode_outcome(outcome: &CatalogueOutcome) -> Bytes {
    use v1::catalogue_outcome::Kind;
    let kind = match *outcome {
        Ok(CatalogueReceipt::ShardsFixed { shards }) => Kind::ShardsFixed(shards.into()),
        Ok(CatalogueReceipt::EventAt { version }) => Kind::EventAt(version),
        Ok(CatalogueReceipt::InstallRecorded) => Kind::InstallRecorded(v1::Empty {}),
        Ok(CatalogueReceipt::NodeNoted { node }) => Kind::NodeNoted(node),
        Ok(CatalogueReceipt::PlacedAt { version }) => Kind::PlacedAt(version),
        Ok(CatalogueReceipt::LineageContinued) => Kind::LineageContinued(v1::Empty {}),
        Ok(CatalogueReceipt::VersionAt { version }) => Kind::VersionAt(version.into()),
        Ok(CatalogueReceipt::KeyNoted { key }) => Kind::KeyNoted(key.0),
        Ok(CatalogueReceipt::Noted) => Kind::Noted(v1::Empty {}),
        Err(rejection) => {
            let (number, detail) = match rejection {
                CatalogueRejection::Malformed => (1, 0),
                CatalogueRejection::ShardsAreFixed { shards } => (2, shards.into()),
                CatalogueRejection::NoShards => (3, 0),
                CatalogueRejection::EventExistsWithDifferentContent => (4, 0),
                CatalogueRejection::EventInvalid => (5, 0),
                CatalogueRejection::EventUnknown => (6, 0),
                CatalogueRejection::VersionConflict { version } => (7, version),
                CatalogueRejection::EventsMax => (8, 0),
                CatalogueRejection::NodeInvalid => (9, 0),
                CatalogueRejection::NodeIdTaken => (10, 0),
                CatalogueRejection::NodeWasRemoved => (11, 0),
                CatalogueRejection::AddressTaken { node } => (12, node),
                CatalogueRejection::NodesMax => (13, 0),
                CatalogueRejection::NodeUnknown => (14, 0),
                CatalogueRejection::NotPlaced => (15, 0),
                CatalogueRejection::TooFewNodes { replication } => (16, replication),
                CatalogueRejection::NodeIsLeaving => (17, 0),
                CatalogueRejection::NotDrained => (18, 0),
                CatalogueRejection::PlacementConflict { version } => (19, version),
                CatalogueRejection::PlacementInvalid => (20, 0),
                CatalogueRejection::LineageIsFixed => (21, 0),
                CatalogueRejection::VersionTooLow { needs } => (22, needs.into()),
                CatalogueRejection::NodeTooOld { version } => (23, version.into()),
                CatalogueRejection::KeyInvalid => (40, 0),
                CatalogueRejection::KeyIdTaken => (41, 0),
                CatalogueRejection::KeysMax => (42, 0),
                CatalogueRejection::KeyUnknown => (43, 0),
            };
            Kind::Rejection(v1::CatalogueRejection { number, detail })
        }
    };
    v1::CatalogueOutcome { kind: Some(kind) }
        .encode_to_vec()
        .into()
}

/// The outcome these bytes mean.
pub fn decode_outcome(bytes: &[u8]) -> Result<CatalogueOutcome, DecodeError> {
    use v1::catalogue_outcome::Kind;
    let outcome = v1::CatalogueOutcome::decode(bytes)?;
    Ok(match required(outcome.kind, "outcome")? {
        Kind::ShardsFixed(shards) => Ok(CatalogueReceipt::ShardsFixed {
            shards: narrow(shards, "shards")?,
        }),
        Kind::EventAt(version) => Ok(CatalogueReceipt::EventAt { version }),
        Kind::InstallRecorded(_) => Ok(CatalogueReceipt::InstallRecorded),
        Kind::NodeNoted(node) => Ok(CatalogueReceipt::NodeNoted { node }),
        Kind::PlacedAt(version) => Ok(CatalogueReceipt::PlacedAt { version }),
        Kind::LineageContinued(_) => Ok(CatalogueReceipt::LineageContinued),
        Kind::VersionAt(version) => Ok(CatalogueReceipt::VersionAt {
            version: narrow(version, "version")?,
        }),
        Kind::KeyNoted(key) => Ok(CatalogueReceipt::KeyNoted { key: KeyId(key) }),
        Kind::Noted(_) => Ok(CatalogueReceipt::Noted),
        Kind::Rejection(rejection) => Err(match rejection.number {
            1 => CatalogueRejection::Malformed,
            2 => CatalogueRejection::ShardsAreFixed {
                shards: narrow(rejection.detail, "shards")?,
            },
            3 => CatalogueRejection::NoShards,
            4 => CatalogueRejection::EventExistsWithDifferentContent,
            5 => CatalogueRejection::EventInvalid,
            6 => CatalogueRejection::EventUnknown,
            7 => CatalogueRejection::VersionConflict {
                version: rejection.detail,
            },
            8 => CatalogueRejection::EventsMax,
            9 => CatalogueRejection::NodeInvalid,
            10 => CatalogueRejection::NodeIdTaken,
            11 => CatalogueRejection::NodeWasRemoved,
            12 => CatalogueRejection::AddressTaken {
                node: rejection.detail,
            },
            13 => CatalogueRejection::NodesMax,
            14 => CatalogueRejection::NodeUnknown,
            15 => CatalogueRejection::NotPlaced,
            16 => CatalogueRejection::TooFewNodes {
                replication: rejection.detail,
            },
            17 => CatalogueRejection::NodeIsLeaving,
            18 => CatalogueRejection::NotDrained,
            19 => CatalogueRejection::PlacementConflict {
                version: rejection.detail,
            },
            20 => CatalogueRejection::PlacementInvalid,
            21 => CatalogueRejection::LineageIsFixed,
            22 => CatalogueRejection::VersionTooLow {
                needs: narrow(rejection.detail, "version")?,
            },
            23 => CatalogueRejection::NodeTooOld {
                version: narrow(rejection.detail, "version")?,
            },
            40 => CatalogueRejection::KeyInvalid,
            41 => CatalogueRejection::KeyIdTaken,
            42 => CatalogueRejection::KeysMax,
            43 => CatalogueRejection::KeyUnknown,
            _ => return Err(DecodeError::Missing("rejection.number")),
        }),
    })
}
