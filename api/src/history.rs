//! What happened, as a node remembers it beside its ledgers: orders and tickets by person, what
//! became of a seat, the feed of facts. A port: the process binds it to its read model.
//!
//! Nothing here decides anything. A read model lags a little, may have been rebuilt, may be
//! missing; it says so, and the sale goes on without it.

use std::sync::{Arc, OnceLock};

use ledger::change::Change;
use ledger::command::CloseReason;
use ledger::seats::LegState;
use ledger::tickets::Ticket;
use ledger::{BuyerId, EventId, OrderId, SeatNo, SectionKey, ShardId, Timestamp};

/// An order in somebody's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// Its id.
    pub order: OrderId,
    /// The show.
    pub event: EventId,
    /// When it was opened, or closed.
    pub at: Timestamp,
    /// Why it ended; `None`: its home knows how it stands.
    pub closed: Option<CloseReason>,
}

/// A person's orders or tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// The lines, at most as many as were asked for.
    pub lines: Vec<T>,
    /// Whether every shard's facts are in it, but for the last moment's.
    pub complete: bool,
}

/// A fact and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedLine {
    /// Its number in its shard: the next fact has the next number, on every node.
    pub number: u64,
    /// Index of the log entry it happened in.
    pub index: u64,
    /// That entry's time.
    pub at: Timestamp,
    /// What happened.
    pub change: Change,
}

/// A piece of a shard's feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// Number of the first fact kept here.
    pub first: u64,
    /// Number the next fact will have.
    pub end: u64,
    /// Whether facts before `first` are gone here, because the feed was started anew from a
    /// ledger's state.
    pub rebuilt: bool,
    /// Facts in order, without gaps, from the larger of `first` and what was asked for.
    pub lines: Vec<FeedLine>,
}

/// What became of a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatHistory {
    /// Newest first.
    pub lines: Vec<FeedLine>,
    /// Where to go on; `None`: this is all.
    pub before: Option<u64>,
    /// Who had the seat when the feed was started anew, once all lines have been told.
    pub at_first: Option<(LegState, OrderId, BuyerId)>,
}

/// Why nothing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// It is being built, or this node has none. Another moment, or another node, may know.
    #[error("this node's history is not ready")]
    NotReady,
}

/// A node's memory of what happened. Calls may touch a disk: not for a worker that answers others.
pub trait History: Send + Sync + 'static {
    /// A person's orders, at most `limit`.
    fn orders_of(&self, buyer: BuyerId, limit: usize) -> Result<Listing<OrderLine>, HistoryError>;

    /// A person's tickets, at most `limit`.
    fn tickets_of(&self, buyer: BuyerId, limit: usize) -> Result<Listing<Ticket>, HistoryError>;

    /// What became of a numbered seat of `shard`, before fact number `before`, newest first.
    fn seat_history(
        &self,
        shard: ShardId,
        section: SectionKey,
        seat: SeatNo,
        before: Option<u64>,
        limit: usize,
    ) -> Result<SeatHistory, HistoryError>;

    /// A shard's facts from number `from` on, at most `limit`.
    fn feed(&self, shard: ShardId, from: u64, limit: usize) -> Result<FeedPage, HistoryError>;
}

/// Where a history is put once the process has one.
pub type HistorySlot = OnceLock<Arc<dyn History>>;
