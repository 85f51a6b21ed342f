//! The composition root.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::backend::Backend;
use api::payments::PaymentGateway;
use api::{ApiConfig, AppState};
use axum::Router;
use cluster::SYSTEM_GROUP;
use ledger::ShardId;
use raft_node::error::StartError;
use raft_node::machine::Machine;
use raft_node::platform::Platform;
use raft_node::transport::faults::LinkFaults;
use raft_node::{Duty, Node, NodeConfig, watch};

use super::admin::{self, Admin};
use super::backend::{NodeBackend, Replicas};
use super::config::{Config, ConfigError};
use super::duties::{Courier, Installer, Payments};
use super::machines::{CatalogueMachine, LedgerMachine};
use super::serve::HttpServer;

/// Why a node did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Consensus or storage refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A group died while running; the process must end.
    #[error("the node failed: {0}")]
    Failed(String),
}

/// A running node.
pub struct Server {
    config: Config,
    node: Arc<Node>,
    backend: Arc<NodeBackend>,
    replicas: Arc<Replicas>,
    state: AppState,
}

/// [`run_with`] a network that is what it is.
pub async fn run(
    config: Config,
    platform: Platform,
    gateway: Arc<dyn PaymentGateway>,
) -> Result<Server, RunError> {
    run_with(config, platform, gateway, None).await
}

/// Starts a node: opens its storage, joins its groups, begins its duties. Does not listen for
/// HTTP yet (see [`Server::serve`]); the simulator calls [`Server::router`] instead,
/// and passes `faults` for the links between nodes.
pub async fn run_with(
    config: Config,
    platform: Platform,
    gateway: Arc<dyn PaymentGateway>,
    faults: Option<Arc<dyn LinkFaults>>,
) -> Result<Server, RunError> {
    config.validate()?;
    let cluster_id = config.cluster_id.as_u128();
    let root = config.root_secret()?;

    let (catalogue_machine, catalogue) = CatalogueMachine::new();
    let mut machines: BTreeMap<u32, Box<dyn Machine>> = BTreeMap::new();
    machines.insert(SYSTEM_GROUP, Box::new(catalogue_machine));
    let mut ledgers = BTreeMap::new();
    for shard in (1..=config.shards).map(ShardId) {
        let (machine, shared) = LedgerMachine::new(shard);
        machines.insert(shard.0.into(), Box::new(machine));
        ledgers.insert(shard, shared);
    }
    let replicas = Arc::new(Replicas { catalogue, ledgers });

    let gateway_name = gateway.name();
    let (payments, door) = Payments::new(gateway);
    let duties: Vec<Arc<dyn Duty>> = vec![
        Arc::new(Courier::new(replicas.clone())),
        Arc::new(Installer::new(replicas.clone())),
        Arc::new(payments),
    ];
    let groups = machines.keys().copied().collect();
    let mut node_config =
        NodeConfig::new(cluster_id, config.node_id, config.peer, config.peer_map(), groups);
    node_config.heartbeat_ms = config.raft.heartbeat_ms;
    node_config.election_min_ms = config.raft.election_min_ms;
    node_config.election_max_ms = config.raft.election_max_ms;
    node_config.snapshot_every_entries = config.raft.snapshot_every_entries;
    node_config.faults = faults;
    node_config.keep_log_entries = config.raft.snapshot_every_entries / 4;
    let node = Arc::new(Node::start(node_config, platform.clone(), machines, duties).await?);

    let backend = Arc::new(NodeBackend::new(node.clone(), replicas.clone(), platform));
    let shared_backend: Arc<dyn Backend> = backend.clone();
    let mut api_config =
        ApiConfig::from_secret(&config.cluster_id.to_string(), &root, config.dev);
    api_config.webhook_secrets = vec![config.payments.webhook_secret.as_bytes().to_vec()];
    let state =
        AppState::new(shared_backend, api_config, gateway_name).map_err(RunError::Failed)?;
    let unset = door.set(state.clone()).is_ok();
    debug_assert!(unset, "the door is put there here only");
    Ok(Server { config, node, backend, replicas, state })
}

impl Server {
    /// The routes for buyers and organizers.
    pub fn router(&self) -> Router {
        api::router(self.state.clone())
    }

    /// The routes for operators.
    pub fn admin_router(&self) -> Router {
        let admin = Admin {
            node: self.node.clone(),
            replicas: self.replicas.clone(),
            node_id: self.config.node_id,
            cluster_id: self.config.cluster_id,
            http: self.config.http,
            shards: self.config.shards,
        };
        admin::router(admin).merge(api::admin_router(self.state.clone()))
    }

    /// The consensus half, for tests that look inside.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// This node's replicas, for checkers that look inside.
    pub fn replicas(&self) -> &Arc<Replicas> {
        &self.replicas
    }

    /// Listens and serves until `stop` resolves, then drains: says so to load balancers, lets
    /// requests under way finish, hands leadership over and stops.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), RunError> {
        let http = bind(self.config.http).await?;
        let admin = bind(self.config.admin).await?;
        let (stopping, stopped) = watch::channel(false);
        let public = tokio::spawn(http.run(self.router(), stopped.clone()));
        let private = tokio::spawn(admin.run(self.admin_router(), stopped));
        tracing::info!(
            node = self.config.node_id,
            http = %self.config.http,
            peer = %self.config.peer,
            admin = %self.config.admin,
            "serving"
        );
        let failure = tokio::select! {
            biased;
            failure = self.node.failed() => Some(failure.reason),
            () = stop => None,
        };
        self.backend.drain();
        stopping.publish(true);
        for task in [public, private] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
        self.node.shutdown().await;
        match failure {
            Some(reason) => Err(RunError::Failed(reason)),
            None => Ok(()),
        }
    }
}

async fn bind(addr: std::net::SocketAddr) -> Result<HttpServer, RunError> {
    HttpServer::bind(addr).await.map_err(|source| RunError::Listen { addr, source })
}
