//! How far each other shard's messages have been applied.

use std::collections::BTreeMap;

use probes::Bug;

use crate::ids::ShardId;
use crate::outcome::Rejection;

/// Number of the last message applied, by sender.
#[derive(Clone, Debug, Default)]
pub struct Inboxes {
    last: BTreeMap<ShardId, u64>,
}

impl Inboxes {
    pub(crate) fn last(&self, from: ShardId) -> u64 {
        self.last.get(&from).copied().unwrap_or(0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ShardId, u64)> + '_ {
        self.last.iter().map(|(from, last)| (*from, *last))
    }

    pub(crate) fn restore(&mut self, from: ShardId, last: u64) {
        self.last.insert(from, last);
    }

    /// How many of `count` messages numbered from `first` are repeats; the rest is now taken as
    /// applied.
    pub(crate) fn accept(
        &mut self,
        from: ShardId,
        first: u64,
        count: usize,
    ) -> Result<usize, Rejection> {
        let last = self.last(from);
        if first > last + 1 {
            // Never, unless somebody forgot: a sender leaves out what was acknowledged, no more.
            return Err(Rejection::DeliveryGap { expected: last + 1 });
        }
        let repeats = (last + 1).saturating_sub(first).min(count as u64);
        if repeats > 0 {
            probes::reached(probes::Mark::DeliveredAgain);
        }
        let through = first.saturating_add(count as u64).saturating_sub(1);
        if through > last {
            self.last.insert(from, through);
        }
        if repeats > 0 && probes::planted(Bug::RepeatHandledAgain) {
            return Ok(0);
        }
        Ok(repeats as usize)
    }
}
