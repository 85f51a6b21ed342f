//! The main job, end to end, as a stranger can watch it: a real cluster, a real sale, and a proof
//! afterwards.
//!
//! [`children`] starts real processes; [`sale`] and [`buyer`] are thousands of independent clients
//! over HTTP; [`chaos`] kills nodes under them, [`scale`] adds and removes some, [`upgrade`] exchanges their program; [`books`] is the clients' own record; [`settle`]
//! has it compared with the replicas and with the provider's ledger; [`report`] tells. Nothing
//! here knows how the cluster works inside.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "clients and processes beside the cluster: real time, real chance, real threads"
)]

pub mod board;
pub mod books;
mod buyer;
pub mod chaos;
pub mod children;
pub mod door;
pub mod exit_with_parent;
pub mod measure;
pub mod messages;
pub mod opening;
pub mod pace;
pub mod report;
pub mod sale;
pub mod scale;
mod settle;
pub mod shopping;
pub mod stadium;
pub mod tickets;
mod upgrade;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chaos::{Blow, Schedule};
use children::{Cluster, Plan};
use pace::Pace;
use report::{Report, Whereabouts};
use sale::Sale;
use scale::Moves;

use crate::audit_client::fetch;
use crate::dice::Dice;
use crate::progress::{Progress, Snapshot};
use board::Board;

/// What to show.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nodes.
    pub nodes: u64,
    /// Shards.
    pub shards: u16,
    /// Places of the stadium.
    pub seats: u32,
    /// Concurrent buyers.
    pub buyers: usize,
    /// Leaders to kill, and then everybody; 0 for a peaceful sale.
    pub kills: u64,
    /// Nodes to grow to, before the first one is taken away; none for a cluster that stays as it is.
    pub scale_to: Option<u64>,
    /// The program of the release before, with which the cluster begins; none for this one.
    pub upgrade_from: Option<PathBuf>,
    /// How long a hold lasts.
    pub hold_seconds: u64,
    /// The sale is ended after so long, sold out or not.
    pub seconds_max: u64,
    /// Where everything is kept.
    pub dir: PathBuf,
    /// Written when the cluster stands (so that scripts can begin to look), and at the end.
    pub json: Option<PathBuf>,
}

/// Why a demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster does not stand.
    #[error(transparent)]
    Cluster(#[from] children::Error),
    /// The members did not become what they should.
    #[error(transparent)]
    Scaling(#[from] scale::Error),
    /// The event could not be opened.
    #[error(transparent)]
    Opening(#[from] opening::Error),
    /// Evidence is missing.
    #[error("the audit cannot be made: {0}")]
    Audit(#[from] fetch::Error),
    /// The report cannot be written.
    #[error("{path}: {source}")]
    File {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// Nothing was sold for so long, beyond the length of a hold: the sale has ended.
const STANDSTILL: Duration = Duration::from_secs(20);
/// Buyers finish what they are at.
const GOING_HOME: Duration = Duration::from_secs(90);
const CONNECTIONS_PER_NODE: usize = 64;
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// Runs a demo. The cluster is handed back running.
pub async fn run(options: &Options, progress: &Progress) -> Result<(Report, Cluster), Error> {
    let plan = Plan {
        nodes: options.nodes,
        shards: options.shards,
        dir: options.dir.clone(),
        first_port: None,
    };
    progress.say(&format!(
        "starting {} nodes and a payment provider in {}",
        plan.nodes,
        plan.dir.display()
    ));
    let mut cluster = Cluster::start_with(&plan, options.upgrade_from.as_deref()).await?;
    if let Some(path) = &options.json {
        write_json(path, &Whereabouts::of(&cluster))?;
    }
    let opened = opening::open(&cluster.doors(), options).await?;
    let places = u64::from(options.seats);
    progress.say(&format!(
        "event {} with {places} places; the lobby is open",
        opened.event
    ));
    let changed = options.scale_to.is_some() || options.upgrade_from.is_some();
    let disturbed = options.kills > 0 || changed;
    let pace = if disturbed {
        Pace::kept()
    } else {
        Pace::free()
    };
    let doors = door::Doors::new(&cluster.doors(), CONNECTIONS_PER_NODE);
    let sale = Arc::new(Sale::new(doors, opened.event, pace, opened.keys));
    let board = Arc::new(Board::new(&cluster.doors(), &cluster.admins()));

    let start = Instant::now();
    let disturbed = sell(&sale, &board, &mut cluster, options, progress).await?;
    let took = start.elapsed();
    let (findings, counts) = settle::settle(&sale, &cluster, places, progress).await?;
    let books = sale.books();
    let end = books.grants.last().copied().unwrap_or(start);
    let kills = chaos::measure(&disturbed.blows, &books.grants, start, end);
    let scaling = disturbed.moves.map(|moves| moves.cost(&books));
    let figures = (kills, scaling, took, options.buyers);
    let report = Report::assemble(
        counts,
        &findings,
        &books,
        figures,
        Whereabouts::of(&cluster),
    );
    drop(books);
    if let Some(path) = &options.json {
        write_json(path, &report)?;
    }
    Ok((report, cluster))
}

/// What was done to the cluster during the sale.
#[derive(Default)]
struct Disturbed {
    blows: Vec<Blow>,
    moves: Option<Moves>,
}

/// From the first join until the last buyer went home.
async fn sell(
    sale: &Arc<Sale>,
    board: &Arc<Board>,
    cluster: &mut Cluster,
    options: &Options,
    progress: &Progress,
) -> Result<Disturbed, Error> {
    let mut helpers = Tasks::default();
    let mut buyers = Tasks::default();
    let nodes_more = options.scale_to.map(|to| to.saturating_sub(options.nodes));
    let schedule = Arc::new(match (nodes_more, &options.upgrade_from) {
        (Some(more), _) => Schedule::lasting(scale::seconds(more)),
        (None, Some(_)) => Schedule::lasting(upgrade::seconds(options.nodes)),
        (None, None) => Schedule::new(options.kills),
    });
    let seed = Dice::fresh().throw();
    {
        let (sale, board) = (sale.clone(), board.clone());
        helpers.spawn(async move {
            while !sale.over() {
                board.refresh().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let pages = sale.clone();
    helpers.spawn(async move { pages.read_pages().await });
    let (paced, rate) = (sale.clone(), schedule.clone());
    helpers.spawn(async move {
        paced
            .pace
            .beat(|| rate.reserves_per_second(paced.counts().available))
            .await;
    });
    for number in 0..options.buyers {
        buyers.spawn(buyer::shop(sale.clone(), number, seed));
    }
    let disturb = async {
        let mut disturbed = Disturbed::default();
        if let Some(to) = options.scale_to {
            disturbed.moves = Some(scale::scale(cluster, sale, board, to, progress).await?);
        } else if let Some(old) = &options.upgrade_from {
            let upgraded = upgrade::upgrade(cluster, sale, board, old, progress).await?;
            disturbed.moves = Some(upgraded);
        } else if options.kills > 0 {
            disturbed.blows = chaos::unleash(cluster, sale, board, &schedule, progress).await?;
        }
        sale.pace.release();
        Ok::<_, Error>(disturbed)
    };
    let watch = async {
        watch(sale, board, options, progress).await;
        Ok(())
    };
    let (disturbed, ()) = tokio::try_join!(disturb, watch)?;
    progress.say("no more to sell; buyers finish what they are at");
    buyers.finish(GOING_HOME).await;
    helpers.finish(Duration::from_secs(1)).await;
    Ok(disturbed)
}

/// Shows progress and decides when the sale is over.
async fn watch(sale: &Sale, board: &Board, options: &Options, progress: &Progress) {
    let start = Instant::now();
    let patience = STANDSTILL + Duration::from_secs(options.hold_seconds);
    let (mut sold, mut sold_at, mut grants) = (0, Instant::now(), Vec::new());
    loop {
        tokio::time::sleep(SHOW_EVERY).await;
        let counts = sale.counts();
        let (granted, joined) = {
            let books = sale.books();
            (books.grants.len(), books.joins.len())
        };
        grants.push((Instant::now(), granted));
        grants.retain(|(at, _)| at.elapsed() < Duration::from_secs(1) + SHOW_EVERY);
        let second_ago = grants.first().map_or(0, |&(_, granted)| granted);
        progress.show(&Snapshot {
            phase: sale.queue().state,
            total: counts.capacity - counts.blocked,
            sold: counts.sold,
            held: counts.held,
            available: counts.available,
            joined: joined as u64,
            reserves_per_s: (granted - second_ago) as u64,
            nodes: board.lines(),
        });
        if counts.sold != sold || counts.capacity == 0 {
            (sold, sold_at) = (counts.sold, Instant::now());
        }
        let sold_out = counts.capacity > 0 && counts.available == 0 && counts.held == 0;
        let too_long = start.elapsed() > Duration::from_secs(options.seconds_max);
        if sold_out || too_long || sold_at.elapsed() > patience {
            sale.end();
            return;
        }
    }
}

/// Tasks that end with their owner.
#[derive(Default)]
struct Tasks(Vec<tokio::task::JoinHandle<()>>);

impl Tasks {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task));
    }

    /// Waits for all, at most so long; whoever is not done then is dropped.
    async fn finish(mut self, patience: Duration) {
        let all = async {
            for task in &mut self.0 {
                // A task that panicked has left its record as it was; the audit will tell.
                let _ = task.await;
            }
        };
        // Too late is late: Drop ends the rest.
        let _ = tokio::time::timeout(patience, all).await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(|task| task.abort());
    }
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).expect("plain data under plain keys");
    std::fs::write(path, text + "\n").map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}
