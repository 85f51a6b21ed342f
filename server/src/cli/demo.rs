//! `usher demo`: a real cluster, a real sale, and a proof afterwards.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{interrupted, say};
use crate::demo::children::Cluster;
use crate::demo::report::Report;
use crate::demo::{self, Error, Options};
use crate::loadgen::on_one_thread;
use crate::progress::Progress;

/// Promises were broken.
const BROKEN: u8 = 1;
/// All promises held, but the event did not sell out.
const NOT_SOLD_OUT: u8 = 4;

/// Starts a cluster of real processes, sells out a stadium over HTTP, and audits everything.
///
/// Exit status 0 only if every promise held and the event sold out.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    pub nodes: u64,
    /// Shards of the cluster.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: u16,
    /// Places of the stadium, blocked seats included.
    #[arg(long, default_value_t = 70_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub seats: u32,
    /// Buyers at once; who is done comes back as somebody else.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub buyers: u32,
    /// Kills leaders with SIGKILL while the sale runs, and at last all nodes at once.
    #[arg(long)]
    pub chaos: bool,
    /// Leaders to kill, with --chaos.
    #[arg(long, default_value_t = 5, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub kills: u64,
    /// Grows the cluster to so many nodes while the sale runs, spreads voters and leaders over them,
    /// and then drains, removes and stops the first node.
    #[arg(long, value_name = "NODES", conflicts_with = "chaos", value_parser = clap::value_parser!(u64).range(2..=9))]
    pub scale_to: Option<u64>,
    /// Begins with this program, an older `usher`, and upgrades node by node to this one while the
    /// sale runs, once back and forth on the way.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["chaos", "scale_to"])]
    pub upgrade_from: Option<PathBuf>,
    /// How long a hold lasts.
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=600))]
    pub hold_seconds: u64,
    /// Ends the sale after so long, sold out or not.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub seconds: u64,
    /// Writes the figures to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Leaves the cluster running until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
    /// Keeps everything (data, logs, the provider's ledger) here; by default in a temporary
    /// directory that is removed when all went well.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Runs the demo; the exit code tells whether every promise held.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    if args.scale_to.is_some_and(|to| to <= args.nodes) {
        let text = format!("--scale-to must be more than --nodes ({})", args.nodes);
        return Err(Error::Invalid(text));
    }
    let (dir, temporary) = directory(args.dir.as_deref(), "usher-demo-")?;
    let options = Options {
        nodes: args.nodes,
        shards: args.shards,
        seats: args.seats,
        buyers: args.buyers as usize,
        kills: if args.chaos { args.kills } else { 0 },
        scale_to: args.scale_to,
        upgrade_from: args.upgrade_from.clone(),
        hold_seconds: args.hold_seconds,
        seconds_max: args.seconds,
        dir: dir.clone(),
        json: args.json.clone(),
    };
    let keep = args.keep;
    let outcome = on_one_thread(move || async move {
        tokio::select! {
            outcome = show(&options, keep) => outcome,
            () = interrupted() => Err(Error::Interrupted),
        }
    })
    .await;
    let clean = matches!(&outcome, Ok(report) if report.all_held());
    match temporary {
        Some(temporary) if clean || matches!(outcome, Err(Error::Interrupted)) => drop(temporary),
        Some(temporary) => say(&format!(
            "everything is kept in {}",
            temporary.keep().display()
        )),
        None => {}
    }
    let report = outcome?;
    Ok(match (report.all_held(), report.sold_out) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(NOT_SOLD_OUT),
        (false, _) => ExitCode::from(BROKEN),
    })
}

async fn show(options: &Options, keep: bool) -> Result<Report, Error> {
    let progress = Progress::new(options.nodes as usize);
    let outcome = demo::run(options, &progress).await;
    progress.finish();
    let (report, cluster) = outcome?;
    report.lines().iter().for_each(|line| say(line));
    if keep {
        keep_running(&cluster).await;
    }
    cluster.stop().await;
    Ok(report)
}

/// Tells where everything is, and waits for Ctrl-C.
pub(super) async fn keep_running(cluster: &Cluster) {
    for node in cluster.views() {
        let pid = node
            .pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        say(&format!(
            "{}  admin {}  pid {pid}  {}",
            node.url,
            node.admin,
            node.dir.display()
        ));
    }
    say("running until Ctrl-C");
    interrupted().await;
}

/// The directory asked for, or a temporary one.
pub(super) fn directory(
    wanted: Option<&Path>,
    prefix: &str,
) -> Result<(PathBuf, Option<tempfile::TempDir>), Error> {
    if let Some(dir) = wanted {
        let dir = std::path::absolute(dir).map_err(|source| Error::File {
            path: dir.to_owned(),
            source,
        })?;
        return Ok((dir, None));
    }
    let path = std::env::temp_dir();
    let temporary = tempfile::Builder::new().prefix(prefix).tempdir();
    let temporary = temporary.map_err(|source| Error::File { path, source })?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}
