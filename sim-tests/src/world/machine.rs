//! One machine: a disk, a clock, and the process on it in its lives.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use madsim::runtime::{Handle, NodeHandle};
use raft_node::Node;
use raft_node::error::StartError;
use raft_node::platform::sim_disk::{CrashMode, SimDisk};
use raft_node::storage::StorageError;
use raft_node::witness::{Application, Proposal, Replication, Restoration, Witness};
use server::node::config::{Config, Gateway, HealthLimits, Payments, Peer, RaftTiming, Telemetry};
use server::node::{Instruments, RunError};
use tokio::sync::mpsc;

use super::faults::Faults;
use super::warden::{Report, Reports};
use super::{Alive, PROPOSE, PROPOSE_WITHIN, labour, serve, upgrader};
use crate::fault::Tally;
use crate::gateway::{Provider, SimGateway};
use crate::platform::{Hands, Pace, platform};
use crate::scenario::Scenario;
use crate::steps::aimer::{Aimer, Eyes};

/// Which cluster it is.
pub const CLUSTER: u128 = 0x0190_b1a0_0000_7000_8000_0000_0000_0001;
/// What signs the provider's webhooks.
pub const WEBHOOK_SECRET: &str = "whsec_simulated";

/// Where a machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not started yet: somebody who may join.
    Absent,
    /// Its process runs, or is about to.
    Up,
    /// Its process died.
    Down,
    /// It left the cluster, or was taken out of it.
    Gone,
}

/// Why a machine is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The operator wanted to.
    Replaced,
    /// Its disk was.
    Wiped,
    /// It refused what its disk gave back.
    Damaged,
}

/// What a machine and its process share.
pub struct Life {
    /// What is known of the process, once it serves.
    pub alive: Mutex<Option<Alive>>,
    /// Where it stands.
    pub standing: Mutex<Standing>,
    /// How often its process was started.
    pub lives: Mutex<u64>,
    /// The group at whose next entry it panics.
    pub panics_at: Mutex<Option<u32>>,
    /// Whether its disk was spoiled.
    pub spoiled: Mutex<bool>,
    /// The newest cluster version that the release supports which its process runs from its next
    /// start on.
    pub supports: Mutex<u16>,
}

/// What every machine needs of the world around it.
#[derive(Clone)]
pub struct Surroundings {
    /// The knobs.
    pub scenario: Arc<Scenario>,
    /// The provider.
    pub provider: Arc<Provider>,
    /// Who aims crashes.
    pub aimer: Arc<Aimer>,
    /// What struck.
    pub tally: Arc<Tally>,
    /// Faults of links.
    pub faults: Arc<Faults>,
    /// To the warden.
    pub reports: Reports,
}

/// One machine.
pub struct Machine {
    /// Its number, from 0.
    pub node: usize,
    /// Its disk.
    pub disk: SimDisk,
    /// Its clock.
    pub hands: Arc<Hands>,
    /// How slow its disk is.
    pub pace: Arc<Pace>,
    /// Its process.
    pub life: Arc<Life>,
    handle: OnceLock<NodeHandle>,
    around: Surroundings,
}

/// A node's address.
pub fn address(node: usize, port: u16) -> SocketAddr {
    SocketAddr::new(ip(node), port)
}

fn ip(node: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, node as u8 + 1])
}

impl Machine {
    /// A machine whose process has not been started.
    pub fn new(node: usize, around: Surroundings) -> Self {
        let scenario = &around.scenario;
        let at = |knob: &[i64]| knob.get(node).copied().unwrap_or(0);
        let life = Life {
            alive: Mutex::new(None),
            standing: Mutex::new(Standing::Absent),
            lives: Mutex::new(0),
            panics_at: Mutex::new(None),
            spoiled: Mutex::new(false),
            supports: Mutex::new(upgrader::at_first(&scenario.upgrades_ms, node)),
        };
        Self {
            node,
            disk: SimDisk::new(scenario.entropy ^ (node as u64 + 1)),
            hands: Arc::new(Hands::new(at(&scenario.skew_ms), at(&scenario.drift_ppm))),
            pace: Arc::new(Pace::new(scenario, node, around.tally.clone())),
            life: Arc::new(life),
            handle: OnceLock::new(),
            around,
        }
    }

    /// The simulated computer, once it was switched on.
    pub fn handle(&self) -> Option<&NodeHandle> {
        self.handle.get()
    }

    /// Starts its process, for the first time or again.
    pub fn start(&self) {
        self.life.set_standing(Standing::Up);
        if let Some(handle) = self.handle.get() {
            Handle::current().restart(handle.id());
            return;
        }
        let (around, life) = (self.around.clone(), self.life.clone());
        let (node, disk) = (self.node, self.disk.clone());
        let (hands, pace) = (self.hands.clone(), self.pace.clone());
        let handle = Handle::current()
            .create_node()
            .name(format!("node-{}", node + 1))
            .ip(ip(node))
            .restart_on_panic_matching(PLANNED_PANIC)
            .init(move || {
                // A process that panicked was not buried by anybody else.
                disk.crash(CrashMode::KeepAll);
                let wanted = life.standing() != Standing::Gone;
                let number = if wanted { life.begin() } else { 0 };
                let scenario = &around.scenario;
                let platform = platform(scenario, node, number, disk.mount(), &hands, &pace);
                let living = live(node, number, platform, life.clone(), around.clone());
                async move {
                    if wanted {
                        living.await;
                    }
                }
            })
            .build();
        let fresh = self.handle.set(handle).is_ok();
        assert!(fresh, "a machine is switched on once");
    }

    /// Its process is gone; the disk keeps what `mode` says.
    pub fn stop(&self, mode: CrashMode) {
        let lost = self.disk.crash(mode);
        let tally = &self.around.tally;
        tally.count_many(
            "16 a write no sync covered is lost",
            (lost.operations - lost.torn) as u64,
        );
        tally.count_many("17 a write is torn", lost.torn as u64);
        *self.life.alive.lock().expect(POISONED) = None;
        if let Some(handle) = self.handle.get() {
            Handle::current().kill(handle.id());
        }
    }
}

const POISONED: &str = "nobody panics holding it";
const PLANNED_PANIC: &str = "a task panics, as planned";

impl Life {
    /// Where it stands.
    pub fn standing(&self) -> Standing {
        *self.standing.lock().expect(POISONED)
    }

    /// Changes where it stands.
    pub fn set_standing(&self, standing: Standing) {
        *self.standing.lock().expect(POISONED) = standing;
    }

    fn begin(&self) -> u64 {
        *self.alive.lock().expect(POISONED) = None;
        *self.panics_at.lock().expect(POISONED) = None;
        self.set_standing(Standing::Up);
        let mut lives = self.lives.lock().expect(POISONED);
        *lives += 1;
        *lives
    }
}

/// A process, from its start to its death by somebody else's hand.
async fn live(
    node: usize,
    number: u64,
    platform: raft_node::platform::Platform,
    life: Arc<Life>,
    around: Surroundings,
) {
    let report = |said| {
        // The warden outlives every node.
        let _ = around.reports.send((node, number, said));
    };
    let witness: Arc<dyn Witness> = Arc::new(Nerve {
        node,
        eyes: Eyes {
            node,
            aimer: around.aimer.clone(),
        },
        life: life.clone(),
        tally: around.tally.clone(),
    });
    let knobs = around.scenario.clone();
    let instruments = Instruments {
        faults: Some(around.faults.clone()),
        witness: Some(witness),
        tune: Some(Arc::new(move |config, storage| {
            config.keep_log_entries = knobs.keep_entries.min(config.snapshot_every_entries);
            config.batch_commands_max = knobs.batch_max;
            config.queue_commands_max = knobs.queue_max;
            config.proposals_in_flight = knobs.in_flight;
            storage.segment_bytes = knobs.segment_kib << 10;
            storage.segments_before_rewrite = knobs.segments_before_rewrite;
        })),
        supports: Some(*life.supports.lock().expect(POISONED)),
    };
    let gateway = Arc::new(SimGateway {
        provider: around.provider.clone(),
        node,
    });
    let config = config(&around.scenario, node);
    let server = match server::node::run_with(config, platform, gateway, instruments).await {
        Ok(server) => server,
        Err(error) => {
            let said = match refuses(&error) {
                true => Report::Refuses(error.to_string()),
                false => Report::Failed(error.to_string()),
            };
            report(said);
            return std::future::pending().await;
        }
    };
    let (inbox, calls) = mpsc::channel(1_024);
    let (deeds, to_do) = mpsc::unbounded_channel();
    tokio::spawn(labour(to_do));
    *life.alive.lock().expect(POISONED) = Some(Alive {
        inbox,
        deeds,
        node: server.node().clone(),
        replicas: server.replicas().clone(),
    });
    let admin = server.admin_router();
    let bare = bare_door(server.node().clone());
    let router = server.router().merge(admin_only(admin)).merge(bare);
    let serving = serve(router, calls, around.faults.clone());
    let failing = server.node().failed();
    tokio::select! {
        biased;
        failure = failing => report(Report::Failed(failure.reason)),
        () = serving => {}
    }
    std::future::pending().await
}

/// Whether it is the data that a node does not trust, and not the moment.
fn refuses(error: &RunError) -> bool {
    use StorageError::{
        Damaged, ForeignDirectory, MissingEntries, MissingLog, MissingSegment, MissingSnapshot,
        NewerCluster, UnsupportedVersion,
    };
    match error {
        RunError::Start(StartError::Storage(error)) => matches!(
            error,
            Damaged { .. }
                | ForeignDirectory { .. }
                | MissingEntries { .. }
                | MissingLog { .. }
                | MissingSegment { .. }
                | MissingSnapshot { .. }
                | NewerCluster { .. }
                | UnsupportedVersion { .. }
        ),
        RunError::Start(StartError::Restore { .. }) => true,
        _ => false,
    }
}

fn config(scenario: &Scenario, node: usize) -> Config {
    let mut members: Vec<usize> = (0..scenario.nodes).collect();
    if node >= scenario.nodes {
        members.push(node);
    }
    Config {
        cluster_id: uuid::Uuid::from_u128(CLUSTER),
        lineage: None,
        node_id: node as u64 + 1,
        data_dir: "data".into(),
        http: address(node, 8080),
        peer: address(node, 8090),
        admin: address(node, 8091),
        admin_names: Vec::new(),
        shards: scenario.shards,
        peers: members
            .into_iter()
            .map(|node| Peer {
                id: node as u64 + 1,
                addr: address(node, 8090).to_string(),
            })
            .collect(),
        zone: String::new(),
        join: node >= scenario.nodes,
        secret: None,
        dev: true,
        payments: Payments {
            gateway: Gateway::Sandbox,
            url: "http://provider".to_owned(),
            webhook_secret: WEBHOOK_SECRET.to_owned(),
            calls_max: scenario.payment_calls_max,
        },
        health: HealthLimits {
            clock_lead_max_ms: scenario.clock_lead_max_ms,
            ..HealthLimits::default()
        },
        telemetry: Telemetry::default(),
        tls: None,
        raft: RaftTiming {
            heartbeat_ms: scenario.heartbeat_ms,
            election_min_ms: 4 * scenario.heartbeat_ms,
            election_max_ms: 8 * scenario.heartbeat_ms,
            snapshot_every_entries: scenario.snapshot_every,
        },
    }
}

/// Operators' routes that the door does not have as well.
fn admin_only(admin: Router) -> Router {
    Router::new().nest_service("/operator", admin)
}

/// A door that proposes a command and does nothing else.
fn bare_door(node: Arc<Node>) -> Router {
    let propose = move |Path(shard): Path<u32>, command: Bytes| async move {
        let proposed = node.client().propose(shard, command, PROPOSE_WITHIN).await;
        match proposed {
            Ok(committed) => Ok(committed.outcome),
            Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
        }
    };
    Router::new().route(&format!("{PROPOSE}/{{shard}}"), post(propose))
}

/// A process's eyes, and the panic that is planned for it.
struct Nerve {
    node: usize,
    eyes: Eyes,
    life: Arc<Life>,
    tally: Arc<Tally>,
}

impl Witness for Nerve {
    fn proposed(&self, proposal: Proposal<'_>) {
        self.eyes.proposed(proposal);
    }

    fn applied(&self, application: Application<'_>) {
        let planned = {
            let mut panics_at = self.life.panics_at.lock().expect(POISONED);
            panics_at.take_if(|group| *group == application.group)
        };
        if planned.is_some() && self.life.standing() == Standing::Up {
            self.tally.count("6 a task panics");
            *self.life.alive.lock().expect(POISONED) = None;
            self.life.set_standing(Standing::Down);
            panic!("{PLANNED_PANIC}: node {}", self.node + 1);
        }
        self.eyes.applied(application);
    }

    fn replicated(&self, replication: Replication<'_>) {
        self.eyes.replicated(replication);
    }

    fn restored(&self, restoration: Restoration<'_>) {
        self.eyes.restored(restoration);
    }

    fn leads(&self, group: u32, term: u64) {
        self.eyes.leads(group, term);
    }
}
