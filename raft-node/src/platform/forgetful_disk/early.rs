//! How a disk forgets: what it writes back before its time, and for how long its syncs are honest.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::platform::sim_disk::Chance;

/// A disk that lies is honest for fewer syncs than this.
const HONEST_SYNCS_MAX: usize = 300;

/// How it forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// Whatever is not synced, as the seed has it: `None` forgets all of it, else some is written
    /// back early.
    Unsynced(Option<u64>),
    /// Lies: from some sync on, which the seed says, none is carried through, and all of them say
    /// they were. No node can keep its word on such a disk, and whoever judges one has to notice.
    Synced(u64),
}

impl FromStr for Forgetting {
    type Err = String;

    /// `forgets`, `forgets:SEED` or `lies:SEED`.
    fn from_str(words: &str) -> Result<Self, String> {
        let (how, seed) = match words.split_once(':') {
            Some((how, seed)) => (how, Some(seed.parse().map_err(|_| "not a seed")?)),
            None => (words, None),
        };
        match (how, seed) {
            ("forgets", early) => Ok(Self::Unsynced(early)),
            ("lies", Some(seed)) => Ok(Self::Synced(seed)),
            _ => Err("neither forgets, forgets:SEED nor lies:SEED".to_owned()),
        }
    }
}

/// What is written back before its time, and for how long syncs are honest.
pub(super) struct Early {
    chance: Mutex<Option<Chance>>,
    /// Syncs until the lies begin; `None` for a disk that is honest.
    honest: Option<AtomicU64>,
}

impl Early {
    pub(super) fn new(forgetting: Forgetting) -> Self {
        let (chance, honest) = match forgetting {
            Forgetting::Unsynced(early) => (early.map(Chance), None),
            Forgetting::Synced(seed) => (None, Some(Chance(seed).below(HONEST_SYNCS_MAX) as u64)),
        };
        Self {
            chance: Mutex::new(chance),
            honest: honest.map(AtomicU64::new),
        }
    }

    /// A number below `bound`, if there is a seed.
    pub(super) fn below(&self, bound: usize) -> Option<usize> {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.as_mut().map(|chance| chance.below(bound))
    }

    pub(super) fn one_in(&self, count: usize) -> bool {
        self.below(count) == Some(0)
    }

    /// Whether the sync asked for now is not to be carried through.
    pub(super) fn lies(&self) -> bool {
        let Some(honest) = &self.honest else {
            return false;
        };
        let left = honest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        left.is_err()
    }
}
