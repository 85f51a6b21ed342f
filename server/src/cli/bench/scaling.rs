//! `usher bench scaling`: what a cluster costs as it grows.

use super::{Error, positive};
use crate::cli::demo::directory;
use crate::cli::say;
use crate::progress::Progress;
use crate::scaling::{self, Question};

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

pub(super) async fn measure(args: Scaling) -> Result<(), Error> {
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
