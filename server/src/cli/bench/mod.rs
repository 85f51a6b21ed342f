//! `usher bench`: load against a running cluster, or against one started for it.

mod load;
mod pauses;
mod people;
mod scaling;

use std::process::ExitCode;
use std::time::Duration;

use self::load::{Local, Rush};
use self::pauses::PausesOf;
use self::people::{Join, Reads};
use self::scaling::Scaling;
use super::demo::directory;
use super::say;
use crate::demo;
use crate::demo::children::{self, Cluster, Plan};
use crate::loadgen::{self, Row};

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
    Pauses(#[from] crate::pauses::Error),
    /// What a cluster costs cannot be measured.
    #[error(transparent)]
    Scaling(#[from] crate::scaling::Error),
    /// No directory for the cluster.
    #[error(transparent)]
    Directory(#[from] demo::Error),
}

/// Runs and prints.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    match args.command {
        Command::Rush(args) => load::rush(args).await?,
        Command::Local(args) => load::local(args).await?,
        Command::Pauses(args) => pauses::measure(args).await?,
        Command::Reads(args) => people::reads(args).await?,
        Command::Join(args) => people::join(args).await?,
        Command::Scaling(args) => scaling::measure(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A cluster of child processes that is there for one measurement.
struct ForThis {
    cluster: Cluster,
    _directory: Option<tempfile::TempDir>,
}

impl ForThis {
    async fn start(nodes: u64, shards: u16) -> Result<Self, Error> {
        let (dir, temporary) = directory(None, "usher-bench-")?;
        let plan = Plan {
            nodes,
            shards,
            dir,
            first_port: None,
        };
        Ok(Self {
            cluster: Cluster::start(&plan).await?,
            _directory: temporary,
        })
    }

    async fn stop(self) {
        self.cluster.stop().await;
    }
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
