//! A cluster of real processes on this machine: a payment provider and some nodes, each with its
//! own directory, each dying with this process.

mod config_files;
mod joiner;
pub mod ports;
mod provider;

use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use self::ports::{PORTS, free_address, wanted_address};
pub use self::provider::ProviderProcess;
use crate::dice::{fresh_id, secret_hex};
use crate::http_client::{Connection, Request};
use crate::node::config::RaftTiming;

const START_PATIENCE: Duration = Duration::from_secs(60);
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Why a cluster does not start or stand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A process cannot be started.
    #[error("cannot start {what}: {source}")]
    Spawn {
        /// Which.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A process ended by itself.
    #[error("{what} ended ({status}); the end of its log {log}:\n{tail}")]
    Ended {
        /// Which.
        what: String,
        /// How.
        status: String,
        /// Where its log is.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A node does not answer as it should.
    #[error("{what} is not {wanted} after {seconds} s (last answer: {last})")]
    Late {
        /// Which.
        what: String,
        /// `alive`, `ready`, ...
        wanted: &'static str,
        /// How long was waited.
        seconds: u64,
        /// What it said last.
        last: String,
    },
    /// No free port was found.
    #[error("no free port between {} and {}", PORTS.start, PORTS.end)]
    NoPort,
}

/// How big a cluster, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes.
    pub nodes: u64,
    /// Shards.
    pub shards: u16,
    /// Directory of everything: configuration, data, logs, the provider's ledger.
    pub dir: PathBuf,
    /// Port for buyers of the first node, if it is free.
    pub first_port: Option<u16>,
}

/// A node and its process.
#[derive(Debug)]
pub struct Node {
    /// From 1.
    pub id: u64,
    /// Address for buyers.
    pub http: SocketAddr,
    /// Address for other nodes.
    pub peer: SocketAddr,
    /// Where other nodes dial it: its own address, unless somebody stands between.
    pub dialled: SocketAddr,
    /// Address for operators.
    pub admin: SocketAddr,
    /// Its data.
    pub dir: PathBuf,
    /// It left the cluster.
    pub retired: bool,
    /// What it runs instead of the cluster's program, from its next start on.
    pub program: Option<PathBuf>,
    config: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

/// A node, for people and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeView {
    /// `http://IP:PORT` for buyers.
    pub url: String,
    /// `http://IP:PORT` for operators.
    pub admin: String,
    /// Process id; absent while it is down.
    pub pid: Option<u32>,
    /// Data directory.
    pub dir: PathBuf,
}

/// All processes. Dropping it kills them.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes, by id.
    pub nodes: Vec<Node>,
    /// The payment provider.
    pub provider: ProviderProcess,
    /// Consensus timing; `None` for the defaults.
    pub raft: Option<RaftTiming>,
    program: PathBuf,
    secret: String,
    shards: u16,
    id: uuid::Uuid,
    dir: PathBuf,
    /// Threads a node answers with.
    workers: usize,
}

/// Nodes of a local cluster share the machine: more threads than cores would only take turns.
fn workers(nodes: usize) -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / nodes.max(1)).max(1))
}

impl Cluster {
    /// Starts everything, initializes the cluster and waits until every node is ready.
    pub async fn start(plan: &Plan) -> Result<Self, Error> {
        Self::start_with(plan, None).await
    }

    /// The same with nodes of another program, an older `usher`.
    pub async fn start_with(plan: &Plan, older: Option<&Path>) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(|source| Error::Spawn {
            what: "this program".to_owned(),
            source,
        })?;
        let mut cluster = Self::lay_out(plan, program)?;
        for node in &mut cluster.nodes {
            node.program = older.map(Path::to_owned);
        }
        cluster.start_all().await?;
        Ok(cluster)
    }

    /// The same of the `usher` at `program`, for callers that are none.
    pub async fn start_program(plan: &Plan, program: PathBuf) -> Result<Self, Error> {
        let mut cluster = Self::lay_out(plan, program)?;
        cluster.start_all().await?;
        Ok(cluster)
    }

    async fn start_all(&mut self) -> Result<(), Error> {
        self.write_configs()?;
        for index in 0..self.nodes.len() {
            self.start_node(index)?;
        }
        self.begin().await
    }

    /// Chooses ports and starts the provider. The nodes, of the `usher` at `program`, are
    /// still to be configured and started, and the cluster is still to [`begin`](Self::begin).
    pub fn lay_out(plan: &Plan, program: PathBuf) -> Result<Self, Error> {
        std::fs::create_dir_all(&plan.dir).map_err(|source| Error::File {
            path: plan.dir.clone(),
            source,
        })?;
        let mut wanted = plan.first_port.and_then(wanted_address);
        let mut free = || {
            let address = wanted.take().or_else(free_address);
            address.ok_or(Error::NoPort)
        };
        let mut nodes = Vec::new();
        for id in 1..=plan.nodes {
            nodes.push(Node::new(&plan.dir, id, (free()?, free()?, free()?)));
        }
        let secret = format!("whsec_{}", secret_hex(16));
        let provider = ProviderProcess::start(&program, plan, &nodes, &secret)?;
        Ok(Self {
            workers: workers(nodes.len()),
            nodes,
            provider,
            raft: None,
            program,
            secret,
            shards: plan.shards,
            id: fresh_id(),
            dir: plan.dir.clone(),
        })
    }

    /// Waits until every node that was started is alive, initializes the cluster, and waits until
    /// every node is ready.
    pub async fn begin(&mut self) -> Result<(), Error> {
        for index in 0..self.nodes.len() {
            self.await_probe(index, "/livez", "alive", START_PATIENCE)
                .await?;
        }
        self.initialize().await?;
        self.await_all_ready(START_PATIENCE).await
    }

    /// Writes each node's configuration.
    pub fn write_configs(&self) -> Result<(), Error> {
        config_files::write_configs(self)
    }

    /// Starts a node that is down.
    pub fn start_node(&mut self, index: usize) -> Result<(), Error> {
        self.start_node_with(index, &[])
    }

    /// Starts a node that is down, with further words behind `usher start`.
    pub fn start_node_with(&mut self, index: usize, words: &[String]) -> Result<(), Error> {
        let workers = self.workers.to_string();
        let node = &mut self.nodes[index];
        let program = node.program.as_ref().unwrap_or(&self.program).clone();
        let log = open_log(&node.log)?;
        let mut command = Command::new(program);
        command
            .args(["start", "--exit-with-parent", "--config"])
            .arg(&node.config)
            .args(words)
            .env("TOKIO_WORKER_THREADS", workers);
        // What somebody set for a node of theirs is not for ours.
        for key in crate::settings::KNOWN {
            command.env_remove(crate::settings::variable(key));
        }
        let stderr = log.try_clone().map_err(|source| Error::File {
            path: node.log.clone(),
            source,
        })?;
        let child = command
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(stderr)
            .spawn();
        let what = format!("node {}", node.id);
        node.child = Some(child.map_err(|source| Error::Spawn { what, source })?);
        Ok(())
    }

    /// Kills a node with SIGKILL and waits until it is gone.
    pub fn kill_node(&mut self, index: usize) {
        self.kill_nodes(&[index]);
    }

    /// Kills nodes with SIGKILL, as nearly at one moment as can be, and waits until they are gone.
    pub fn kill_nodes(&mut self, indexes: &[usize]) {
        let children = indexes
            .iter()
            .filter_map(|&index| self.nodes[index].child.take());
        let mut children: Vec<Child> = children.collect();
        for child in &mut children {
            // It may have died by itself a moment ago.
            let _ = child.kill();
        }
        for mut child in children {
            let _ = child.wait();
        }
    }

    /// Waits until every node is ready to sell.
    pub async fn await_all_ready(&mut self, patience: Duration) -> Result<(), Error> {
        for index in 0..self.nodes.len() {
            self.await_probe(index, "/readyz", "ready", patience)
                .await?;
        }
        Ok(())
    }

    /// Waits until a node's probe answers 200; fails at once when its process has ended.
    pub async fn await_probe(
        &mut self,
        index: usize,
        path: &str,
        wanted: &'static str,
        patience: Duration,
    ) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            self.nodes[index].check_running()?;
            let node = &self.nodes[index];
            let last = probe(node.http, path).await;
            let Err(last) = last else { return Ok(()) };
            if start.elapsed() > patience {
                let (what, seconds) = (format!("node {}", node.id), patience.as_secs());
                return Err(Error::Late {
                    what,
                    wanted,
                    seconds,
                    last,
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A node that ended although nobody killed it.
    pub fn check_running(&mut self) -> Result<(), Error> {
        self.nodes.iter_mut().try_for_each(Node::check_running)
    }

    /// Addresses for operators.
    pub fn admins(&self) -> Vec<SocketAddr> {
        self.members().map(|node| node.admin).collect()
    }

    /// Addresses for buyers.
    pub fn doors(&self) -> Vec<SocketAddr> {
        self.members().map(|node| node.http).collect()
    }

    /// Shards.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// Nodes that have not left.
    pub fn members(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !node.retired)
    }

    /// Process ids of the nodes that run.
    pub fn node_pids(&self) -> Vec<u32> {
        self.nodes
            .iter()
            .filter_map(|node| node.child.as_ref())
            .map(Child::id)
            .collect()
    }

    /// The nodes, for people and scripts.
    pub fn views(&self) -> Vec<NodeView> {
        let view = |node: &Node| NodeView {
            url: format!("http://{}", node.http),
            admin: format!("http://{}", node.admin),
            pid: node.child.as_ref().map(Child::id),
            dir: node.dir.clone(),
        };
        self.members().map(view).collect()
    }

    /// Lets everybody stop in good order: closes their standard inputs, waits, kills the rest.
    pub async fn stop(mut self) {
        for node in &mut self.nodes {
            drop(node.child.as_mut().and_then(|child| child.stdin.take()));
        }
        let start = Instant::now();
        let stopped = |node: &mut Node| match &mut node.child {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => true,
        };
        while start.elapsed() < STOP_PATIENCE && !self.nodes.iter_mut().all(stopped) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn initialize(&self) -> Result<(), Error> {
        let start = Instant::now();
        let node = &self.nodes[0];
        loop {
            let mut connection = Connection::new(node.admin);
            let request = Request::post("/admin/init", b"");
            let last = match connection.call(&request, Duration::from_secs(20)).await {
                Ok(reply) if (200..300).contains(&reply.status) => return Ok(()),
                Ok(reply) => format!("{} {}", reply.status, String::from_utf8_lossy(reply.body)),
                Err(error) => error.to_string(),
            };
            if start.elapsed() > START_PATIENCE {
                let (what, seconds) = (format!("node {}", node.id), START_PATIENCE.as_secs());
                return Err(Error::Late {
                    what,
                    wanted: "initialized",
                    seconds,
                    last,
                });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let children = self.nodes.iter_mut().filter_map(|node| node.child.as_mut());
        for child in children.chain([&mut self.provider.child]) {
            // Whoever is gone already is what we want.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Node {
    fn new(dir: &Path, id: u64, (http, peer, admin): (SocketAddr, SocketAddr, SocketAddr)) -> Self {
        Self {
            id,
            http,
            peer,
            dialled: peer,
            admin,
            dir: dir.join(format!("node-{id}")),
            retired: false,
            program: None,
            config: dir.join(format!("node-{id}.toml")),
            log: dir.join(format!("node-{id}.log")),
            child: None,
        }
    }

    /// Its process; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn check_running(&mut self) -> Result<(), Error> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        match child.try_wait() {
            Ok(Some(status)) => Err(Error::Ended {
                what: format!("node {}", self.id),
                status: status.to_string(),
                log: self.log.clone(),
                tail: tail(&self.log),
            }),
            _ => Ok(()),
        }
    }
}

async fn probe(address: SocketAddr, path: &str) -> Result<(), String> {
    let mut connection = Connection::new(address);
    match connection.call(&Request::get(path), PROBE_DEADLINE).await {
        Ok(reply) if reply.status == 200 => Ok(()),
        Ok(reply) => Err(format!(
            "{} {}",
            reply.status,
            String::from_utf8_lossy(reply.body)
        )),
        Err(error) => Err(error.to_string()),
    }
}

fn open_log(path: &Path) -> Result<File, Error> {
    let open = OpenOptions::new().create(true).append(true).open(path);
    open.map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
