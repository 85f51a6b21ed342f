//! The catalogue's bytes: total conversions between its types and `proto`'s.

use bytes::Bytes;
use ledger::{EventId, Timestamp};
use prost::Message;
use proto::DecodeError;
use proto::convert::ids::{from_id, id, shard};
use proto::error::{narrow, required};
use proto::v1;

use crate::catalogue::*;

/// The bytes of a command.
pub fn encode_command(command: &CatalogueCommand) -> Bytes {
    use v1::catalogue_command::Kind;
    let kind = match command {
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
        CatalogueCommand::ContinueLineage { lineage } => Kind::ContinueLineage(id(*lineage)),
    };
    v1::CatalogueCommand { kind: Some(kind) }
        .encode_to_vec()
        .into()
}

/// The command these bytes mean.
pub fn decode_command(bytes: &[u8]) -> Result<CatalogueCommand, DecodeError> {
    use v1::catalogue_command::Kind;
    let command = v1::CatalogueCommand::decode(bytes)?;
    Ok(match required(command.kind, "command")? {
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
        Kind::ContinueLineage(lineage) => CatalogueCommand::ContinueLineage {
            lineage: from_id(Some(lineage), "lineage")?,
        },
    })
}

/// The bytes of an outcome.
pub fn encode_outcome(outcome: &CatalogueOutcome) -> Bytes {
    use v1::catalogue_outcome::Kind;
    let kind = match *outcome {
        Ok(CatalogueReceipt::ShardsFixed { shards }) => Kind::ShardsFixed(shards.into()),
        Ok(CatalogueReceipt::EventAt { version }) => Kind::EventAt(version),
        Ok(CatalogueReceipt::InstallRecorded) => Kind::InstallRecorded(v1::Empty {}),
        Ok(CatalogueReceipt::LineageContinued) => Kind::LineageContinued(v1::Empty {}),
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
                CatalogueRejection::LineageIsFixed => (9, 0),
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
        Kind::LineageContinued(_) => Ok(CatalogueReceipt::LineageContinued),
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
            9 => CatalogueRejection::LineageIsFixed,
            _ => return Err(DecodeError::Missing("rejection.number")),
        }),
    })
}

/// A catalogue as snapshot parts: the number of shards, the lineage if it has one, every event, who
/// has what.
pub fn save(catalogue: &Catalogue) -> Vec<Bytes> {
    use v1::catalogue_part::Kind;
    let shards = catalogue.router().map_or(0, |router| router.count());
    let events = catalogue
        .events()
        .map(|record| Kind::Event(wire_record(record)));
    let installed = catalogue.installed().map(|(event, shard, version)| {
        Kind::Installed(v1::RecordInstalled {
            event: Some(id(event.0)),
            shard: shard.0.into(),
            version,
        })
    });
    let lineage = catalogue
        .lineage()
        .map(|lineage| Kind::Lineage(id(lineage)));
    std::iter::once(Kind::Shards(shards.into()))
        .chain(lineage)
        .chain(events)
        .chain(installed)
        .map(|kind| {
            v1::CataloguePart { kind: Some(kind) }
                .encode_to_vec()
                .into()
        })
        .collect()
}

/// The catalogue these parts mean; the number of the first bad part otherwise.
pub fn restore(parts: &[Bytes]) -> Result<Catalogue, (usize, DecodeError)> {
    use v1::catalogue_part::Kind;
    let (mut shards, mut lineage) = (0, None);
    let (mut events, mut installed) = (Vec::new(), Vec::new());
    for (number, part) in parts.iter().enumerate() {
        let mut take = || {
            let part = v1::CataloguePart::decode(part.as_ref())?;
            match required(part.kind, "part")? {
                Kind::Shards(count) => shards = narrow(count, "shards")?,
                Kind::Lineage(wire) => lineage = Some(from_id(Some(wire), "lineage")?),
                Kind::Event(wire) => events.push(record(wire)?),
                Kind::Installed(wire) => installed.push((
                    EventId(from_id(wire.event, "event")?),
                    shard(wire.shard, "shard")?,
                    wire.version,
                )),
            }
            Ok(())
        };
        take().map_err(|error| (number, error))?;
    }
    Ok(Catalogue::from_parts(shards, lineage, events, installed))
}

fn wire_record(record: &EventRecord) -> v1::EventRecord {
    v1::EventRecord {
        plan: Some((&record.plan).into()),
        name: record.name.clone(),
        venue: record.venue.clone(),
        section_names: record.section_names.clone(),
        organizer: Some(id(record.organizer)),
        created_at_ms: record.created_at.0,
        asked: record.asked.map(id),
    }
}

fn record(wire: v1::EventRecord) -> Result<EventRecord, DecodeError> {
    Ok(EventRecord {
        plan: required(wire.plan, "plan")?.try_into()?,
        name: wire.name,
        venue: wire.venue,
        section_names: wire.section_names,
        organizer: from_id(wire.organizer, "organizer")?,
        created_at: Timestamp(wire.created_at_ms),
        asked: wire
            .asked
            .map(|asked| from_id(Some(asked), "asked"))
            .transpose()?,
    })
}
