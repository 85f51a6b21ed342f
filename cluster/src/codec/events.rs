//! Events.

use ledger::Timestamp;
use proto::DecodeError;
use proto::convert::ids::{from_id, id};
use proto::error::required;
use proto::v1;

use crate::catalogue::EventRecord;

pub(super) fn wire_record(record: &EventRecord) -> v1::EventRecord {
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

pub(super) fn record(wire: v1::EventRecord) -> Result<EventRecord, DecodeError> {
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
