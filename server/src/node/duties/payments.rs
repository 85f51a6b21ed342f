//! Serves a shard's payment obligations while this node leads it.

use std::sync::{Arc, OnceLock};

use api::AppState;
use api::payments::PaymentGateway;
use api::payments::serve_payments;
use futures::future::BoxFuture;
use ledger::ShardId;
use raft_node::{Duty, Leadership};

use super::RETRY_PAUSE;

/// The duty. It proposes through the door, which exists only once the node has started, so that
/// is handed in afterwards.
pub struct Payments {
    gateway: Arc<dyn PaymentGateway>,
    door: Arc<OnceLock<AppState>>,
}

impl Payments {
    /// The duty, and the place to put the door once there is one.
    pub fn new(gateway: Arc<dyn PaymentGateway>) -> (Self, Arc<OnceLock<AppState>>) {
        let door = Arc::new(OnceLock::new());
        (
            Self {
                gateway,
                door: door.clone(),
            },
            door,
        )
    }
}

impl Duty for Payments {
    fn run(&self, lead: Leadership) -> BoxFuture<'static, ()> {
        let (gateway, door) = (self.gateway.clone(), self.door.clone());
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
            let (backend, cluster) = (door.backend.clone(), door.config.cluster.clone());
            serve_payments(backend, gateway, shard, cluster, door.metrics.clone()).await;
        })
    }
}
