//! Single values of a shard, and how many parts follow.

use ledger::parts::Head;
use ledger::{Generation, Timestamp};

use super::super::ids::shard;
use super::counter;
use crate::error::DecodeError;
use crate::v1;

pub(super) fn encode(head: &Head, parts: u32) -> v1::SavedHead {
    let inbox = |(from, last): &(ledger::ShardId, u64)| v1::SavedInbox {
        from: from.0.into(),
        last: *last,
    };
    v1::SavedHead {
        shard: head.shard.0.into(),
        parts,
        now_ms: head.now.0,
        applied: head.applied,
        generation: head.generation.0,
        hold_ms_longest: head.hold_ms_longest,
        received: head.received.iter().map(inbox).collect(),
        feed_sequence: head.feed_sequence,
    }
}

impl TryFrom<v1::SavedHead> for Head {
    type Error = DecodeError;

    fn try_from(head: v1::SavedHead) -> Result<Self, DecodeError> {
        let inbox = |inbox: v1::SavedInbox| {
            Ok::<_, DecodeError>((
                shard(inbox.from, "head.received.from")?,
                counter(inbox.last, "head.received.last")?,
            ))
        };
        Ok(Self {
            shard: shard(head.shard, "head.shard")?,
            now: Timestamp(head.now_ms),
            applied: counter(head.applied, "head.applied")?,
            generation: Generation(counter(head.generation, "head.generation")?),
            hold_ms_longest: head.hold_ms_longest,
            received: super::all(head.received, inbox)?,
            feed_sequence: counter(head.feed_sequence, "head.feed_sequence")?,
        })
    }
}
