//! The trail and those it names.

use ledger::Timestamp;
use proto::DecodeError;
use proto::convert::ids::{from_id, id};
use proto::error::{narrow, required};
use proto::v1;

use crate::catalogue::{Deed, KeyId, TrailRecord, Who};

pub(super) fn wire_record(record: &TrailRecord) -> v1::TrailRecord {
    v1::TrailRecord {
        number: record.number,
        at_ms: record.at.0,
        deed: Some(wire_deed(&record.deed)),
    }
}

pub(super) fn record(wire: v1::TrailRecord) -> Result<TrailRecord, DecodeError> {
    Ok(TrailRecord {
        number: wire.number,
        at: Timestamp(wire.at_ms),
        deed: deed(required(wire.deed, "trail.deed")?)?,
    })
}

pub(super) fn wire_deed(deed: &Deed) -> v1::Deed {
    v1::Deed {
        id: Some(id(deed.id)),
        who: Some(wire_who(&deed.who)),
        request: deed.request.clone(),
        action: deed.action.clone(),
        about: deed.about.clone(),
    }
}

pub(super) fn deed(wire: v1::Deed) -> Result<Deed, DecodeError> {
    Ok(Deed {
        id: from_id(wire.id, "deed.id")?,
        who: who(required(wire.who, "deed.who")?)?,
        request: wire.request,
        action: wire.action,
        about: wire.about,
    })
}

fn wire_who(who: &Who) -> v1::Who {
    let (kind, number, name, role) = match who {
        Who::Unproven => (1, None, "", ""),
        Who::Certificate { name, role } => (2, None, name.as_str(), role.as_str()),
        Who::Key { id, name, role } => (3, Some(id.0.into()), name.as_str(), role.as_str()),
        Who::Person { id, role } => (4, Some(*id), "", role.as_str()),
        Who::CommandLine => (5, None, "", ""),
    };
    v1::Who {
        kind,
        id: number.map(id),
        name: name.to_owned(),
        role: role.to_owned(),
    }
}

fn who(wire: v1::Who) -> Result<Who, DecodeError> {
    let (name, role) = (wire.name, wire.role);
    Ok(match wire.kind {
        1 => Who::Unproven,
        2 => Who::Certificate { name, role },
        3 => Who::Key {
            id: KeyId(narrow(from_id(wire.id, "who.id")?, "who.id")?),
            name,
            role,
        },
        4 => Who::Person {
            id: from_id(wire.id, "who.id")?,
            role,
        },
        5 => Who::CommandLine,
        _ => return Err(DecodeError::Missing("who.kind")),
    })
}
