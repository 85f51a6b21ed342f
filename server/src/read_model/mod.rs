//! The node's read model: orders and tickets by person, what became of a seat, and the feed of
//! facts with numbers that have no gaps. In sled, beside the log, never before it.
//!
//! ```text
//! LedgerMachine::apply ──facts──► inbox ──► writer ──feed──► store (sled) ◄── queries
//!        never waits              bounded   own thread │ ▲   thrown away when in doubt
//!                                             lists ◄──┘ └─ later, as time allows
//! ```
//!
//! It protects no promise and may break none: it is fed from applied entries and can be built from
//! a ledger at any time. Missing, damaged, foreign or behind means rebuilt, never a node that does
//! not start or a machine that waits. A feed tells which numbers it has: after a rebuild it begins
//! behind the ledger's last fact, and what it tells from there on is the same on every node. A full disk
//! is no damage: the database is closed, facts wait, and it goes on where it was when there is room.

mod batch;
mod codec;
mod inbox;
mod keys;
mod lists;
mod query;
mod rebuild;
mod store;
#[cfg(all(test, not(madsim)))]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::history::{FeedPage, History, HistoryError, Listing, OrderLine, SeatHistory};
use ledger::tickets::Ticket;
use ledger::{BuyerId, Ledger, SeatNo, SectionKey, ShardId};
use raft_node::platform::Platform;
use tokio::sync::Semaphore;

use crate::node::machines::Shared;
pub use inbox::Inbox;
pub use store::Owner;
use store::Slot;
pub use writer::Pace;
use writer::Writer;

/// Questions answered at once; a database that hangs must not take all threads.
const QUESTIONS_MAX: usize = 32;
/// How long a stopping node waits for the last facts to be written.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// A node's read model. Dropping it stops its writer.
pub struct ReadModel {
    inbox: Arc<Inbox>,
    slot: Arc<Slot>,
    questions: Semaphore,
    written: Arc<Semaphore>,
}

impl ReadModel {
    /// Starts the writer, which opens the database under `root`. `inbox` is where the machines of
    /// `ledgers` leave their facts.
    pub fn start(
        root: PathBuf,
        owner: Owner,
        inbox: Arc<Inbox>,
        ledgers: BTreeMap<ShardId, Arc<Shared<Ledger>>>,
        platform: &Platform,
        pace: Pace,
    ) -> Self {
        let slot = Arc::new(Slot::default());
        let written = Arc::new(Semaphore::new(0));
        let writer = Writer {
            inbox: inbox.clone(),
            slot: slot.clone(),
            ledgers,
            root,
            owner,
            clock: platform.clock.clone(),
            pace,
            standings: BTreeMap::new(),
            listed: BTreeMap::new(),
            tried: BTreeMap::new(),
            rested_at: platform.clock.monotonic(),
            lock: None,
            newest: 0,
            last: std::sync::Weak::new(),
            starving: false,
            kept: Vec::new(),
        };
        let done = written.clone();
        platform.spawner.spawn_io(
            "read-model",
            Box::pin(async move {
                let done = Done(done);
                writer.run();
                drop(done);
            }),
        );
        Self {
            inbox,
            slot,
            questions: Semaphore::new(QUESTIONS_MAX),
            written,
        }
    }

    /// Writes what was left and closes the database; gives up when that takes too long.
    pub async fn stop(&self) {
        self.inbox.stop();
        if tokio::time::timeout(STOP_WITHIN, self.written.acquire())
            .await
            .is_err()
        {
            tracing::warn!("the read model did not close in time");
        }
    }

    /// Whether its database is open.
    pub fn is_open(&self) -> bool {
        self.slot.is_open()
    }

    /// Whether every shard's facts are in it, but for the last moment's.
    pub fn complete(&self) -> bool {
        self.slot.complete()
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(&store::Store) -> Result<T, store::StoreError>,
    ) -> Result<T, HistoryError> {
        let _place = self
            .questions
            .try_acquire()
            .map_err(|_| HistoryError::NotReady)?;
        self.slot.with(question).ok_or(HistoryError::NotReady)
    }
}

impl Drop for ReadModel {
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

/// Tells that the writer's thread is done, however it ended.
struct Done(Arc<Semaphore>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

impl History for ReadModel {
    fn orders_of(&self, buyer: BuyerId, limit: usize) -> Result<Listing<OrderLine>, HistoryError> {
        let complete = self.complete();
        self.ask(|store| query::orders_of(store, buyer, limit, complete))
    }

    fn tickets_of(&self, buyer: BuyerId, limit: usize) -> Result<Listing<Ticket>, HistoryError> {
        let complete = self.complete();
        self.ask(|store| query::tickets_of(store, buyer, limit, complete))
    }

    fn seat_history(
        &self,
        shard: ShardId,
        section: SectionKey,
        seat: SeatNo,
        before: Option<u64>,
        limit: usize,
    ) -> Result<SeatHistory, HistoryError> {
        self.ask(|store| query::seat_history(store, shard, section, seat, before, limit))?
            .ok_or(HistoryError::NotReady)
    }

    fn feed(&self, shard: ShardId, from: u64, limit: usize) -> Result<FeedPage, HistoryError> {
        self.ask(|store| query::feed(store, shard, from, limit))?
            .ok_or(HistoryError::NotReady)
    }
}
