//! `usher bench pauses`: how long shards stand still.

use super::{Error, ForThis};
use crate::cli::say;
use crate::pauses;
use crate::progress::Progress;

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

pub(super) async fn measure(args: PausesOf) -> Result<(), Error> {
    let mut ours = ForThis::start(args.nodes, args.shards).await?;
    let plan = pauses::Plan {
        kills: args.kills,
        moves: args.moves,
        seats: args.lost,
    };
    let progress = Progress::lines();
    let figures = pauses::run(&mut ours.cluster, &plan, &progress).await;
    ours.stop().await;
    let figures = figures?;
    match args.json {
        true => say(&serde_json::to_string(&figures).expect("plain data under plain keys")),
        false => figures.lines().iter().for_each(|line| say(line)),
    }
    Ok(())
}
