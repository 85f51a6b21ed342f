//! What a cluster costs as it grows: per node, shard, seat, waiting person, connection, read and
//! reservation, measured on real processes of this machine.
//!
//! Each question has its file and its cluster, made for it. `docs/scaling.md` tells what follows from
//! the answers for clusters that no one machine can hold.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "measures a cluster of real processes: real time, real chance"
)]

mod account;
mod figures;
mod idle;
mod people;
mod reserve;
mod stock;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use self::figures::Figures;
use crate::demo::children::{self, Cluster};
use crate::demo::opening;
use crate::progress::Progress;
use crate::{http_client, loadgen, pauses};

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Question {
    /// Clusters that do nothing: what a node and a shard cost.
    Idle,
    /// Events of growing size, and seats that are held.
    Seats,
    /// Joins, reads and open connections.
    People,
    /// Reservations.
    Reserve,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Idle, Self::Seats, Self::People, Self::Reserve];
}

/// How far to go.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which questions.
    pub questions: Vec<Question>,
    /// Directory for the clusters' data, one after the other.
    pub dir: PathBuf,
    /// Sizes of clusters.
    pub nodes: Vec<u64>,
    /// Numbers of shards.
    pub shards: Vec<u16>,
    /// Sizes of events.
    pub seats: Vec<u32>,
    /// Seats that are held.
    pub held: u32,
    /// People in a lobby.
    pub people: usize,
    /// Connections that stay open.
    pub connections: usize,
    /// How long each rate is measured.
    pub time: Duration,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster does not stand.
    #[error(transparent)]
    Cluster(#[from] children::Error),
    /// An event could not be made.
    #[error(transparent)]
    Event(#[from] opening::Error),
    /// A run failed.
    #[error(transparent)]
    Load(#[from] loadgen::Error),
    /// Seats could not be held.
    #[error(transparent)]
    Hold(#[from] pauses::Error),
    /// A node does not answer.
    #[error(transparent)]
    Call(#[from] http_client::Error),
    /// The system does not tell what processes use.
    #[error("cannot read what processes use: {0}")]
    System(#[from] std::io::Error),
    /// It did not come about.
    #[error("{0} is not there")]
    Late(String),
}

/// Answers the questions, one cluster after the other.
pub async fn run(plan: &Plan, progress: &Progress) -> Result<Figures, Error> {
    let mut figures = Figures::default();
    for question in &plan.questions {
        match question {
            Question::Idle => idle::measure(plan, &mut figures, progress).await?,
            Question::Seats => stock::measure(plan, &mut figures, progress).await?,
            Question::People => people::measure(plan, &mut figures, progress).await?,
            Question::Reserve => reserve::measure(plan, &mut figures, progress).await?,
        }
    }
    Ok(figures)
}

/// A new cluster in a directory of its own, and how long until it was ready.
async fn cluster(plan: &Plan, nodes: u64, shards: u16) -> Result<(Cluster, f64), Error> {
    let dir = plan.dir.join("cluster");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    let start = Instant::now();
    let cluster = Cluster::start(&children::Plan {
        nodes,
        shards,
        dir,
        first_port: None,
    })
    .await?;
    Ok((cluster, start.elapsed().as_secs_f64()))
}

/// Kills a node, starts it, and waits until it is ready.
async fn restart(cluster: &mut Cluster, index: usize) -> Result<f64, Error> {
    const PATIENCE: Duration = Duration::from_secs(120);
    cluster.kill_node(index);
    let start = Instant::now();
    cluster.start_node(index)?;
    cluster
        .await_probe(index, "/readyz", "ready again", PATIENCE)
        .await?;
    Ok(start.elapsed().as_secs_f64())
}
