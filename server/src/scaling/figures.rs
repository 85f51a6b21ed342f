//! What was measured, and how it is shown.

use std::fmt::Write as _;

use serde::Serialize;

use crate::loadgen::Row;

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Clusters that do nothing.
    pub idle: Vec<Idle>,
    /// Seats that are there.
    pub stock: Vec<Stock>,
    /// Seats that are held.
    pub held: Option<Held>,
    /// People who join a lobby.
    pub joins: Option<Joins>,
    /// What people look at.
    pub reads: Vec<Row>,
    /// Connections that are open.
    pub connections: Option<Connections>,
    /// Reservations.
    pub reserves: Vec<Reserves>,
}

/// A cluster that does nothing, a node of it at the mean.
#[derive(Clone, Debug, Serialize)]
pub struct Idle {
    /// Nodes.
    pub nodes: u64,
    /// Shards, the system group not counted.
    pub shards: u16,
    /// From the first process to the last that is ready.
    pub ready_s: f64,
    /// Resident memory.
    pub rss_mib: f64,
    /// Of one core.
    pub cpu_percent: f64,
    /// Log syncs.
    pub syncs_per_s: f64,
    /// Frames sent to other nodes.
    pub frames_per_s: f64,
    /// Carried by them.
    pub link_bytes_per_s: f64,
    /// Threads.
    pub threads: f64,
    /// Open files, sockets included.
    pub files: f64,
}

/// An event with so many seats.
#[derive(Clone, Debug, Serialize)]
pub struct Stock {
    /// Seats.
    pub seats: u32,
    /// Its creation, until it is answered.
    pub created_s: f64,
    /// By how much a node's resident memory grew, for each seat.
    pub rss_bytes_per_seat: f64,
    /// Written to a node's log, for each seat.
    pub log_bytes_per_seat: f64,
    /// Its page, the first time.
    pub page_ms: f64,
    /// Of that.
    pub page_bytes: usize,
    /// The seat map of its first section, the first time.
    pub section_ms: f64,
    /// Of that.
    pub section_bytes: usize,
    /// A node killed and started: until it is ready.
    pub restart_s: f64,
    /// Of the data directory of one node, preallocated log included.
    pub disk_mib: f64,
}

/// Seats that are held, ten an order.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Seats.
    pub seats: u32,
    /// By how much a node's resident memory grew, for each seat.
    pub rss_bytes_per_seat: f64,
    /// Written to a node's log, for each seat.
    pub log_bytes_per_seat: f64,
    /// A node killed and started: until it is ready.
    pub restart_s: f64,
}

/// People who join a lobby, each once.
#[derive(Clone, Debug, Serialize)]
pub struct Joins {
    /// People.
    pub people: usize,
    /// How fast, and what it cost.
    pub row: Row,
    /// Joins in a log entry, at the mean.
    pub joins_per_entry: f64,
    /// Written to a node's log, for each of them.
    pub log_bytes: f64,
    /// By how much a node's resident memory grew, for each of them.
    pub rss_bytes: f64,
}

/// Connections that stay open and ask nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Connections {
    /// How many, to one node.
    pub count: usize,
    /// By how much its resident memory grew, for each.
    pub rss_bytes: f64,
    /// Of one core, with all of them open.
    pub cpu_percent: f64,
}

/// Reservations as fast as they are answered: the workload `hold`.
#[derive(Clone, Debug, Serialize)]
pub struct Reserves {
    /// Nodes.
    pub nodes: u64,
    /// Shards the event is spread over.
    pub spread: u16,
    /// Whose doors the clients use: `all` or `leader`.
    pub doors: &'static str,
    /// How fast, and what it cost.
    pub row: Row,
    /// Commands in a log entry, at the mean.
    pub commands_per_entry: f64,
    /// Log syncs of all nodes, for each entry.
    pub syncs_per_entry: f64,
    /// Written to one node's log, for each command.
    pub log_bytes_per_command: f64,
    /// Carried between all nodes, for each command.
    pub link_bytes_per_command: f64,
    /// Frames between all nodes, for each command.
    pub frames_per_command: f64,
}

impl Figures {
    /// Tables, for a document.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        let mut table = |head: &str, rows: Vec<String>| {
            if !rows.is_empty() {
                let columns = head.matches('|').count() - 1;
                let rule = "|--:".repeat(columns);
                writeln!(text, "{head}\n{rule}|\n{}\n", rows.join("\n")).expect("memory");
            }
        };
        table(
            "| nodes | shards | ready s | memory MiB | CPU % of a core | syncs/s | frames/s | kB/s sent | threads | files |",
            self.idle.iter().map(Idle::line).collect(),
        );
        table(
            "| seats | created s | memory B/seat | log B/seat | page ms | page kB | section ms | section kB | restart s | disk MiB |",
            self.stock.iter().map(Stock::line).collect(),
        );
        table(
            "| seats held | memory B/seat | log B/seat | restart s |",
            self.held.iter().map(Held::line).collect(),
        );
        table(
            "| people | joins/s | CPU µs | p50 ms | p99 ms | joins an entry | log B | memory B |",
            self.joins.iter().map(Joins::line).collect(),
        );
        let reads = self.reads.iter().map(|row| {
            let (p50, p99) = (ms(row.p50_us), ms(row.p99_us));
            let Row { mode, clients, requests_per_s, server_cpu_us, .. } = row;
            format!("| {mode} | {clients} | {requests_per_s:.0} | {server_cpu_us:.0} | {p50:.2} | {p99:.2} |")
        });
        table(
            "| read | clients | requests/s | CPU µs | p50 ms | p99 ms |",
            reads.collect(),
        );
        table(
            "| open connections | memory B each | CPU % of a core |",
            self.connections.iter().map(Connections::line).collect(),
        );
        table(
            "| nodes | spread | doors | clients | requests/s | CPU µs | p50 ms | p99 ms | commands an entry | syncs an entry | log B | B sent | frames |",
            self.reserves.iter().map(Reserves::line).collect(),
        );
        text
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

impl Idle {
    fn line(&self) -> String {
        format!(
            "| {} | {} | {:.1} | {:.0} | {:.1} | {:.1} | {:.0} | {:.1} | {:.0} | {:.0} |",
            self.nodes,
            self.shards,
            self.ready_s,
            self.rss_mib,
            self.cpu_percent,
            self.syncs_per_s,
            self.frames_per_s,
            self.link_bytes_per_s / 1e3,
            self.threads,
            self.files
        )
    }
}

impl Stock {
    fn line(&self) -> String {
        format!(
            "| {} | {:.2} | {:.1} | {:.2} | {:.1} | {:.1} | {:.1} | {:.0} | {:.1} | {:.0} |",
            self.seats,
            self.created_s,
            self.rss_bytes_per_seat,
            self.log_bytes_per_seat,
            self.page_ms,
            self.page_bytes as f64 / 1e3,
            self.section_ms,
            self.section_bytes as f64 / 1e3,
            self.restart_s,
            self.disk_mib
        )
    }
}

impl Held {
    fn line(&self) -> String {
        format!(
            "| {} | {:.0} | {:.0} | {:.1} |",
            self.seats, self.rss_bytes_per_seat, self.log_bytes_per_seat, self.restart_s
        )
    }
}

impl Joins {
    fn line(&self) -> String {
        format!(
            "| {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} |",
            self.people,
            self.row.requests_per_s,
            self.row.server_cpu_us,
            ms(self.row.p50_us),
            ms(self.row.p99_us),
            self.joins_per_entry,
            self.log_bytes,
            self.rss_bytes
        )
    }
}

impl Connections {
    fn line(&self) -> String {
        format!(
            "| {} | {:.0} | {:.1} |",
            self.count, self.rss_bytes, self.cpu_percent
        )
    }
}

impl Reserves {
    fn line(&self) -> String {
        format!(
            "| {} | {} | {} | {} | {:.0} | {:.0} | {:.2} | {:.1} | {:.1} | {:.2} | {:.0} | {:.0} | {:.1} |",
            self.nodes,
            self.spread,
            self.doors,
            self.row.clients,
            self.row.requests_per_s,
            self.row.server_cpu_us,
            ms(self.row.p50_us),
            ms(self.row.p99_us),
            self.commands_per_entry,
            self.syncs_per_entry,
            self.log_bytes_per_command,
            self.link_bytes_per_command,
            self.frames_per_command
        )
    }
}
