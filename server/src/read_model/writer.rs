//! The one writer: takes facts from the inbox, writes them, rebuilds what lacks some.
//!
//! It has a thread of its own and works at most a stated share of the time, because machines and
//! buyers need the cores more. It cannot hold anybody up: whoever leaves facts never waits, and a
//! database that panics, fails or hangs concerns this thread alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ledger::{Ledger, ShardId};
use raft_node::platform::Clock;

use super::batch::Batch;
use super::codec::Standing;
use super::inbox::{Delivery, Entry, FACTS_MAX, Inbox};
use super::lists;
use super::rebuild::Base;
use super::store::{self, Owner, Slot, Store, StoreError};
use crate::node::machines::Shared;

/// How the writer shares the machine with everybody else.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Facts wait this long, so that many are written at once.
    pub beat: Duration,
    /// Longest work between two rests.
    pub work: Duration,
    /// A database is made durable this often.
    pub flush: Duration,
    /// Time between two rebuilds of a shard, or two tries to open a database.
    pub retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            beat: Duration::from_millis(100),
            // A twenty-fifth of a core: it is a convenience, and a rush is when cores are short.
            work: Duration::from_millis(4),
            flush: Duration::from_secs(2),
            retry: Duration::from_secs(60),
        }
    }
}

/// How often a database that lacks room is opened again.
const ROOM_EVERY: Duration = Duration::from_secs(1);
/// Facts in one batch, at most about.
const BATCH_FACTS: usize = 1_000;

/// What the writer works with.
pub struct Writer {
    pub(super) inbox: Arc<Inbox>,
    pub(super) slot: Arc<Slot>,
    pub(super) ledgers: BTreeMap<ShardId, Arc<Shared<Ledger>>>,
    pub(super) root: PathBuf,
    pub(super) owner: Owner,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pace: Pace,
    /// How far each shard's part goes; `None`: it lacks facts.
    pub(super) standings: BTreeMap<ShardId, Option<Standing>>,
    /// Number of the last fact of each shard that is in people's lists.
    pub(super) listed: BTreeMap<ShardId, u64>,
    /// When each shard was last rebuilt; a database was last opened under `None`.
    pub(super) tried: BTreeMap<Option<ShardId>, Duration>,
    pub(super) rested_at: Duration,
    /// Held from before the first database is opened to the end.
    pub(super) lock: Option<std::fs::File>,
    /// Number of the newest database this process had in use.
    pub(super) newest: u64,
    /// The one before, as long as somebody reads it.
    pub(super) last: Weak<Store>,
    /// There is no room on the disk. Facts wait where they are.
    pub(super) starving: bool,
    /// Facts that no flush has spoken of yet: what is lost with a database that had no room for them.
    pub(super) kept: Vec<Delivery>,
}

impl Writer {
    /// Works until told to stop. Blocks its thread.
    pub fn run(mut self) {
        let mut flushed_at = self.clock.monotonic();
        loop {
            let stopping = self.inbox.rest(self.pace.beat);
            self.rested_at = self.clock.monotonic();
            self.look_after_the_store();
            if !self.starving {
                self.take();
                let now = self.clock.monotonic();
                let kept = self.kept.iter().map(|kept| kept.changes.len());
                let much = kept.sum::<usize>() > FACTS_MAX;
                if stopping || much || now.saturating_sub(flushed_at) >= self.pace.flush {
                    flushed_at = now;
                    self.flush();
                }
            }
            if stopping {
                self.slot.put(None);
                return;
            }
            if !self.starving {
                self.rebuild_one();
                let complete = self.list();
                self.slot.set_complete(complete);
            }
        }
    }

    /// Takes what machines left and writes it.
    fn take(&mut self) {
        // Facts of everything a ledger had applied before this look are in the delivery.
        let seen = self.sequences();
        let empty = self.kept.pop_if(|kept| kept.entries.is_empty());
        let delivery = self.inbox.collect(empty.unwrap_or_default());
        if !delivery.entries.is_empty() {
            // Before the feed shows what lists do not: they must not say that they are complete.
            self.slot.set_complete(false);
        }
        self.write(&delivery);
        self.kept.push(delivery);
        self.notice_gaps(&seen);
    }

    /// Makes durable what was written.
    fn flush(&mut self) {
        let flushed = self.slot.with(|store| Ok(store.db.flush()?));
        // One without room is written to again; any other that failed is built anew.
        if flushed.is_some() || !self.slot.starved() {
            let one = self.kept.pop().unwrap_or_default();
            self.kept.clear();
            self.kept.push(one.emptied());
        }
    }

    /// Opens a database when there is none, or none of use.
    fn look_after_the_store(&mut self) {
        if self.slot.with(|_| Ok(())).is_some() {
            return;
        }
        self.starving |= self.slot.starved();
        let wait = match self.starving {
            true => self.pace.retry.min(ROOM_EVERY),
            false => self.pace.retry,
        };
        if !self.due(None, wait) {
            return;
        }
        self.slot.set_complete(false);
        let old = self.slot.put(None);
        if old.strong_count() > 0 {
            self.last = old;
        }
        if self.last.strong_count() > 0 {
            // Two of them in one directory would not get on; its readers are done soon.
            return;
        }
        let shards: Vec<_> = self.ledgers.keys().copied().collect();
        self.standings = shards.iter().map(|shard| (*shard, None)).collect();
        self.tried.clear();
        self.tried.insert(None, self.clock.monotonic());
        let locked = match self.lock.take() {
            Some(lock) => Ok(lock),
            None => store::lock(&self.root),
        };
        let locked = locked.map(|lock| self.lock = Some(lock));
        // The one that had no room is good.
        let given_up = self.newest.saturating_sub(self.starving.into());
        let open = |()| store::open(&self.root, self.owner, &shards, given_up);
        let opened = locked.and_then(open).and_then(|store| {
            let standings = read_all(&shards, |shard| store.standing(shard))?;
            let listed = read_all(&shards, |shard| store.listed(shard))?;
            Ok((store, standings, listed))
        });
        match opened {
            Ok((store, standings, listed)) => {
                (self.standings, self.listed) = (standings, listed);
                self.newest = store.number();
                self.slot.put(Some(store));
                let kept = std::mem::take(&mut self.kept);
                if std::mem::take(&mut self.starving) {
                    // Whatever it did not get for want of room; it knows the rest.
                    kept.iter().for_each(|delivery| self.write(delivery));
                    self.kept = kept;
                }
            }
            Err(error) => {
                let known = std::mem::replace(&mut self.starving, error.lacks_room());
                if !(known && self.starving) {
                    tracing::warn!(%error, "no read model for now: buyers' lists and feeds are not served here");
                }
            }
        }
    }

    /// Number of the last fact of each ledger.
    fn sequences(&self) -> Vec<(ShardId, u64)> {
        let sequence = |shared: &Shared<Ledger>| shared.look(|ledger, _, _| ledger.feed_sequence());
        self.ledgers
            .iter()
            .map(|(shard, shared)| (*shard, sequence(shared)))
            .collect()
    }

    fn write(&mut self, delivery: &Delivery) {
        let mut batch = Batch::default();
        let mut rest = &delivery.changes[..];
        for entry in &delivery.entries {
            let (changes, after) = rest.split_at(entry.facts);
            rest = after;
            let Some(standing) = self.standings.get_mut(&entry.shard) else {
                continue;
            };
            match standing.map(|standing| place(&standing, entry)) {
                Some(Place::Next) => {
                    *standing = standing.map(|before| batch.add(before, entry, changes));
                }
                Some(Place::Known) | None => {}
                Some(Place::Beyond) => *standing = None,
            }
            if batch.facts() >= BATCH_FACTS {
                self.apply(std::mem::take(&mut batch));
                self.breathe();
            }
        }
        self.apply(batch);
    }

    fn apply(&mut self, batch: Batch) {
        if batch.facts() > 0 {
            self.slot
                .with(|store| Ok(store.db.apply_batch(batch.into_sled())?));
        }
    }

    /// A part that is not as far as its ledger was lacks facts that will not come.
    fn notice_gaps(&mut self, seen: &[(ShardId, u64)]) {
        for (shard, sequence) in seen {
            if let Some(standing) = self.standings.get_mut(shard)
                && standing.is_some_and(|standing| standing.through < *sequence)
            {
                tracing::info!(%shard, "the read model fell behind");
                *standing = None;
            }
        }
    }

    /// Rebuilds a part that lacks facts; one at a time, and not too often.
    fn rebuild_one(&mut self) {
        let lacking = self
            .standings
            .iter()
            .filter(|(_, standing)| standing.is_none());
        let shards: Vec<ShardId> = lacking.map(|(shard, _)| *shard).collect();
        let Some(shard) = shards
            .into_iter()
            .find(|shard| self.due(Some(*shard), self.pace.retry))
        else {
            return;
        };
        let slot = self.slot.clone();
        let rebuilt = slot.with(|store| {
            let base = {
                let (ledger, index, _) = self.ledgers[&shard].copy();
                Base::of(&ledger, index)
            };
            base.write(store, || self.breathe())
        });
        self.tried.insert(Some(shard), self.clock.monotonic());
        if let Some(Some(standing)) = rebuilt {
            tracing::info!(%shard, facts = standing.through, "the read model was rebuilt");
            self.standings.insert(shard, Some(standing));
            self.listed.insert(shard, standing.through);
        }
    }

    /// Brings people's lists nearer to the feed, for as long as this beat's work may last. Whether
    /// they, and all facts, are there.
    fn list(&mut self) -> bool {
        for (shard, standing) in &self.standings {
            let Some(standing) = standing else {
                return false;
            };
            let listed = self.listed.entry(*shard).or_default();
            // A feed that begins anew begins behind what a rebuild listed.
            *listed = (*listed).max(standing.first - 1);
            while *listed < standing.through {
                if self.clock.monotonic().saturating_sub(self.rested_at) >= self.pace.work {
                    return false;
                }
                let step = self
                    .slot
                    .with(|store| lists::follow(store, *shard, *listed));
                let Some(Some(through)) = step else {
                    return false;
                };
                *listed = through;
            }
        }
        true
    }

    fn due(&self, what: Option<ShardId>, wait: Duration) -> bool {
        let now = self.clock.monotonic();
        self.tried
            .get(&what)
            .is_none_or(|at| now.saturating_sub(*at) >= wait)
    }

    /// Rests when it has worked long enough. Whether it is time to stop.
    fn breathe(&mut self) -> bool {
        let worked = self.clock.monotonic().saturating_sub(self.rested_at);
        if worked < self.pace.work {
            return false;
        }
        let stopping = self.inbox.rest(self.pace.beat);
        self.rested_at = self.clock.monotonic();
        stopping
    }
}

fn read_all<T>(
    shards: &[ShardId],
    read: impl Fn(ShardId) -> Result<T, StoreError>,
) -> Result<BTreeMap<ShardId, T>, StoreError> {
    store::guarded(|| {
        let read = |shard: &ShardId| Ok((*shard, read(*shard)?));
        shards.iter().map(read).collect()
    })
}

/// How an entry's facts relate to those a part has.
enum Place {
    /// They follow.
    Next,
    /// They are there: the log is being replayed.
    Known,
    /// Some are missing before them, or the part is another history's.
    Beyond,
}

fn place(standing: &Standing, entry: &Entry) -> Place {
    let last = entry.first + entry.facts as u64 - 1;
    if entry.first == standing.through + 1 {
        return Place::Next;
    }
    // The same fact always comes in the same entry.
    let same = last != standing.through || entry.index == standing.index;
    // A part that was rebuilt in the middle of nothing starts between two entries.
    if last <= standing.through && same {
        Place::Known
    } else {
        Place::Beyond
    }
}
