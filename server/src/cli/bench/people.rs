//! `usher bench reads` and `join`: what it costs that people wait and look.

use std::time::Duration;

use super::{Error, ForThis, positive, tell};
use crate::cli::say;
use crate::loadgen::crowd::{Line, Read};
use crate::loadgen::row::TABLE_HEAD;
use crate::loadgen::{self, Row};

/// Until a line opens that is there to be joined: nobody sees it open.
const A_DAY: Duration = Duration::from_secs(86_400);
/// Until a line opens that is there to be looked at.
const SOON: Duration = Duration::from_secs(3);

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

pub(super) async fn reads(args: Reads) -> Result<(), Error> {
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
    in_a_line(args.nodes, SOON, args.json, rows).await
}

pub(super) async fn join(args: Join) -> Result<(), Error> {
    let rows = async |line: &Line| {
        let people = line.people(args.people as usize).await?;
        Ok(vec![line.join(&people, args.clients.into()).await?])
    };
    in_a_line(args.nodes, A_DAY, args.json, rows).await
}

/// Measures in front of an event whose line opens after `lobby`, in a cluster made for it.
async fn in_a_line(
    nodes: u64,
    lobby: Duration,
    json: bool,
    rows: impl AsyncFnOnce(&Line) -> Result<Vec<Row>, loadgen::Error>,
) -> Result<(), Error> {
    let ours = ForThis::start(nodes, 8).await?;
    let (doors, pids) = (ours.cluster.doors(), ours.cluster.node_pids());
    let done = match Line::new("usher", &doors, &pids, lobby).await {
        Ok(line) => rows(&line).await,
        Err(error) => Err(error),
    };
    ours.stop().await;
    let done = done?;
    if !json {
        say(TABLE_HEAD);
    }
    for row in done {
        tell(&row, json);
    }
    Ok(())
}
