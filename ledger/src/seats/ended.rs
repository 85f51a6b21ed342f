//! Legs that are over: a `HoldLeg` that comes late must not hold for them again.
//!
//! Remembered until no hold of the leg could still be running, and at most
//! [`ENDED_LEGS_MAX`](crate::limits::ENDED_LEGS_MAX) of them. One forgotten too early does no
//! lasting harm: its late hold ends at its own deadline, and its home releases it again.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::ids::{LegKey, Timestamp};
use crate::limits::ENDED_LEGS_MAX;
use crate::table::Table;

/// The legs that are over; see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    until: Table<LegKey, Timestamp>,
    by_time: BTreeSet<(Timestamp, LegKey)>,
}

impl Ended {
    /// Forgotten in one go, so that no command pays for many.
    const FORGET_MAX: usize = 4;

    pub(super) fn contains(&self, leg: LegKey) -> bool {
        !self.until.is_empty() && self.until.contains(&leg)
    }

    /// Remembers `leg` until a moment, or longer if it was remembered for longer.
    pub(super) fn remember(&mut self, leg: LegKey, until: Timestamp, now: Timestamp) {
        if let Some(before) = self.until.get(&leg).copied() {
            if before >= until {
                return;
            }
            self.by_time.remove(&(before, leg));
        }
        self.until.insert(leg, until);
        self.by_time.insert((until, leg));
        self.forget_some(now);
    }

    fn forget_some(&mut self, now: Timestamp) {
        for _ in 0..Self::FORGET_MAX {
            let Some((until, leg)) = self.by_time.first().copied() else {
                return;
            };
            if until > now && self.by_time.len() <= ENDED_LEGS_MAX {
                return;
            }
            self.by_time.pop_first();
            self.until.remove(&leg);
        }
    }

    /// All of them, by when they are forgotten.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Timestamp, LegKey)> + '_ {
        self.by_time.iter().copied()
    }

    pub(super) fn digest(&self, digest: &mut Digest) {
        digest.put_table("ended legs", self.by_time.len());
        for (until, leg) in self.iter() {
            digest.put_time(until);
            digest.put_leg(leg);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.until.heap_bytes() + self.by_time.len() * size_of::<(Timestamp, LegKey)>() * 3 / 2
    }
}
