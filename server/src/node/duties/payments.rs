//! Serves a shard's payment obligations while this node leads it, once the replicated state has
//! confirmed the lineage that this node's keys are derived from: under another one a buyer could be
//! charged twice.

use std::sync::{Arc, OnceLock};

use api::AppState;
use api::payments::PaymentGateway;
use api::payments::{PaymentTerms, serve_payments};
use futures::future::BoxFuture;
use ledger::ShardId;
use raft_node::{Duty, Leadership};

use super::RETRY_PAUSE;
use crate::node::backend::Replicas;
use crate::node::config::Config;
use crate::node::lineage;

/// The duty. It proposes through the door, which exists only once the node has started, so that
/// is handed in afterwards.
pub struct Payments {
    gateway: Arc<dyn PaymentGateway>,
    replicas: Arc<Replicas>,
    config: Config,
    door: Arc<OnceLock<AppState>>,
}

impl Payments {
    /// The duty, and the place to put the door once there is one.
    pub fn new(
        gateway: Arc<dyn PaymentGateway>,
        replicas: Arc<Replicas>,
        config: Config,
    ) -> (Self, Arc<OnceLock<AppState>>) {
        let door = Arc::new(OnceLock::new());
        (
            Self {
                gateway,
                replicas,
                config,
                door: door.clone(),
            },
            door,
        )
    }
}

impl Duty for Payments {
    fn run(&self, lead: Leadership) -> BoxFuture<'static, ()> {
        let (gateway, door) = (self.gateway.clone(), self.door.clone());
        let (replicas, config) = (self.replicas.clone(), self.config.clone());
        Box::pin(async move {
            let shard = match u16::try_from(lead.group) {
                Ok(shard) if lead.group != cluster::SYSTEM_GROUP => ShardId(shard),
                _ => return,
            };
            let door = loop {
                match door.get() {
                    Some(door) => break door.clone(),
                    None => tokio::time::sleep(RETRY_PAUSE).await,
                }
            };
            if lineage::confirmed(&lead.client, &replicas.catalogue, &config)
                .await
                .is_err()
            {
                return;
            }
            let terms = PaymentTerms {
                cluster: door.config.cluster.clone(),
                calls_max: config.payments.calls_max.into(),
                restored: config.lineage() != config.cluster_id,
            };
            let backend = door.backend.clone();
            serve_payments(backend, gateway, shard, terms, door.metrics.clone()).await;
        })
    }
}
