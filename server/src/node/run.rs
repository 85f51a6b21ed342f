//! The composition root.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::backend::Backend;
use api::history::History;
use api::payments::PaymentGateway;
use api::{ApiConfig, AppState};
use axum::Router;
use axum::middleware::from_fn_with_state;
use cluster::SYSTEM_GROUP;
use cluster::members::NodeRecord;
use cluster::version;
use ledger::ShardId;
use raft_node::error::StartError;
use raft_node::machine::Machine;
use raft_node::platform::Platform;
#[cfg(feature = "process")]
use raft_node::platform::tls::TlsError;
use raft_node::storage::StorageOptions;
use raft_node::transport::faults::LinkFaults;
use raft_node::witness::Witness;
use raft_node::{Duty, Node, NodeConfig, watch};
use tokio::task::JoinHandle;

use super::admin::browser::{Names, keep_to_itself};
use super::admin::{self, Admin};
use super::backend::{NodeBackend, Replicas};
use super::backup::{self, Backups};
use super::config::{Config, ConfigError};
use super::duties::{Courier, Installer, Mover, Payments};
use super::machines::{CatalogueMachine, LedgerMachine};
use super::members::{Introduction, MoverSays, introduce};
use super::metrics::Seen;
use super::readiness::Readiness;
use super::version::Stamping;
use crate::read_model::{Inbox, Owner, Pace, ReadModel};

/// Why a node did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Consensus or storage refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Certificates cannot be used.
    #[cfg(feature = "process")]
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
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
    /// Something stands still that only a new process can get going. The process must end at once.
    #[error("the node is stuck: {0}")]
    Stuck(String),
}

/// Changes what production leaves at its defaults.
pub type Tune = Arc<dyn Fn(&mut NodeConfig, &mut StorageOptions) + Send + Sync>;

/// Hooks for tests: what watches a node, what spoils its links, and settings that no configuration
/// file has. Production has none.
#[derive(Clone, Default)]
pub struct Instruments {
    /// Faults of the links to other nodes.
    pub faults: Option<Arc<dyn LinkFaults>>,
    /// Told of the entries this node proposes and applies.
    pub witness: Option<Arc<dyn Witness>>,
    /// Applied to what the configuration came to.
    pub tune: Option<Tune>,
    /// The newest cluster version that this node supports: that of an older release.
    pub supports: Option<u16>,
}

/// A running node.
pub struct Server {
    pub(super) config: Config,
    pub(super) node: Arc<Node>,
    /// Told when the listeners drain.
    #[cfg(feature = "process")]
    pub(super) backend: Arc<NodeBackend>,
    pub(super) replicas: Arc<Replicas>,
    pub(super) state: AppState,
    pub(super) read_model: Option<Arc<ReadModel>>,
    #[cfg(feature = "process")]
    pub(super) tls: Option<super::tls::NodeTls>,
    mover: Arc<MoverSays>,
    /// Kept for as long as the node serves: dropped, it asks no more.
    #[cfg_attr(
        not(feature = "process"),
        allow(dead_code, reason = "told when serving")
    )]
    pub(super) joining: Joining,
    _stamping: Stamping,
}

/// Starts a node on the machine this process runs on, with a read model in its data directory.
#[cfg(feature = "process")]
pub async fn run(
    config: Config,
    platform: Platform,
    gateway: Arc<dyn PaymentGateway>,
) -> Result<Server, RunError> {
    let facts = Arc::new(Inbox::default());
    config.validate()?;
    let tls = super::tls::NodeTls::load(&config)?;
    let peers = tls.as_ref().map(|tls| tls.peers.clone());
    let instruments = Instruments {
        tune: Some(Arc::new(move |node, _| node.tls.clone_from(&peers))),
        ..Instruments::default()
    };
    let mut server = start(config, platform, gateway, instruments, Some(facts)).await?;
    if let Some(tls) = &tls {
        let unset = server.backend.readiness().tls.set(tls.peers.clone());
        debug_assert!(unset.is_ok(), "certificates are put there here only");
        let tls = tls.admin.clone();
        let metrics = &server.state.metrics;
        metrics.add(move |registry| super::metrics::certificates(&tls.expiry(), registry));
    }
    server.tls = tls;
    Ok(server)
}

/// Starts a node: opens its storage, joins its groups, begins its duties. Does not listen for
/// HTTP yet (see [`Server::serve`]); the simulator calls [`Server::router`] instead,
/// and passes its `instruments`.
pub async fn run_with(
    config: Config,
    platform: Platform,
    gateway: Arc<dyn PaymentGateway>,
    instruments: Instruments,
) -> Result<Server, RunError> {
    start(config, platform, gateway, instruments, None).await
}

async fn start(
    config: Config,
    platform: Platform,
    gateway: Arc<dyn PaymentGateway>,
    instruments: Instruments,
    facts: Option<Arc<Inbox>>,
) -> Result<Server, RunError> {
    config.validate()?;
    let cluster_id = config.cluster_id.as_u128();
    let root = config.root_secret()?;

    let supports = instruments.supports.unwrap_or(version::NEWEST);
    let (catalogue_machine, catalogue) = CatalogueMachine::new();
    let catalogue_machine = catalogue_machine.supporting(supports);
    let mut machines: BTreeMap<u32, Box<dyn Machine>> = BTreeMap::new();
    machines.insert(SYSTEM_GROUP, Box::new(catalogue_machine));
    let mut ledgers = BTreeMap::new();
    for shard in (1..=config.shards).map(ShardId) {
        let (machine, shared) = LedgerMachine::new(shard);
        let machine = match &facts {
            Some(facts) => machine.tell(facts.clone()),
            None => machine,
        };
        machines.insert(shard.0.into(), Box::new(machine));
        ledgers.insert(shard, shared);
    }
    // Before the log is replayed, so that its facts do not pile up.
    let read_model = facts.map(|facts| {
        let owner = Owner {
            cluster: cluster_id,
            node: config.node_id,
        };
        let root = config.data_dir.join("read-model");
        let pace = Pace::default();
        Arc::new(ReadModel::start(
            root,
            owner,
            facts,
            ledgers.clone(),
            &platform,
            pace,
        ))
    });
    let replicas = Arc::new(Replicas { catalogue, ledgers });

    let mover = Arc::new(MoverSays::default());
    let gateway_name = gateway.name();
    let (payments, door) = Payments::new(gateway, replicas.clone(), config.clone());
    let duties: Vec<Arc<dyn Duty>> = vec![
        Arc::new(Courier::new(replicas.clone())),
        Arc::new(Installer::new(replicas.clone())),
        Arc::new(Mover::new(replicas.clone(), mover.clone())),
        Arc::new(payments),
    ];
    let groups = machines.keys().copied().collect();
    let mut node_config = NodeConfig::new(
        cluster_id,
        config.node_id,
        config.peer,
        config.peer_map(),
        groups,
    );
    node_config.heartbeat_ms = config.raft.heartbeat_ms;
    node_config.election_min_ms = config.raft.election_min_ms;
    node_config.election_max_ms = config.raft.election_max_ms;
    node_config.snapshot_every_entries = config.raft.snapshot_every_entries;
    node_config.supports = supports.into();
    env!("CARGO_PKG_VERSION").clone_into(&mut node_config.release);
    node_config.faults = instruments.faults;
    node_config.witness = instruments.witness;
    node_config.keep_log_entries = config.raft.snapshot_every_entries / 4;
    node_config.keep_free_bytes = config.health.keep_free_mib << 20;
    node_config.clock_offset_warn_ms = config.health.clock_warn_ms;
    node_config.clock_offset_max_ms = config.health.clock_lead_max_ms;
    node_config.stuck_after_ms = config.health.stuck_after_s * 1_000;
    let mut storage = StorageOptions::default();
    if let Some(tune) = &instruments.tune {
        tune(&mut node_config, &mut storage);
    }
    let node = Node::start_with(node_config, platform.clone(), storage, machines, duties);
    let node = Arc::new(node.await?);

    let backend = Arc::new(NodeBackend::new(
        config.node_id,
        node.clone(),
        replicas.clone(),
        platform,
        Readiness::new(read_model.clone()),
    ));
    let joining = Joining::begin(&config, supports, &node, &replicas);
    let stamping = Stamping::begin(&node, &replicas);
    let shared_backend: Arc<dyn Backend> = backend.clone();
    let mut api_config = ApiConfig::from_secret(&config.lineage().to_string(), &root, config.dev);
    api_config.webhook_secrets = vec![config.payments.webhook_secret.as_bytes().to_vec()];
    let state =
        AppState::new(shared_backend, api_config, gateway_name).map_err(RunError::Failed)?;
    let unset = door.set(state.clone()).is_ok();
    debug_assert!(unset, "the door is put there here only");
    if let Some(read_model) = &read_model {
        let history: Arc<dyn History> = read_model.clone();
        let unset = state.history.set(history).is_ok();
        debug_assert!(unset, "the history is put there here only");
    }
    let seen = Seen {
        node: node.clone(),
        replicas: replicas.clone(),
        read_model: read_model.clone(),
    };
    state.metrics.add(move |registry| seen.register(registry));
    Ok(Server {
        config,
        node,
        #[cfg(feature = "process")]
        backend,
        replicas,
        state,
        read_model,
        #[cfg(feature = "process")]
        tls: None,
        mover,
        joining,
        _stamping: stamping,
    })
}

/// A node's word to the cluster that it is there, and whether that was refused for good.
pub(super) struct Joining {
    task: JoinHandle<()>,
    #[cfg_attr(
        not(feature = "process"),
        allow(dead_code, reason = "told when serving")
    )]
    pub(super) refused: watch::Receiver<Option<String>>,
}

impl Joining {
    fn begin(config: &Config, supports: u16, node: &Node, replicas: &Arc<Replicas>) -> Self {
        let me = Introduction {
            node: config.node_id,
            record: NodeRecord {
                peer: config
                    .peer_map()
                    .remove(&config.node_id)
                    .unwrap_or_default(),
                zone: config.zone.clone(),
                ..NodeRecord::default()
            },
            shards: config.shards,
            supports,
            joins: config.join,
        };
        let (told, refused) = watch::channel(None);
        let asking = introduce(node.client(), replicas.clone(), me);
        let task = tokio::spawn(async move {
            if let Err(reason) = asking.await {
                tracing::error!(reason, "this node should exit");
                told.publish(Some(reason));
            }
        });
        Self { task, refused }
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.task.abort();
    }
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
            clock_warn_ms: self.config.health.clock_warn_ms,
            joins: self.config.join,
            mover: self.mover.clone(),
            history: self.read_model.clone(),
            door: self.state.clone(),
        };
        let backups = Backups::new(
            self.node.clone(),
            self.replicas.clone(),
            self.config.clone(),
        );
        let names = Names::new(self.config.names_of_admin());
        let own = admin::router(admin).merge(backup::router(backups, &self.state));
        #[cfg(feature = "process")]
        let own = own.merge(admin::debug::router(self.config.clone(), &self.state));
        // Probes and metrics are for everybody at the public door.
        own.layer(from_fn_with_state(names, keep_to_itself))
            .merge(api::admin_router(self.state.clone()))
    }

    /// The consensus half, for tests that look inside.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// This node's replicas, for checkers that look inside.
    pub fn replicas(&self) -> &Arc<Replicas> {
        &self.replicas
    }
}
