//! What the door needs of the cluster behind it: to propose, to read a local replica, to know
//! how fresh that replica is. The process binds it to Raft; tests bind it to plain ledgers.

use std::sync::Arc;
use std::time::Duration;

use cluster::catalogue::{CatalogueCommand, CatalogueOutcome, Deed, EventRecord, KeyId, KeyRecord};
use cluster::route::Router;
use futures::future::BoxFuture;
use ledger::{Command, EventId, Ledger, Outcome, ShardId, Timestamp};

/// A command's answer, and where in its shard's log it was decided.
#[derive(Clone, Debug)]
pub struct Committed<T> {
    /// Log index of the entry.
    pub index: u64,
    /// The entry's stamp.
    pub at: Timestamp,
    /// The ledger's (or catalogue's) answer.
    pub outcome: T,
}

/// Machinery failed; the rules were not asked, or their answer is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// No leader could be found in time. Certainly nothing happened.
    #[error("no leader for shard {shard}")]
    NoLeader {
        /// The shard.
        shard: ShardId,
    },
    /// The shard's queue is full. Certainly nothing happened.
    #[error("shard {shard} is overloaded")]
    Overloaded {
        /// The shard.
        shard: ShardId,
    },
    /// It may or may not have happened; repeat it with the same ids to find out.
    #[error("outcome unknown")]
    OutcomeUnknown,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// The disk of the shard's leader is all but full. Certainly nothing happened.
    #[error("shard {shard} has no room on its disk")]
    NoRoom {
        /// The shard.
        shard: ShardId,
    },
}

/// Something without which a node cannot serve a buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// A stable word for programs.
    pub what: &'static str,
    /// The same for people, with what helps.
    pub detail: String,
}

/// How fresh a local replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Index of the last entry applied here.
    pub index: u64,
    /// Everything committed so many milliseconds ago is in what this replica shows.
    pub age_ms: u64,
}

/// The cluster, seen from the door.
pub trait Backend: Send + Sync + 'static {
    /// Wall clock, for deadlines and tokens (never for decisions).
    fn now(&self) -> Timestamp;

    /// Unpredictable bytes, for ids and secrets.
    fn entropy(&self, bytes: &mut [u8]);

    /// How sections, buyers and orders map to shards; `None` until the cluster is initialized.
    fn router(&self) -> Option<Router>;

    /// An event, from the local catalogue replica.
    fn event(&self, event: EventId) -> Option<Arc<EventRecord>>;

    /// All events, from the local catalogue replica.
    fn events(&self) -> Vec<Arc<EventRecord>>;

    /// A key of the HTTP API, from the local catalogue replica.
    fn api_key(&self, key: KeyId) -> Option<KeyRecord>;

    /// Whether every shard knows the newest version of an event (as the local replica sees it).
    fn installed_everywhere(&self, event: EventId) -> bool;

    /// Proposes to a shard and waits for the answer, at most `deadline`.
    fn propose(
        &self,
        shard: ShardId,
        command: Command,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Committed<Outcome>, BackendError>>;

    /// Proposes to the catalogue what somebody asked for; granted, it stands in the trail.
    fn propose_catalogue(
        &self,
        by: Deed,
        command: CatalogueCommand,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Committed<CatalogueOutcome>, BackendError>>;

    /// Makes the local replica of `shard` include everything acknowledged before this call
    /// (ReadIndex), so that a following [`Backend::read`] is linearizable.
    fn catch_up(
        &self,
        shard: ShardId,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<(), BackendError>>;

    /// Shows the local replica of a shard to `look`; short, under a lock. `false` when this node
    /// has no replica of it.
    fn read(&self, shard: ShardId, look: &mut dyn FnMut(&Ledger, Freshness)) -> bool;

    /// Resolves when the local replica of `shard` has applied something after `index`.
    fn changed(&self, shard: ShardId, index: u64) -> BoxFuture<'_, ()>;

    /// Resolves when the node begins to stop: what would go on for ever ends then.
    fn stopping(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    /// Whether there is room on the disks of those who lead for what new demand writes. What was
    /// begun is finished without asking.
    fn has_room(&self) -> bool;

    /// Whether this node can serve a buyer now: every group has a leader, its replicas are not old,
    /// it is not draining, and so on. Otherwise all that is missing.
    fn ready(&self) -> Result<(), Vec<Missing>>;
}

/// [`Backend::read`] with a result.
pub fn read<T>(
    backend: &dyn Backend,
    shard: ShardId,
    look: impl FnOnce(&Ledger, Freshness) -> T,
) -> Option<T> {
    let (mut look, mut result) = (Some(look), None);
    backend.read(shard, &mut |ledger, freshness| {
        if let Some(look) = look.take() {
            result = Some(look(ledger, freshness));
        }
    });
    result
}
