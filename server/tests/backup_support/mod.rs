//! Clusters in this process, over real sockets and files, and people who buy from them.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "clients beside a cluster: real time"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::payments::SandboxGateway;
use raft_node::platform::Platform;
use raft_node::witness::{Application, Proposal, Replication, Restoration, Witness};
use serde_json::{Value, json};
use server::demo::children::ports::free_address;
use server::demo::door::Doors;
use server::demo::opening::{self, Opened};
use server::dice::Dice;
use server::http_client::{Connection, Request, bearer};
use server::node::config::{Config, Gateway, HealthLimits, Payments, Peer, RaftTiming, Telemetry};
use server::node::{Instruments, run_with};
use server::sandbox::{Options, Provider};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const SHARDS: u16 = 4;
const SECRET: &str = "whsec_0123456789";
const SOON: Duration = Duration::from_secs(20);

/// What every replica's state was, at every index it was at: by group and index.
#[derive(Default)]
pub struct Digests(Mutex<BTreeMap<(u32, u64), [u8; 32]>>);

impl Digests {
    fn note(&self, group: u32, index: u64, digest: [u8; 32]) {
        let before = self.0.lock().unwrap().insert((group, index), digest);
        assert!(
            before.is_none_or(|before| before == digest),
            "replicas differ at {index} of group {group}"
        );
    }

    pub fn at(&self, group: u32, index: u64) -> Option<String> {
        let all = self.0.lock().unwrap();
        let digest = all.get(&(group, index))?;
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Witness for Digests {
    fn proposed(&self, _: Proposal<'_>) {}

    fn applied(&self, _: Application<'_>) {}

    fn replicated(&self, seen: Replication<'_>) {
        self.note(seen.group, seen.index, (seen.digest)());
    }

    fn restored(&self, seen: Restoration<'_>) {
        if seen.index > 0 {
            self.note(seen.group, seen.index, (seen.digest)());
        }
    }
}

fn free() -> SocketAddr {
    free_address().expect("a free port")
}

/// Files of a cluster of so many nodes.
pub fn configs(root: &Path, nodes: u64, provider: SocketAddr) -> Vec<Config> {
    let cluster_id = Uuid::from_u128(u128::from_be_bytes(*b"backup test \0\0\0\0") ^ next_id());
    let peers: Vec<Peer> = (1..=nodes)
        .map(|id| Peer {
            id,
            addr: free().to_string(),
        })
        .collect();
    let config = |peer: &Peer| Config {
        cluster_id,
        lineage: None,
        node_id: peer.id,
        data_dir: root.join(format!("node-{}", peer.id)),
        http: free(),
        peer: peer.addr.parse().unwrap(),
        admin: free(),
        admin_names: Vec::new(),
        shards: SHARDS,
        peers: peers.clone(),
        zone: String::new(),
        join: false,
        health: HealthLimits::default(),
        telemetry: Telemetry::default(),
        tls: None,
        secret: Some("0123456789abcdef".repeat(4)),
        dev: true,
        payments: Payments {
            gateway: Gateway::Sandbox,
            url: format!("http://{provider}"),
            webhook_secret: SECRET.to_owned(),
            calls_max: 64,
        },
        raft: RaftTiming {
            // Often, so that backups begin with snapshots and logs are purged under them.
            snapshot_every_entries: 100,
            ..RaftTiming::default()
        },
    };
    peers.iter().map(config).collect()
}

fn next_id() -> u128 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed).into()
}

/// The payment provider.
pub struct Shop {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Shop {
    pub async fn open() -> Self {
        let options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            webhooks: Vec::new(),
            secret: SECRET.to_owned(),
            ledger: None,
        };
        let provider = Provider::bind(options).await.unwrap();
        Self {
            address: provider.address(),
            task: tokio::spawn(provider.serve()),
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Nodes that run.
pub struct Nodes {
    pub configs: Vec<Config>,
    pub digests: Arc<Digests>,
    running: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Nodes {
    /// Starts nodes on whatever their directories hold.
    pub async fn start(configs: Vec<Config>) -> Self {
        let digests = Arc::new(Digests::default());
        let mut running = Vec::new();
        for config in &configs {
            let platform = Platform::os(&config.data_dir).unwrap();
            let gateway = SandboxGateway::new(&config.payments.url, Duration::from_secs(2));
            let instruments = Instruments {
                witness: Some(digests.clone()),
                ..Instruments::default()
            };
            let gateway = Arc::new(gateway.unwrap());
            let server = run_with(config.clone(), platform, gateway, instruments);
            let server = server.await.unwrap();
            let (stop, told) = oneshot::channel::<()>();
            let serving = tokio::spawn(async move {
                let stop = async {
                    let _ = told.await;
                };
                server.serve(stop).await.unwrap();
            });
            running.push((stop, serving));
        }
        Self {
            configs,
            digests,
            running,
        }
    }

    /// Starts new nodes and brings their cluster into being.
    pub async fn found(configs: Vec<Config>) -> Self {
        let nodes = Self::start(configs).await;
        let mut connection = Connection::new(nodes.configs[0].admin);
        let request = Request::post("/admin/init", b"");
        let mut answered = 0;
        for _ in 0..20 {
            answered = connection
                .call(&request, SOON)
                .await
                .map_or(0, |r| r.status);
            if answered == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(answered, 200, "the cluster was not initialized");
        nodes.await_ready().await;
        nodes
    }

    pub async fn await_ready(&self) {
        for config in &self.configs {
            let mut connection = Connection::new(config.http);
            let start = Instant::now();
            loop {
                let reply = connection.call(&Request::get("/readyz"), SOON).await;
                if reply.as_ref().is_ok_and(|reply| reply.status == 200) {
                    break;
                }
                let said = reply.map(|r| String::from_utf8_lossy(r.body).into_owned());
                assert!(start.elapsed() < SOON, "node {}: {said:?}", config.node_id);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    pub fn doors(&self) -> Vec<SocketAddr> {
        self.configs.iter().map(|config| config.http).collect()
    }

    pub fn admins(&self) -> Vec<SocketAddr> {
        self.configs.iter().map(|config| config.admin).collect()
    }

    pub fn admin_names(&self) -> Vec<String> {
        self.admins().iter().map(ToString::to_string).collect()
    }

    /// Stops all, in good order.
    pub async fn stop(self) {
        let (stops, tasks): (Vec<_>, Vec<_>) = self.running.into_iter().unzip();
        drop(stops);
        for task in tasks {
            task.await.unwrap();
        }
    }
}

/// An event whose sections are spread over all shards.
pub async fn open_event(nodes: &Nodes) -> Opened {
    let section = |number: u32| json!({"name": format!("S{number}"), "rows": 10, "seats_per_row": 20, "price": 1_000});
    let event = json!({
        "name": "Rush", "venue": "Test",
        "opens_at": "2020-01-01T00:00:00Z",
        "currency": "EUR",
        "hold_seconds": 600,
        "max_per_order": 4,
        "max_per_buyer": 65_535,
        "queue": null,
        "spread": SHARDS,
        "sections": (0..8).map(section).collect::<Value>(),
    });
    let opened = opening::create(&nodes.doors(), &event).await.unwrap();
    for door in nodes.doors() {
        let path = format!("/api/v1/events/{}", opened.event);
        let start = Instant::now();
        loop {
            let (_, body) = call(&mut Connection::new(door), &Request::get(&path)).await;
            if body["sale"] == "open" {
                break;
            }
            assert!(start.elapsed() < SOON, "{body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    opened
}

/// An answer's status and JSON; status 0 when there is none.
pub async fn call(connection: &mut Connection, request: &Request<'_>) -> (u16, Value) {
    match connection.call(request, SOON).await {
        Ok(reply) => (
            reply.status,
            serde_json::from_slice(reply.body).unwrap_or_default(),
        ),
        Err(_) => (0, Value::Null),
    }
}

/// What a buyer was told.
#[derive(Clone, Debug)]
pub struct Sale {
    pub order: String,
    pub paid_at: Instant,
    pub tickets: Vec<String>,
}

/// People who buy seats of two sections at a time until they are told to stop.
pub struct Rush {
    stop: Arc<AtomicBool>,
    sales: Arc<Mutex<Vec<Sale>>>,
    people: Vec<JoinHandle<()>>,
}

impl Rush {
    pub async fn begin(nodes: &Nodes, event: &str, people: usize, seed: u64) -> Self {
        let (stop, sales) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let doors = nodes.doors();
        let registry = Doors::new(&doors, 1);
        let mut tasks = Vec::new();
        for number in 0..people {
            let subject = format!("buyer-{seed}-{number}");
            let token = opening::token(&registry, &subject, "buyer").await.unwrap();
            let person = Person {
                connection: Connection::new(doors[number % doors.len()]),
                bearer: bearer(&token),
                event: event.to_owned(),
                dice: Dice::seeded(seed * 1_000 + number as u64),
                stop: stop.clone(),
                sales: Arc::clone(&sales),
            };
            tasks.push(tokio::spawn(person.shop()));
        }
        Self {
            stop,
            sales,
            people: tasks,
        }
    }

    pub fn sales(&self) -> Vec<Sale> {
        self.sales.lock().unwrap().clone()
    }

    /// Waits until so many orders were paid.
    pub async fn until(&self, paid: usize) {
        let start = Instant::now();
        while self.sales.lock().unwrap().len() < paid {
            assert!(start.elapsed() < 3 * SOON, "{} sold", self.sales().len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn end(self) -> Vec<Sale> {
        self.stop.store(true, Ordering::Relaxed);
        for person in self.people {
            person.await.unwrap();
        }
        let sales = self.sales.lock().unwrap();
        sales.clone()
    }
}

struct Person {
    connection: Connection,
    bearer: String,
    event: String,
    dice: Dice,
    stop: Arc<AtomicBool>,
    sales: Arc<Mutex<Vec<Sale>>>,
}

impl Person {
    async fn shop(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.dice.below(8);
            let second = (first + 1 + self.dice.below(7)) % 8;
            let seat = |dice: &mut Dice, section: u64| {
                format!("S{section}-{}-{}", dice.below(10) + 1, dice.below(20) + 1)
            };
            let seats = [seat(&mut self.dice, first), seat(&mut self.dice, second)];
            let body = json!({"event_id": self.event, "seat_ids": seats}).to_string();
            let request = Request::post("/api/v1/seats/reserve", body.as_bytes());
            let request = request.with_headers(&self.bearer);
            let (status, answer) = call(&mut self.connection, &request).await;
            if status != 201 {
                continue;
            }
            let order = answer["order_id"].as_str().unwrap().to_owned();
            // One in four thinks about it.
            if self.dice.below(4) == 0 {
                continue;
            }
            self.pay(order).await;
        }
    }

    async fn pay(&mut self, order: String) {
        let path = format!("/api/v1/orders/{order}/pay");
        let request = Request::post(&path, br#"{"payment_method":"pm_ok"}"#);
        let request = request.with_headers(&self.bearer);
        for _ in 0..100 {
            let (status, answer) = call(&mut self.connection, &request).await;
            match status {
                200 if answer["status"] == "paid" => {
                    let tickets = answer["ticket_ids"].as_array().cloned().unwrap_or_default();
                    let sale = Sale {
                        order,
                        paid_at: Instant::now(),
                        tickets: tickets
                            .iter()
                            .filter_map(|ticket| Some(ticket.as_str()?.to_owned()))
                            .collect(),
                    };
                    self.sales.lock().unwrap().push(sale);
                    return;
                }
                0 | 200 | 202 | 503 | 504 => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => return,
            }
        }
    }
}
