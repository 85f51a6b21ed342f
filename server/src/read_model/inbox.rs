//! Where machines leave facts for the writer. Bounded: facts that do not fit are dropped, the
//! writer notices by their numbers, and the shard's part of the model is rebuilt. A machine never
//! waits here for more than a copy.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger::change::Change;
use ledger::{Ledger, ShardId, Timestamp};

/// Facts waiting, at most: some 20 MB, and seconds of the busiest sale.
pub const FACTS_MAX: usize = 120_000;

/// An entry that had facts.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its shard.
    pub shard: ShardId,
    /// Its log index.
    pub index: u64,
    /// Its time.
    pub at: Timestamp,
    /// Number of its first fact.
    pub first: u64,
    /// How many facts.
    pub facts: usize,
}

/// Entries and their facts, in the order they were left.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Their facts, one entry's behind the other's.
    pub changes: Vec<Change>,
}

impl Delivery {
    /// Empties it, keeping its memory.
    pub fn emptied(mut self) -> Self {
        self.entries.clear();
        self.changes.clear();
        self
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Delivery>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl Inbox {
    /// Takes the facts of the entry just applied, or drops them when there are too many.
    pub fn leave(&self, ledger: &mut Ledger, index: u64, at: Timestamp) {
        let (shard, last) = (ledger.shard(), ledger.feed_sequence());
        let changes = ledger.take_changes();
        let facts = changes.len();
        if facts == 0 {
            return;
        }
        let mut waiting = lock(&self.waiting);
        if waiting.changes.len() + facts > FACTS_MAX {
            return;
        }
        let first = last + 1 - facts as u64;
        waiting.entries.push(Entry {
            shard,
            index,
            at,
            first,
            facts,
        });
        waiting.changes.extend(changes);
    }

    /// Everything left so far; `empty` is what is filled next.
    pub fn collect(&self, empty: Delivery) -> Delivery {
        std::mem::replace(&mut *lock(&self.waiting), empty)
    }

    /// Waits; `true` when it is time to stop.
    pub fn rest(&self, time: Duration) -> bool {
        let stopped = lock(&self.stopped);
        let rested = self
            .stop
            .wait_timeout_while(stopped, time, |stopped| !*stopped);
        *rested.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The writer is to finish.
    pub fn stop(&self) {
        *lock(&self.stopped) = true;
        self.stop.notify_all();
    }
}

// Nothing that may panic happens under these locks but pushes to vectors, which leave them whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
