//! A machine small enough to see through, and a cluster of it in one process: real sockets, real
//! files, real time.

#![allow(dead_code)] // Each test uses its part.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use raft_node::platform::Platform;
use raft_node::storage::StorageOptions;
use raft_node::{
    Client, Duty, Entry, GroupStatus, Machine, Node, NodeConfig, NotUnderstood, ProposeError,
    RestoreError, Role, StartError,
};

/// What this machine does not understand.
pub const NEWER: &str = "a word of a newer release";

/// Remembers each command it saw and when first; `due:<ms>` asks for a sweep in so many ms.
#[derive(Default)]
pub struct Toy {
    seen: BTreeMap<Bytes, u64>,
    due: BTreeSet<u64>,
}

impl Machine for Toy {
    fn apply(&mut self, entry: Entry<'_>) -> Result<Vec<Bytes>, NotUnderstood> {
        let mut outcomes = Vec::new();
        if entry.commands.iter().any(|command| command == NEWER) {
            let (index, reason) = (entry.index, NEWER.to_owned());
            return Err(NotUnderstood { index, reason });
        }
        for command in entry.commands {
            let text = String::from_utf8_lossy(command).into_owned();
            if text == "tick" {
                self.due.retain(|due| *due > entry.stamp.at_ms);
            } else if let Some(ms) = text.strip_prefix("due:") {
                self.due
                    .insert(entry.stamp.at_ms + ms.parse::<u64>().unwrap());
            }
            // A name for entries of the same text, so that a history can be told.
            let name = match &*text {
                "tick" | "elected" => Bytes::from(format!("{text}@{}", entry.index)),
                _ => command.clone(),
            };
            let first = *self.seen.entry(name).or_insert(entry.index);
            outcomes.push(Bytes::from(first.to_string()));
        }
        Ok(outcomes)
    }

    fn next_due_ms(&self) -> Option<u64> {
        self.due.first().copied()
    }

    fn tick(&self) -> Bytes {
        Bytes::from("tick")
    }

    fn elected(&self) -> Option<Bytes> {
        Some(Bytes::from("elected"))
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = [0_u8; 32];
        for part in self.save() {
            for (at, byte) in part.iter().enumerate() {
                let into = &mut digest[at % 32];
                *into = into.rotate_left(3) ^ byte.wrapping_mul(31).wrapping_add(at as u8);
            }
        }
        digest
    }

    fn save(&self) -> Vec<Bytes> {
        let seen = self.seen.iter().map(|(command, index)| {
            Bytes::from(format!("{index} {}", String::from_utf8_lossy(command)))
        });
        let due = self.due.iter().map(|due| Bytes::from(format!("{due} ")));
        seen.chain(due).collect()
    }

    fn restore(&mut self, parts: Vec<Bytes>) -> Result<(), RestoreError> {
        *self = Self::default();
        for (part, bytes) in parts.into_iter().enumerate() {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let broken = || RestoreError {
                part,
                reason: "not a toy's".into(),
            };
            let (number, command) = text.split_once(' ').ok_or_else(broken)?;
            let number = number.parse().map_err(|_| broken())?;
            if command.is_empty() {
                self.due.insert(number);
            } else {
                self.seen.insert(Bytes::from(command.to_owned()), number);
            }
        }
        Ok(())
    }
}

pub type Furnish = Arc<dyn Fn(u64, &mut Platform) + Send + Sync>;
pub type Adjust = Arc<dyn Fn(&mut NodeConfig) + Send + Sync>;

/// Some nodes, each in a directory that outlives it.
pub struct Cluster {
    pub nodes: BTreeMap<u64, Node>,
    pub peers: BTreeMap<u64, String>,
    pub groups: Vec<u32>,
    duties: Vec<Arc<dyn Duty>>,
    pub directory: tempfile::TempDir,
    adjust: Adjust,
    /// Changes the machine that a node runs on.
    pub machine: Furnish,
    pub storage: StorageOptions,
}

impl Cluster {
    /// Nodes 1 to `count`, started and brought into being.
    pub async fn start(count: u64, groups: Vec<u32>, adjust: Adjust) -> Self {
        let mut cluster = Self::prepare(count, groups, adjust, Vec::new());
        for node in 1..=count {
            cluster.open(node).await;
        }
        cluster.nodes[&1].initialize().await.unwrap();
        cluster
    }

    pub fn prepare(
        count: u64,
        groups: Vec<u32>,
        adjust: Adjust,
        duties: Vec<Arc<dyn Duty>>,
    ) -> Self {
        Self {
            nodes: BTreeMap::new(),
            peers: free_addresses(count),
            groups,
            duties,
            directory: tempfile::tempdir().unwrap(),
            adjust,
            machine: Arc::new(|_, _| {}),
            storage: StorageOptions::default(),
        }
    }

    /// Where a node's files are.
    pub fn directory(&self, node: u64) -> PathBuf {
        self.directory.path().join(node.to_string())
    }

    pub fn config(&self, node: u64) -> NodeConfig {
        let listen: SocketAddr = self.peers[&node].parse().unwrap();
        let mut config = NodeConfig::new(77, node, listen, self.peers.clone(), self.groups.clone());
        // Quick, yet patient enough for a machine that does other things, too.
        config.heartbeat_ms = 100;
        config.election_min_ms = 500;
        config.election_max_ms = 1_000;
        (self.adjust)(&mut config);
        config
    }

    /// Starts a node in its directory, once whoever had it before is gone.
    pub async fn open(&mut self, node: u64) {
        let root = self.directory(node);
        for _ in 0..200 {
            let machines = self.groups.iter().map(|group| {
                let machine: Box<dyn Machine> = Box::new(Toy::default());
                (*group, machine)
            });
            let mut platform = Platform::os(&root).unwrap();
            (self.machine)(node, &mut platform);
            let config = self.config(node);
            let (options, duties) = (self.storage.clone(), self.duties.clone());
            let machines = machines.collect();
            match Node::start_with(config, platform, options, machines, duties).await {
                Ok(started) => {
                    self.nodes.insert(node, started);
                    return;
                }
                Err(StartError::Listen { .. } | StartError::Storage(_)) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("node {node} does not start");
    }

    /// Stops a node without a word to anybody.
    pub fn kill(&mut self, node: u64) {
        drop(self.nodes.remove(&node).unwrap());
    }

    pub fn client(&self, node: u64) -> Client {
        self.nodes[&node].client()
    }

    pub fn status(&self, node: u64, group: u32) -> GroupStatus {
        let all = self.nodes[&node].status_with_digests();
        all.into_iter().find(|s| s.group == group).unwrap()
    }

    /// Waits until exactly one running node leads the group, and returns it.
    pub async fn leader(&self, group: u32) -> u64 {
        eventually("a leader", || {
            let mut leaders = self.nodes.keys().copied().filter(|node| {
                let status = self.status(*node, group);
                status.role == Role::Leader
            });
            leaders.next().filter(|_| leaders.next().is_none())
        })
        .await
    }

    /// Waits until all running replicas of a group have applied the same, and compares them.
    pub async fn converge(&self, group: u32) -> GroupStatus {
        eventually("equal replicas", || {
            let mut all = self.nodes.keys().map(|node| self.status(*node, group));
            let first = all.next().unwrap();
            let equal = all.all(|s| s.applied == first.applied && s.digest == first.digest);
            (equal && first.applied == first.last_log_index).then_some(first)
        })
        .await
    }
}

/// Commits a command, repeating it while its outcome is unknown, as a caller with ids does.
pub async fn commit(client: &Client, group: u32, command: &str) -> u64 {
    for _ in 0..60 {
        let bytes = Bytes::from(command.to_owned());
        match client.propose(group, bytes, Duration::from_secs(1)).await {
            Ok(committed) => {
                let first = std::str::from_utf8(&committed.outcome).unwrap();
                return first.parse().unwrap();
            }
            Err(ProposeError::OutcomeUnknown | ProposeError::NoLeader | ProposeError::Expired) => {}
            Err(error) => panic!("{command}: {error}"),
        }
    }
    panic!("{command}: no outcome");
}

/// Waits for something to be so, at most 20 s.
pub async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within 20 s");
}

/// Addresses that were free a moment ago: a restarted node needs its old one.
pub fn free_addresses(count: u64) -> BTreeMap<u64, String> {
    // Below the range that outgoing connections have theirs from, and none given twice.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 11_000 + (std::process::id() % 90) as u16 * 100;
    let ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000);
    let addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let free = addresses.filter(|address| TcpListener::bind(address).is_ok());
    let free = free.map(|address| address.to_string());
    (1..=count).zip(free).collect()
}
