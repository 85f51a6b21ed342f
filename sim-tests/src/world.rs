//! Three nodes running `server::node::run`, each on a simulated machine that can be killed, cut
//! off and started again. Requests reach a node's axum Router through its inbox.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle};
use raft_node::Node;
use raft_node::platform::sim_disk::{CrashMode, SimDisk};
use raft_node::transport::faults::{FrameInfo, LinkFaults, Verdict};
use raft_node::witness::Witness;
use server::node::Instruments;
use server::node::backend::Replicas;
use server::node::config::{Config, Gateway, Payments, Peer, RaftTiming};
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

use crate::door::{Answer, Door};
use crate::fault::Tally;
use crate::gateway::{Provider, SimGateway};
use crate::platform::{elapsed, platform, world_now_ms};
use crate::scenario::Scenario;
use crate::seed::Stream;
use crate::steps::aimer::{Aimer, Eyes};

/// How long a bare command may take.
const PROPOSE_WITHIN: Duration = Duration::from_secs(3);
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Nodes of a world.
pub const NODES: usize = 3;

/// Where a node takes a command as it is: `PROPOSE/shard`.
pub const PROPOSE: &str = "/simulator/propose";

/// A request on its way into a node, and the way back.
pub type Call = (Request<Full<Bytes>>, oneshot::Sender<Answer>);

/// What is known of a running node.
#[derive(Clone)]
pub struct Alive {
    /// Its door.
    pub inbox: mpsc::Sender<Call>,
    /// Its consensus half.
    pub node: Arc<Node>,
    /// Its replicas.
    pub replicas: Arc<Replicas>,
}

/// One machine.
pub struct Machine {
    handle: NodeHandle,
    disk: SimDisk,
    alive: Arc<Mutex<Option<Alive>>>,
    down: Arc<Mutex<bool>>,
}

/// The cluster and what surrounds it.
pub struct World {
    /// The knobs.
    pub scenario: Scenario,
    /// The provider.
    pub provider: Arc<Provider>,
    /// Who aims crashes at steps of orders.
    pub aimer: Arc<Aimer>,
    /// What struck, and how often.
    pub tally: Arc<Tally>,
    machines: Vec<Machine>,
    chance: Stream,
    faults: Arc<Faults>,
}

/// Faults of the links between nodes; can be switched off for good.
struct Faults {
    tally: Arc<Tally>,
    chance: Stream,
    percent: Mutex<u64>,
}

impl LinkFaults for Faults {
    fn judge(&self, _frame: FrameInfo) -> Verdict {
        let percent = *self.percent.lock().expect("nobody panics holding it");
        if percent == 0 || !self.chance.percent(percent) {
            return Verdict::Deliver;
        }
        let (row, verdict) = match self.chance.below(3) {
            0 => ("12 a frame is lost", Verdict::Drop),
            1 => ("13 a frame arrives twice", Verdict::Duplicate),
            _ => (
                "14 a frame is late",
                Verdict::Delay(Duration::from_millis(self.chance.between(1, 1_500))),
            ),
        };
        self.tally.count(row);
        verdict
    }
}

fn ip(node: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, node as u8 + 1])
}

fn config(scenario: &Scenario, node: usize) -> Config {
    let address = |node, port| SocketAddr::new(ip(node), port);
    Config {
        cluster_id: uuid::Uuid::from_u128(0x0190_b1a0_0000_7000_8000_0000_0000_0001),
        node_id: node as u64 + 1,
        data_dir: "data".into(),
        http: address(node, 8080),
        peer: address(node, 8090),
        admin: address(node, 8091),
        shards: scenario.shards,
        peers: (0..NODES)
            .map(|node| Peer {
                id: node as u64 + 1,
                addr: address(node, 8090).to_string(),
            })
            .collect(),
        secret: None,
        dev: true,
        payments: Payments {
            gateway: Gateway::Sandbox,
            url: "http://provider".to_owned(),
            webhook_secret: "whsec_simulated".to_owned(),
        },
        raft: RaftTiming {
            snapshot_every_entries: scenario.snapshot_every,
            ..RaftTiming::default()
        },
    }
}

impl World {
    /// Starts all nodes; not initialized yet.
    pub fn new(scenario: Scenario, aimer: Arc<Aimer>) -> Arc<Self> {
        let provider = Provider::new(&scenario);
        let tally = Arc::new(Tally::default());
        let faults = Arc::new(Faults {
            tally: tally.clone(),
            chance: Stream::new(scenario.entropy, "frames"),
            percent: Mutex::new(scenario.frame_fault_percent),
        });
        let machines = (0..NODES)
            .map(|node| {
                let witness: Arc<dyn Witness> = Arc::new(Eyes {
                    node,
                    aimer: aimer.clone(),
                });
                let instruments = Instruments {
                    faults: Some(faults.clone()),
                    witness: Some(witness),
                };
                start(&scenario, node, provider.clone(), instruments)
            })
            .collect();
        let chance = Stream::new(scenario.entropy, "world");
        let world = Arc::new(Self {
            scenario,
            provider,
            aimer,
            tally,
            machines,
            chance,
            faults,
        });
        world.aimer.enter(&world);
        world
    }

    /// A node that runs, if it does.
    pub fn alive(&self, node: usize) -> Option<Alive> {
        self.machines[node]
            .alive
            .lock()
            .expect("nobody panics holding it")
            .clone()
    }

    /// The node that leads a group, as far as anybody alive says.
    pub fn leader(&self, group: u32) -> Option<usize> {
        (0..NODES)
            .filter_map(|node| self.alive(node))
            .find_map(|alive| {
                let status = alive
                    .node
                    .status()
                    .into_iter()
                    .find(|status| status.group == group)?;
                status.leader.map(|leader| leader as usize - 1)
            })
    }

    /// The process dies; with `power`, what was not synced is lost or torn as well.
    pub fn kill(&self, node: usize, power: bool) {
        let machine = &self.machines[node];
        let mode = match (power, self.chance.below(3)) {
            (false, _) => CrashMode::KeepAll,
            (true, 0) => CrashMode::LoseUnsynced,
            (true, 1) => CrashMode::KeepPrefix,
            (true, _) => CrashMode::KeepSubset,
        };
        machine.disk.crash(mode);
        *machine.alive.lock().expect("nobody panics holding it") = None;
        *machine.down.lock().expect("nobody panics holding it") = true;
        Handle::current().kill(machine.handle.id());
    }

    /// Starts a killed node again; one that somebody else has started meanwhile is left alone.
    pub fn restart(&self, node: usize) {
        let machine = &self.machines[node];
        let was_down = std::mem::replace(
            &mut *machine.down.lock().expect("nobody panics holding it"),
            false,
        );
        if !was_down {
            return;
        }
        Handle::current().restart(machine.handle.id());
    }

    /// Whether a node is down.
    pub fn is_down(&self, node: usize) -> bool {
        *self.machines[node]
            .down
            .lock()
            .expect("nobody panics holding it")
    }

    /// Cuts a node off from the others, or lets it back in.
    pub fn cut_off(&self, node: usize, cut: bool) {
        let (net, id) = (NetSim::current(), self.machines[node].handle.id());
        if cut {
            net.clog_node(id)
        } else {
            net.unclog_node(id)
        }
    }

    /// From here on nothing goes wrong any more.
    pub fn heal(&self) {
        self.aimer.disarm();
        *self
            .faults
            .percent
            .lock()
            .expect("nobody panics holding it") = 0;
        for node in 0..NODES {
            self.cut_off(node, false);
            if self.is_down(node) {
                self.restart(node);
            }
        }
    }
}

impl Door for World {
    async fn exchange(&self, at: u64, request: Request<Bytes>) -> Option<Answer> {
        let Some(alive) = self.alive((at % NODES as u64) as usize) else {
            // Connection refused; a real client would find out as quickly.
            tokio::time::sleep(Duration::from_millis(at % 20 + 1)).await;
            return None;
        };
        let (reply, answer) = oneshot::channel();
        alive
            .inbox
            .send((request.map(Full::new), reply))
            .await
            .ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    fn now_ms(&self) -> u64 {
        world_now_ms()
    }

    fn elapsed(&self) -> Duration {
        elapsed()
    }
}

fn start(
    scenario: &Scenario,
    node: usize,
    provider: Arc<Provider>,
    instruments: Instruments,
) -> Machine {
    let disk = SimDisk::new(scenario.entropy ^ (node as u64 + 1));
    let alive = Arc::new(Mutex::new(None));
    let lives = Arc::new(Mutex::new(0));
    let (knobs, its_disk, its_alive) = (scenario.clone(), disk.clone(), alive.clone());
    let handle = Handle::current()
        .create_node()
        .name(format!("node-{}", node + 1))
        .ip(ip(node))
        .init(move || {
            let life = {
                let mut lives = lives.lock().expect("nobody panics holding it");
                *lives += 1;
                *lives
            };
            let platform = platform(&knobs, node, life, its_disk.mount());
            let gateway = Arc::new(SimGateway(provider.clone()));
            let config = config(&knobs, node);
            let (alive, instruments) = (its_alive.clone(), instruments.clone());
            async move {
                let server = server::node::run_with(config, platform, gateway, instruments)
                    .await
                    .unwrap_or_else(|error| panic!("node {} did not start: {error}", node + 1));
                let (inbox, calls) = mpsc::channel(1_024);
                *alive.lock().expect("nobody panics holding it") = Some(Alive {
                    inbox,
                    node: server.node().clone(),
                    replicas: server.replicas().clone(),
                });
                let admin = server.admin_router();
                let bare = bare_door(server.node().clone());
                serve(server.router().merge(admin_only(admin)).merge(bare), calls).await;
            }
        })
        .build();
    Machine {
        handle,
        disk,
        alive,
        down: Arc::new(Mutex::new(false)),
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

async fn serve(router: Router, mut calls: mpsc::Receiver<Call>) {
    while let Some((request, reply)) = calls.recv().await {
        let router = router.clone();
        tokio::spawn(async move {
            let request = request.map(axum::body::Body::new);
            let response = router
                .oneshot(request)
                .await
                .expect("the router is infallible");
            let status = response.status().as_u16();
            let headers = response.headers().clone();
            let Ok(body) = response.into_body().collect().await else {
                return;
            };
            // Whoever asked may have given up.
            let _ = reply.send(Answer {
                status,
                headers,
                body: body.to_bytes(),
            });
        });
    }
}
