//! `usher bench rush` and `local`: reservations, checked seat by seat.

use std::net::SocketAddr;

use super::{Error, ForThis, positive, tell};
use crate::cli::audit::parse_address;
use crate::cli::say;
use crate::demo::board::Board;
use crate::demo::children::Cluster;
use crate::loadgen::row::TABLE_HEAD;
use crate::loadgen::{self, Plan, Row, Workload, on_one_thread};

/// `usher bench rush`
#[derive(Clone, Debug, clap::Args)]
pub struct Rush {
    /// What clients do.
    #[arg(long, value_enum, default_value = "hold")]
    pub workload: Workload,
    /// Nodes, as http://IP:PORT; clients spread over them.
    #[arg(long, required = true, value_delimiter = ',', value_name = "URL", value_parser = parse_address)]
    pub target: Vec<SocketAddr>,
    /// Server processes on this machine, to tell what they cost.
    #[arg(long, value_delimiter = ',', value_name = "PID")]
    pub pids: Vec<u32>,
    /// How the rows are called.
    #[arg(long, default_value = "usher")]
    pub label: String,
    /// How to load.
    #[command(flatten)]
    pub load: Load,
}

/// `usher bench local`
#[derive(Clone, Debug, clap::Args)]
pub struct Local {
    /// What clients do.
    #[arg(long, value_enum, default_value = "hold")]
    pub workload: Workload,
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    pub nodes: u64,
    /// Shards of the cluster.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: u16,
    /// Whose doors the clients use.
    #[arg(long, value_enum, default_value = "all")]
    pub doors: DoorsOf,
    /// How the rows are called.
    #[arg(long, default_value = "usher")]
    pub label: String,
    /// How to load.
    #[command(flatten)]
    pub load: Load,
}

/// Whose doors the clients of a local cluster use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DoorsOf {
    /// All nodes', in turn; most requests are forwarded, as behind any load balancer.
    All,
    /// The node's that leads most groups; nothing is forwarded.
    Leader,
}

/// How to load.
#[derive(Clone, Debug, clap::Args)]
pub struct Load {
    /// Clients at once; several numbers make several runs.
    #[arg(long, value_delimiter = ',', value_name = "COUNT")]
    pub clients: Vec<usize>,
    /// How long each run is, after one second of warm-up.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// Open loop: so many orders begin each second, whatever comes back.
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    /// Shards to spread the event over; by default one for every 100,000 seats.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub spread: Option<u16>,
    /// A JSON line for each run instead of a table.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn rush(args: Rush) -> Result<(), Error> {
    let plan = plan(
        args.label,
        args.workload,
        &args.load,
        args.target,
        args.pids,
    );
    run_all(&plan, &args.load, &[64]).await
}

pub(super) async fn local(args: Local) -> Result<(), Error> {
    let ours = ForThis::start(args.nodes, args.shards).await?;
    let pids = ours.cluster.node_pids();
    let doors = match args.doors {
        DoorsOf::All => ours.cluster.doors(),
        DoorsOf::Leader => vec![leading_door(&ours.cluster).await],
    };
    let plan = plan(args.label, args.workload, &args.load, doors, pids);
    let done = run_all(&plan, &args.load, &[16, 64, 256]).await;
    ours.stop().await;
    done
}

async fn leading_door(cluster: &Cluster) -> SocketAddr {
    let doors = cluster.doors();
    let board = Board::new(&doors, &cluster.admins());
    board.refresh().await;
    let leading = board.leading_most().map_or(0, |(index, _)| index);
    doors[leading]
}

fn plan(
    label: String,
    workload: Workload,
    load: &Load,
    targets: Vec<SocketAddr>,
    pids: Vec<u32>,
) -> Plan {
    let time = positive(load.seconds).unwrap_or_default();
    Plan {
        label,
        targets,
        workload,
        clients: 0,
        time,
        rate: load.rate,
        spread: load.spread,
        pids,
    }
}

async fn run_all(plan: &Plan, load: &Load, usual: &[usize]) -> Result<(), Error> {
    let clients = if load.clients.is_empty() {
        usual
    } else {
        &load.clients[..]
    };
    let checks = [
        ("clients", clients.iter().all(|&count| count > 0)),
        ("seconds", !plan.time.is_zero()),
        (
            "rate",
            load.rate.is_none_or(|rate| rate > 0.0 && rate.is_finite()),
        ),
    ];
    if let Some((option, _)) = checks.into_iter().find(|(_, good)| !good) {
        return Err(Error::Option { option });
    }
    if !load.json {
        say(TABLE_HEAD);
    }
    for &clients in clients {
        let plan = Plan {
            clients,
            ..plan.clone()
        };
        let row: Row = on_one_thread(move || async move { loadgen::run(&plan).await }).await?;
        tell(&row, load.json);
    }
    Ok(())
}
