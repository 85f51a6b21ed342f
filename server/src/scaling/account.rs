//! What a cluster has used so far, and what it used between two moments.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Error;
use crate::demo::children::Cluster;
use crate::figures::Scrape;
use crate::http_client::{Connection, Request};
use crate::loadgen::cpu;

const DEADLINE: Duration = Duration::from_secs(10);

/// One moment.
pub(super) struct Account {
    at: Instant,
    nodes: Vec<NodeAccount>,
}

/// One node until then.
#[derive(Clone, Debug, Default)]
struct NodeAccount {
    process: Process,
    scrape: Scrape,
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_s: f64,
    /// Resident memory.
    pub(super) rss_bytes: u64,
    pub(super) threads: u64,
    /// Open files, sockets included.
    pub(super) files: u64,
}

/// Between two moments, over all nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) seconds: f64,
    pub(super) nodes: f64,
    pub(super) cpu_s: f64,
    /// By how much resident memory grew.
    pub(super) rss_bytes: f64,
    /// Commands applied, each counted once.
    pub(super) commands: f64,
    /// Log entries committed, each counted once.
    pub(super) entries: f64,
    pub(super) syncs: f64,
    pub(super) log_bytes: f64,
    pub(super) frames: f64,
    pub(super) link_bytes: f64,
}

impl Account {
    /// Asks every node that runs.
    pub(super) async fn of(cluster: &Cluster) -> Result<Self, Error> {
        let mut nodes = Vec::new();
        for node in cluster.members() {
            let pid = node
                .pid()
                .ok_or_else(|| Error::Late(format!("node {}", node.id)))?;
            nodes.push(NodeAccount {
                process: Process::of(pid)?,
                scrape: scrape(node.http).await?,
            });
        }
        let at = Instant::now();
        Ok(Self { at, nodes })
    }

    /// The mean of what a node is now.
    pub(super) fn mean(&self, what: impl Fn(&Process) -> f64) -> f64 {
        let all: f64 = self.nodes.iter().map(|node| what(&node.process)).sum();
        all / self.nodes.len().max(1) as f64
    }

    /// What was used since.
    pub(super) fn since(&self, before: &Self) -> Spent {
        let sum = |account: &Self, what: &dyn Fn(&NodeAccount) -> f64| -> f64 {
            account.nodes.iter().map(what).sum()
        };
        let grown = |what: &dyn Fn(&NodeAccount) -> f64| sum(self, what) - sum(before, what);
        let counted =
            |name: &'static str| grown(&move |node: &NodeAccount| node.scrape.sum(name, &[]));
        let once = |name, label| self.highest(name, label) - before.highest(name, label);
        Spent {
            seconds: (self.at - before.at).as_secs_f64(),
            nodes: self.nodes.len() as f64,
            cpu_s: grown(&|node| node.process.cpu_s),
            rss_bytes: grown(&|node| node.process.rss_bytes as f64),
            commands: once("usher_ledger_commands_total", "shard"),
            entries: once("usher_raft_applied_index", "group"),
            syncs: counted("usher_wal_syncs_total"),
            log_bytes: counted("usher_wal_written_bytes_total"),
            frames: counted("usher_links_frames_total"),
            link_bytes: counted("usher_links_payload_bytes_total"),
        }
    }

    /// The sum over groups of what the replica that is furthest says.
    fn highest(&self, name: &str, label: &str) -> f64 {
        let mut all = std::collections::BTreeMap::<u32, f64>::new();
        for node in &self.nodes {
            for (group, value) in node.scrape.by_number(name, label, &[]) {
                let known = all.entry(group).or_default();
                *known = known.max(value);
            }
        }
        all.values().sum()
    }
}

async fn scrape(door: SocketAddr) -> Result<Scrape, Error> {
    let mut connection = Connection::new(door);
    let reply = connection.call(&Request::get("/metrics"), DEADLINE).await?;
    Ok(Scrape::read(&String::from_utf8_lossy(reply.body)))
}

impl Process {
    fn of(pid: u32) -> Result<Self, Error> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let files = fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
        Ok(Self {
            cpu_s: cpu::seconds(pid)?,
            rss_bytes: field(&status, "VmRSS:").unwrap_or(0) * 1_024,
            threads: field(&status, "Threads:").unwrap_or(0),
            files,
        })
    }
}

/// The number behind a name in `/proc/PID/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes of all files below a directory.
pub(super) fn bytes_below(dir: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_below(&entry.path())?,
            // One that was removed meanwhile has no size.
            false => entry.metadata().map_or(0, |found| found.len()),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(texts: &[&str], cpu_s: f64) -> Account {
        let node = |text: &&str| NodeAccount {
            process: Process {
                cpu_s,
                ..Process::default()
            },
            scrape: Scrape::read(text),
        };
        Account {
            at: Instant::now(),
            nodes: texts.iter().map(node).collect(),
        }
    }

    #[test]
    fn what_each_node_did_adds_up_and_what_all_of_them_applied_counts_once() {
        let before = account(
            &["usher_wal_syncs_total 5\n", "usher_wal_syncs_total 7\n"],
            1.0,
        );
        let one = "usher_wal_syncs_total 15\nusher_ledger_commands_total{shard=\"1\"} 40\n\
                   usher_raft_applied_index{group=\"1\"} 4\nusher_raft_applied_index{group=\"0\"} 2\n";
        let two = "usher_wal_syncs_total 10\nusher_ledger_commands_total{shard=\"1\"} 38\n\
                   usher_raft_applied_index{group=\"1\"} 3\n";
        let spent = account(&[one, two], 3.0).since(&before);
        assert_eq!(
            (spent.syncs, spent.commands, spent.entries),
            (13.0, 40.0, 6.0)
        );
        assert_eq!((spent.cpu_s, spent.nodes), (4.0, 2.0));
    }

    #[test]
    fn this_process_has_memory_threads_and_files() {
        let process = Process::of(std::process::id()).expect("Linux");
        assert!(process.rss_bytes > 1 << 20 && process.threads > 0 && process.files > 2);
        assert_eq!(
            field("VmRSS:\t  120 kB\nThreads:\t3\n", "Threads:"),
            Some(3)
        );
    }
}
