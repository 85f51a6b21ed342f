//! What every handler shares. One allocation behind an `Arc`: cloning it is one count.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use cluster::catalogue::EventRecord;
use cluster::route::Router;
use ledger::{EventId, Ledger, ShardId};

use crate::auth::Identities;
use crate::auth::key::WrongKeys;
use crate::backend::{self, Backend, Freshness};
use crate::config::ApiConfig;
use crate::events::SeatMaps;
use crate::history::HistorySlot;
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::queue::{Joins, QueueDocuments, QueueTokens};
use crate::request_id::RequestIds;
use crate::tasks::Tasks;
use crate::tickets::TicketKeys;

/// The door's state.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// See [`AppState`], which derefs to it.
pub struct Inner {
    /// The cluster.
    pub backend: Arc<dyn Backend>,
    /// What the door was told.
    pub config: ApiConfig,
    /// Name of the payment gateway, in the webhook's path.
    pub gateway: &'static str,
    /// What the door counts.
    pub metrics: Metrics,
    /// What this node remembers beside its ledgers, once the process has put it there.
    pub history: HistorySlot,
    pub(crate) identities: Identities,
    pub(crate) wrong_keys: WrongKeys,
    pub(crate) queue_tokens: QueueTokens,
    pub(crate) ticket_keys: TicketKeys,
    pub(crate) joins: Joins,
    pub(crate) queue_documents: QueueDocuments,
    pub(crate) seat_maps: SeatMaps,
    pub(crate) tasks: Tasks,
    pub(crate) request_ids: RequestIds,
    pub(crate) requests: AtomicUsize,
}

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl AppState {
    /// The state of a node's door. The reason when a key is of no use.
    pub fn new(
        backend: Arc<dyn Backend>,
        config: ApiConfig,
        gateway: &'static str,
    ) -> Result<Self, String> {
        let metrics = Metrics::new();
        Ok(Self(Arc::new(Inner {
            identities: Identities::new(&config)?,
            wrong_keys: WrongKeys::default(),
            queue_tokens: QueueTokens::new(&config.queue_keys)?,
            ticket_keys: TicketKeys::new(&config.ticket_keys)?,
            joins: Joins::new(config.limits.joins_waiting_max),
            queue_documents: QueueDocuments::default(),
            seat_maps: SeatMaps::default(),
            tasks: Tasks::new(config.limits.tasks_max),
            request_ids: RequestIds::new(&*backend),
            requests: AtomicUsize::new(0),
            history: HistorySlot::new(),
            backend,
            config,
            gateway,
            metrics,
        })))
    }

    /// An event of the local catalogue.
    pub(crate) fn event(&self, event: EventId) -> Result<Arc<EventRecord>, Problem> {
        self.backend
            .event(event)
            .ok_or_else(|| Problem::new(Code::EventUnknown, "no such event"))
    }

    /// How things map to shards.
    pub(crate) fn router(&self) -> Result<Router, Problem> {
        self.backend
            .router()
            .ok_or_else(|| Problem::new(Code::NotReady, "the cluster is not initialized"))
    }

    /// Looks at the local replica of a shard.
    pub(crate) fn read<T>(
        &self,
        shard: ShardId,
        look: impl FnOnce(&Ledger, Freshness) -> T,
    ) -> Result<T, Problem> {
        backend::read(&*self.backend, shard, look)
            .ok_or_else(|| Problem::new(Code::NoReplica, "this node has no replica of that shard"))
    }
}
