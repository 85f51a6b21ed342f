//! `usher bench`: load against a running cluster, or against one started for it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use super::audit::parse_address;
use super::demo::directory;
use super::say;
use crate::demo::board::Board;
use crate::demo::children::{self, Cluster, Plan as ClusterPlan};
use crate::loadgen::crowd::{Line, Read};
use crate::loadgen::row::TABLE_HEAD;
use crate::loadgen::{self, Plan, Row, Workload, on_one_thread};
use crate::progress::Progress;
use crate::scaling::{self, Question};
use crate::{demo, pauses};

/// Measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Against what.
    #[command(subcommand)]
    pub command: Command,
}

/// Against what.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// A cluster that runs (with the development issuer of tokens).
    Rush(Rush),
    /// A cluster of child processes on this machine, started for it.
    Local(Local),
    /// How long a shard stands still when its leader is moved or killed, and a lost node is missed,
    /// in a cluster of child processes started for it.
    Pauses(PausesOf),
    /// What polls and pages cost, in a cluster of child processes started for it.
    Reads(Reads),
    /// What it costs that people join the line, in a cluster of child processes started for it.
    Join(Join),
    /// What a node, a shard, a seat, a person and a reservation cost as a cluster grows, in clusters of
    /// child processes started for it: the figures of docs/scaling.md.
    Scaling(Scaling),
}

/// `usher bench reads`
#[derive(Clone, Debug, clap::Args)]
pub struct Reads {
    /// What is read; all of it when left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub what: Vec<Read>,
    /// Clients at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub clients: u16,
    /// How long each is read.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    pub nodes: u64,
    /// A JSON line for each row instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `usher bench join`
#[derive(Clone, Debug, clap::Args)]
pub struct Join {
    /// People.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    pub people: u32,
    /// Who join at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub clients: u16,
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    pub nodes: u64,
    /// A JSON line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `usher bench scaling`
#[derive(Clone, Debug, clap::Args)]
pub struct Scaling {
    /// Which questions; all when left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Question>,
    /// Sizes of clusters.
    #[arg(long, value_delimiter = ',', default_value = "3,5,7,9", value_parser = clap::value_parser!(u64).range(1..=9))]
    pub nodes: Vec<u64>,
    /// Numbers of shards.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: Vec<u16>,
    /// Sizes of events.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000,10000000", value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub seats: Vec<u32>,
    /// Seats that are held.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub held: u32,
    /// People in a lobby.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    pub people: u32,
    /// Connections that stay open.
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,
    /// How long each rate is measured.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// All figures as JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

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

/// `usher bench pauses`
#[derive(Clone, Debug, clap::Args)]
pub struct PausesOf {
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(3..=9))]
    pub nodes: u64,
    /// Shards of the cluster.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: u16,
    /// Leaders to kill, one after the other.
    #[arg(long, default_value_t = 20)]
    pub kills: usize,
    /// Leaders to move, one after the other.
    #[arg(long, default_value_t = 20)]
    pub moves: usize,
    /// Seats held in a cluster that loses a node with its disk; 0: none is lost.
    #[arg(long, default_value_t = 100_000, value_name = "SEATS")]
    pub lost: u32,
    /// The figures as JSON.
    #[arg(long)]
    pub json: bool,
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

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option makes no sense.
    #[error("--{option} must be positive")]
    Option {
        /// Which.
        option: &'static str,
    },
    /// A run failed.
    #[error(transparent)]
    Run(#[from] loadgen::Error),
    /// The cluster does not stand.
    #[error(transparent)]
    Cluster(#[from] children::Error),
    /// Pauses cannot be measured.
    #[error(transparent)]
    Pauses(#[from] pauses::Error),
    /// What a cluster costs cannot be measured.
    #[error(transparent)]
    Scaling(#[from] scaling::Error),
    /// No directory for the cluster.
    #[error(transparent)]
    Directory(#[from] demo::Error),
}

/// Runs and prints.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    match args.command {
        Command::Rush(rush) => {
            let plan = plan(
                rush.label,
                rush.workload,
                &rush.load,
                rush.target,
                rush.pids,
            );
            run_all(&plan, &rush.load, &[64]).await?;
        }
        Command::Local(local) => {
            let (dir, _temporary) = directory(None, "usher-bench-")?;
            let cluster_plan = ClusterPlan {
                nodes: local.nodes,
                shards: local.shards,
                dir,
                first_port: None,
            };
            let cluster = Cluster::start(&cluster_plan).await?;
            let pids = cluster.node_pids();
            let doors = match local.doors {
                DoorsOf::All => cluster.doors(),
                DoorsOf::Leader => vec![leading_door(&cluster).await],
            };
            let plan = plan(local.label, local.workload, &local.load, doors, pids);
            let done = run_all(&plan, &local.load, &[16, 64, 256]).await;
            cluster.stop().await;
            done?;
        }
        Command::Pauses(args) => measure_pauses(args).await?,
        Command::Reads(args) => {
            let time = positive(args.seconds)?;
            let what = match args.what.is_empty() {
                true => Read::ALL.to_vec(),
                false => args.what,
            };
            let clients = usize::from(args.clients);
            let rows = async |line: &Line| {
                let people = line.people(clients).await?;
                let mut tokens = Vec::new();
                for bearer in &people {
                    tokens.push(line.token(bearer).await?);
                }
                line.await_draw().await?;
                let mut rows = Vec::new();
                for what in what {
                    rows.push(line.read(what, &tokens, clients, time).await?);
                }
                Ok(rows)
            };
            in_a_line(args.nodes, Duration::from_secs(3), args.json, rows).await?;
        }
        Command::Join(args) => {
            let rows = async |line: &Line| {
                let people = line.people(args.people as usize).await?;
                Ok(vec![line.join(&people, args.clients.into()).await?])
            };
            in_a_line(args.nodes, Duration::from_secs(86_400), args.json, rows).await?;
        }
        Command::Scaling(args) => measure_scaling(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure_pauses(args: PausesOf) -> Result<(), Error> {
    let (dir, _temporary) = directory(None, "usher-bench-")?;
    let cluster_plan = ClusterPlan {
        nodes: args.nodes,
        shards: args.shards,
        dir,
        first_port: None,
    };
    let mut cluster = Cluster::start(&cluster_plan).await?;
    let plan = pauses::Plan {
        kills: args.kills,
        moves: args.moves,
        seats: args.lost,
    };
    let progress = Progress::lines();
    let figures = pauses::run(&mut cluster, &plan, &progress).await;
    cluster.stop().await;
    let figures = figures?;
    match args.json {
        true => say(&serde_json::to_string(&figures).expect("plain data under plain keys")),
        false => figures.lines().iter().for_each(|line| say(line)),
    }
    Ok(())
}

/// Measures in front of an event whose line opens after `lobby`, in a cluster made for it.
async fn in_a_line(
    nodes: u64,
    lobby: Duration,
    json: bool,
    rows: impl AsyncFnOnce(&Line) -> Result<Vec<Row>, loadgen::Error>,
) -> Result<(), Error> {
    let (dir, _temporary) = directory(None, "usher-bench-")?;
    let cluster_plan = ClusterPlan {
        nodes,
        shards: 8,
        dir,
        first_port: None,
    };
    let cluster = Cluster::start(&cluster_plan).await?;
    let (doors, pids) = (cluster.doors(), cluster.node_pids());
    let done = match Line::new("usher", &doors, &pids, lobby).await {
        Ok(line) => rows(&line).await,
        Err(error) => Err(error),
    };
    cluster.stop().await;
    let done = done?;
    if !json {
        say(TABLE_HEAD);
    }
    for row in done {
        tell(&row, json);
    }
    Ok(())
}

async fn measure_scaling(args: Scaling) -> Result<(), Error> {
    let (dir, _temporary) = directory(None, "usher-bench-")?;
    let plan = scaling::Plan {
        questions: match args.only.is_empty() {
            true => Question::ALL.to_vec(),
            false => args.only,
        },
        dir,
        nodes: args.nodes,
        shards: args.shards,
        seats: args.seats,
        held: args.held,
        people: args.people as usize,
        connections: args.connections.into(),
        time: positive(args.seconds)?,
    };
    let figures = scaling::run(&plan, &Progress::lines()).await?;
    say(&match args.json {
        true => serde_json::to_string(&figures).expect("plain data under plain keys"),
        false => figures.tables(),
    });
    Ok(())
}

fn positive(seconds: f64) -> Result<Duration, Error> {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match time.is_zero() {
        true => Err(Error::Option { option: "seconds" }),
        false => Ok(time),
    }
}

fn tell(row: &Row, json: bool) {
    say(&match json {
        true => serde_json::to_string(row).expect("plain data under plain keys"),
        false => row.table_line(),
    });
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
