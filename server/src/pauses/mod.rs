//! How long a shard stands still when its leader is killed, when its leader is moved, and how long
//! a lost node is missed: measured on real processes, by writers that never stop.
//!
//! [`writers`] holds and gives back one seat of each shard all the time; [`blows`] is what is done
//! to the nodes meanwhile; [`figures`] is what is told.
//! The writers are the only ones at their seats, so an answer that another one contradicts ends
//! the measurement: a pause that loses a "yes" is not a pause.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "measures a cluster of real processes: real time, real chance"
)]

mod blows;
mod event;
mod figures;
pub(crate) mod replacement;
mod writers;

use std::time::{Duration, Instant};

pub use self::figures::{Figures, Pauses};

use self::writers::Writers;
use crate::demo::children::{self, Cluster};
use crate::demo::measure::millis;
use crate::demo::{opening, scale};
use crate::progress::Progress;

/// How long writers are watched before anything is done to the nodes.
const QUIET: Duration = Duration::from_secs(10);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Leaders that are killed, one after the other.
    pub kills: usize,
    /// Leaders that are moved.
    pub moves: usize,
    /// Seats, all of them held, that a cluster has when a node is lost and replaced; 0: none is.
    pub seats: u32,
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
    /// An answer that no right cluster gives here.
    #[error("{what} was answered {status}: {body}")]
    Unexpected {
        /// To what.
        what: &'static str,
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// A change of members did not come to its end.
    #[error(transparent)]
    Change(#[from] scale::Error),
    /// A directory of a node that is lost cannot be removed.
    #[error("cannot lose the disk of a node: {0}")]
    Disk(std::io::Error),
    /// Something did not come about.
    #[error("{what} not within {seconds} s")]
    Late {
        /// What.
        what: String,
        /// How long was waited.
        seconds: u64,
    },
}

/// Measures on a cluster of three nodes or more that does nothing else.
pub async fn run(
    cluster: &mut Cluster,
    plan: &Plan,
    progress: &Progress,
) -> Result<Figures, Error> {
    let writers = Writers::start(&cluster.doors(), cluster.shards()).await?;
    let begin = Instant::now();
    tokio::time::sleep(QUIET).await;
    let quiet_ms = writers
        .groups()
        .map(|group| millis(writers.longest(group, begin, Instant::now())))
        .max();
    let mut figures = Figures {
        quiet_ms: quiet_ms.unwrap_or_default(),
        ..Figures::default()
    };
    progress.say(&format!(
        "{} shards, longest pause of one in {} s: {} ms",
        writers.groups().count(),
        QUIET.as_secs(),
        figures.quiet_ms
    ));
    for turn in 0..plan.moves {
        let pause = blows::move_leader(cluster, &writers, turn).await?;
        figures.moves.push(pause);
    }
    figures.moves.tell(progress, "leaders moved");
    for killed in 1..=plan.kills {
        figures
            .kills
            .push(blows::kill_leader(cluster, &writers).await?);
        if killed % 20 == 0 || killed == plan.kills {
            figures.kills.tell(progress, "leaders killed");
        }
    }
    writers.stop().await?;
    if plan.seats > 0 {
        let replaced = replacement::measure(cluster, plan.seats, progress).await?;
        figures.replacement = Some(replaced);
    }
    Ok(figures)
}
