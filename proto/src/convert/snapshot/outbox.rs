//! Unacknowledged messages to one shard.

use ledger::parts::OutboxPart;

use super::super::ids::shard;
use super::counter;
use crate::error::DecodeError;
use crate::v1;

impl From<&OutboxPart> for v1::SavedOutbox {
    fn from(part: &OutboxPart) -> Self {
        Self {
            to: part.to.0.into(),
            first: part.first,
            messages: part.messages.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::SavedOutbox> for OutboxPart {
    type Error = DecodeError;

    fn try_from(part: v1::SavedOutbox) -> Result<Self, DecodeError> {
        Ok(Self {
            to: shard(part.to, "outbox.to")?,
            first: counter(part.first, "outbox.first")?,
            messages: super::all(part.messages, TryInto::try_into)?,
        })
    }
}
