//! The machines: real nodes that are killed, stopped and started again, and the links between them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use raft_node::platform::forgetful_disk::Forgetting;
use serde_json::json;
use server::audit_client::fetch;
use server::demo::children::{Cluster, Error, Plan};
use server::http_client::{Connection, Request};
use server::node::config::RaftTiming;
use tokio::process::{Child, Command};

use super::links::Links;
use super::plan::{NODES, SHARDS};
use crate::fault::Target;
use crate::seed::Stream;

/// How long a node may take to come back.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// How long a node may take to say who leads.
const STATUS_WITHIN: Duration = Duration::from_millis(300);

/// How a run's nodes are set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The `usher` program.
    pub program: PathBuf,
    /// Everything that is written goes here.
    pub dir: PathBuf,
    /// Whether disks lie: then a run has to fail.
    pub lies: bool,
}

/// The nodes, their disks and their links.
pub struct Machine {
    /// The processes.
    pub cluster: Cluster,
    /// What is between them.
    pub links: Links,
    lies: bool,
    chance: Stream,
}

impl Machine {
    /// Starts everything and waits until it is ready to sell.
    pub async fn start(setup: &Setup, seed: u64) -> Result<Self, Error> {
        let plan = Plan {
            nodes: NODES as u64,
            shards: SHARDS,
            dir: setup.dir.clone(),
            first_port: None,
        };
        let mut cluster = Cluster::lay_out(&plan, setup.program.clone())?;
        // Few entries between snapshots: recovery meets snapshots, purges and used segments.
        cluster.raft = Some(RaftTiming {
            snapshot_every_entries: 1_000,
            ..RaftTiming::default()
        });
        let peers: Vec<_> = cluster.nodes.iter().map(|node| node.peer).collect();
        let links = Links::open(&peers).await;
        let (links, addresses) = links.map_err(|source| Error::Spawn {
            what: "the links".to_owned(),
            source,
        })?;
        for (node, address) in cluster.nodes.iter_mut().zip(addresses) {
            node.dialled = address;
        }
        let mut machine = Self {
            cluster,
            links,
            lies: setup.lies,
            chance: Stream::new(seed, "disks"),
        };
        machine.cluster.write_configs()?;
        for node in 0..NODES {
            // Disks lie from the first restart on: a cluster has to come into being.
            machine.boot(node, "forgets".to_owned())?;
        }
        machine.cluster.begin().await?;
        machine.spoil_the_provider().await?;
        Ok(machine)
    }

    /// The provider has a bad day: slow, loses answers after the deed, declines, repeats webhooks.
    async fn spoil_the_provider(&self) -> Result<(), Error> {
        let faults = json!({"delay_ms": 5, "lost_answer_percent": 3, "decline_percent": 5,
                            "duplicate_webhook_percent": 10, "reorder_webhooks": true});
        let body = faults.to_string();
        let mut provider = Connection::new(self.cluster.provider.address);
        let request = Request {
            method: "PUT",
            ..Request::post("/v1/faults", body.as_bytes())
        };
        let last = match provider.call(&request, BACK_WITHIN).await {
            Ok(reply) if reply.status < 300 => return Ok(()),
            Ok(reply) => reply.status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(Error::Late {
            what: "the provider".to_owned(),
            wanted: "having a bad day",
            seconds: 0,
            last,
        })
    }

    /// Kills nodes at one moment.
    pub fn kill(&mut self, nodes: &[usize]) {
        self.cluster.kill_nodes(nodes);
        nodes
            .iter()
            .for_each(|node| self.links.set_pid(*node, None));
    }

    /// Starts a node on what its predecessor left.
    pub fn restart(&mut self, node: usize) -> Result<(), Error> {
        let seed = self.chance.next();
        let disk = match (self.lies, self.chance.percent(60)) {
            (true, _) => format!("lies:{seed}"),
            (false, true) => format!("forgets:{seed}"),
            (false, false) => "forgets".to_owned(),
        };
        self.boot(node, disk)
    }

    fn boot(&mut self, node: usize, disk: String) -> Result<(), Error> {
        debug_assert!(disk.parse::<Forgetting>().is_ok(), "{disk}");
        self.cluster
            .start_node_with(node, &["--disk".to_owned(), disk])?;
        self.links.set_pid(node, self.cluster.nodes[node].pid());
        Ok(())
    }

    /// Waits until everybody answers; a node that ended by itself is an error at once.
    pub async fn await_alive(&mut self) -> Result<(), Error> {
        for node in 0..NODES {
            self.cluster
                .await_probe(node, "/livez", "alive again", BACK_WITHIN)
                .await?;
        }
        Ok(())
    }

    /// Stops a process, and lets it go on later. The helper lets it go on even if this program dies.
    pub fn stall(&self, node: usize, for_ms: u64) -> io::Result<Option<Child>> {
        let Some(pid) = self.cluster.nodes[node].pid() else {
            return Ok(None);
        };
        let seconds = format!("{}.{:03}", for_ms / 1_000, for_ms % 1_000);
        let script = "kill -STOP $0; sleep $1; kill -CONT $0";
        let helper = Command::new("sh")
            .args(["-c", script, &pid.to_string(), &seconds])
            .spawn()?;
        Ok(Some(helper))
    }

    /// Whom a fault strikes now.
    pub async fn find(&self, target: Target) -> usize {
        match target {
            Target::Node(node) => node,
            Target::Leader(group) => match self.leader(group).await {
                Some(node) => node,
                None => self.chance.below(NODES as u64) as usize,
            },
        }
    }

    /// Who leads a group, as any node has it.
    pub async fn leader(&self, group: u32) -> Option<usize> {
        for admin in self.cluster.admins() {
            let Ok(status) = fetch::status(admin, STATUS_WITHIN).await else {
                continue;
            };
            let of_group = status.groups.iter().find(|status| status.group == group);
            if let Some(leader) = of_group.and_then(|status| status.leader) {
                return usize::try_from(leader - 1).ok();
            }
        }
        None
    }
}
