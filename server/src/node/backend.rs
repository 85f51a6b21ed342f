//! The door's view of the cluster, bound to this node's replicas and its Raft client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::backend::{Backend, BackendError, Committed, Freshness, Missing};
use cluster::SYSTEM_GROUP;
use cluster::catalogue::{
    Catalogue, CatalogueCommand, CatalogueOutcome, Deed, EventRecord, KeyId, KeyRecord,
};
use cluster::route::Router;
use futures::future::BoxFuture;
use ledger::{Command, EventId, Ledger, Outcome, ShardId, Timestamp};
use probes::Bug;
use raft_node::error::{ProposeError, ReadError};
use raft_node::platform::Platform;
use raft_node::{Client, Node};

use super::machines::Shared;
use super::readiness::Readiness;

/// The local replicas of a node.
pub struct Replicas {
    /// The system group's.
    pub catalogue: Arc<Shared<Catalogue>>,
    /// Every shard's, by number.
    pub ledgers: BTreeMap<ShardId, Arc<Shared<Ledger>>>,
}

/// [`Backend`] over a running node.
pub struct NodeBackend {
    client: Client,
    node: Arc<Node>,
    replicas: Arc<Replicas>,
    platform: Platform,
    node_id: u64,
    readiness: Readiness,
}

impl NodeBackend {
    /// Binds the door to a node.
    pub fn new(
        node_id: u64,
        node: Arc<Node>,
        replicas: Arc<Replicas>,
        platform: Platform,
        readiness: Readiness,
    ) -> Self {
        let client = node.client();
        Self {
            client,
            node,
            replicas,
            platform,
            node_id,
            readiness,
        }
    }

    /// What its readiness is made of.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// From now on it is not ready, and streams end.
    pub fn drain(&self) {
        self.readiness.drain();
    }

    async fn committed<T>(
        &self,
        shard: ShardId,
        command: bytes::Bytes,
        deadline: Duration,
        decode: fn(&[u8]) -> Result<T, proto::DecodeError>,
    ) -> Result<Committed<T>, BackendError> {
        let committed = self
            .client
            .propose(u32::from(shard.0), command, deadline)
            .await
            .map_err(|error| backend_error(shard, error))?;
        // Bytes that this release cannot read were written by another one: the command is
        // committed, and what it did is not known here.
        let outcome = decode(&committed.outcome).map_err(|error| {
            tracing::error!(%shard, %error, "an outcome could not be decoded");
            BackendError::OutcomeUnknown
        })?;
        Ok(Committed {
            index: committed.index,
            at: Timestamp(committed.at_ms),
            outcome,
        })
    }
}

fn backend_error(shard: ShardId, error: ProposeError) -> BackendError {
    match error {
        ProposeError::NoLeader => BackendError::NoLeader { shard },
        ProposeError::Overloaded | ProposeError::Expired | ProposeError::TooLarge { .. } => {
            BackendError::Overloaded { shard }
        }
        ProposeError::OutcomeUnknown => BackendError::OutcomeUnknown,
        ProposeError::Stopped => BackendError::Stopping,
        ProposeError::NoRoom => BackendError::NoRoom { shard },
    }
}

/// The shard number under which errors speak of the system group.
const SYSTEM: ShardId = ShardId(SYSTEM_GROUP as u16);

impl Backend for NodeBackend {
    fn now(&self) -> Timestamp {
        Timestamp(self.platform.clock.now_ms())
    }

    fn entropy(&self, bytes: &mut [u8]) {
        self.platform.entropy.fill(bytes);
    }

    fn router(&self) -> Option<Router> {
        self.replicas
            .catalogue
            .look(|catalogue, _, _| catalogue.router())
    }

    fn event(&self, event: EventId) -> Option<Arc<EventRecord>> {
        self.replicas
            .catalogue
            .look(|catalogue, _, _| catalogue.event(event).cloned())
    }

    fn events(&self) -> Vec<Arc<EventRecord>> {
        self.replicas
            .catalogue
            .look(|catalogue, _, _| catalogue.events().cloned().collect())
    }

    fn api_key(&self, key: KeyId) -> Option<KeyRecord> {
        self.replicas
            .catalogue
            .look(|catalogue, _, _| catalogue.key(key).cloned())
    }

    fn installed_everywhere(&self, event: EventId) -> bool {
        self.replicas
            .catalogue
            .look(|catalogue, _, _| catalogue.installed_everywhere(event))
    }

    fn propose(
        &self,
        shard: ShardId,
        command: Command,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Committed<Outcome>, BackendError>> {
        let bytes = proto::encode_command(&command);
        Box::pin(self.committed(shard, bytes, deadline, proto::decode_outcome))
    }

    /// A word that not every node understands is refused before it is in a log.
    fn propose_catalogue(
        &self,
        by: Deed,
        command: CatalogueCommand,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<Committed<CatalogueOutcome>, BackendError>> {
        let spoken = self
            .replicas
            .catalogue
            .look(|catalogue, index, at_ms| (catalogue.speakable(&command), index, at_ms));
        if let (Err(rejection), index, at_ms) = spoken {
            let refused = Committed {
                index,
                at: Timestamp(at_ms),
                outcome: Err(rejection),
            };
            return Box::pin(std::future::ready(Ok(refused)));
        }
        let bytes = cluster::codec::encode_for(Some(&by), &command);
        Box::pin(self.committed(SYSTEM, bytes, deadline, cluster::codec::decode_outcome))
    }

    fn catch_up(
        &self,
        shard: ShardId,
        deadline: Duration,
    ) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            if probes::planted(Bug::CatchUpSkipped) {
                return Ok(());
            }
            let group = u32::from(shard.0);
            let started = self.platform.clock.monotonic();
            let unreadable = |error| match error {
                ReadError::NoLeader | ReadError::Lagging => BackendError::NoLeader { shard },
                ReadError::Stopped => BackendError::Stopping,
            };
            let index = self
                .client
                .read_index(group, deadline)
                .await
                .map_err(unreadable)?;
            let spent = self.platform.clock.monotonic().saturating_sub(started);
            let left = deadline.saturating_sub(spent);
            self.client
                .wait_applied(group, index, left)
                .await
                .map_err(unreadable)?;
            Ok(())
        })
    }

    fn read(&self, shard: ShardId, look: &mut dyn FnMut(&Ledger, Freshness)) -> bool {
        let Some(replica) = self.replicas.ledgers.get(&shard) else {
            return false;
        };
        let group = u32::from(shard.0);
        self.node.is_read(group);
        let age_ms = self.node.age_ms(group);
        // Read before the state, so that the state is at least that new.
        let index = self
            .node
            .applied(group)
            .map_or(0, |applied| applied.borrow().index);
        replica.look(|ledger, _, _| look(ledger, Freshness { index, age_ms }));
        true
    }

    fn changed(&self, shard: ShardId, index: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(mut applied) = self.node.applied(u32::from(shard.0)) else {
                return futures::future::pending().await;
            };
            applied.eventually(|now| now.index > index).await;
        })
    }

    fn stopping(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.readiness.drained())
    }

    fn has_room(&self) -> bool {
        self.node.has_room()
    }

    fn ready(&self) -> Result<(), Vec<Missing>> {
        let missing = self
            .readiness
            .missing(self.node_id, &self.node, &self.replicas);
        match missing.is_empty() {
            true => Ok(()),
            false => Err(missing),
        }
    }
}
