//! Tokens verified before. A buyer sends the same one with every request; verifying it again would
//! be most of a poll's cost.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use ledger::Timestamp;

use super::Caller;

const PARTS: usize = 16;
const TOKENS_PER_PART_MAX: usize = 4_096;

/// Tokens with their callers, by hash.
type Part = HashMap<u64, (Box<str>, Caller)>;

/// A bounded set of verified tokens. Compared whole: a hash alone would make a collision an
/// identity.
pub struct Verified {
    hasher: RandomState,
    parts: [Mutex<Part>; PARTS],
}

impl Default for Verified {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            parts: Default::default(),
        }
    }
}

impl Verified {
    /// The caller of a token that was verified before and has not ended since.
    pub fn get(&self, token: &str, now: Timestamp) -> Option<Caller> {
        let hash = self.hasher.hash_one(token);
        let part = self
            .part(hash)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (known, caller) = part.get(&hash)?;
        (**known == *token && now < caller.until).then_some(*caller)
    }

    /// Remembers a verified token. A full part forgets all it has: simple, and rare enough.
    pub fn put(&self, token: &str, caller: Caller) {
        let hash = self.hasher.hash_one(token);
        let mut part = self
            .part(hash)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if part.len() >= TOKENS_PER_PART_MAX {
            part.clear();
        }
        part.insert(hash, (token.into(), caller));
    }

    fn part(&self, hash: u64) -> &Mutex<Part> {
        &self.parts[(hash >> 60) as usize % PARTS]
    }
}
