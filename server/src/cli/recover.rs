//! `usher recover`: a new cluster from what is left of one that lost its majority.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use uuid::Uuid;

use super::{CliError, say};
use crate::dice::secret_hex;
use crate::node::config::Config;
use crate::recover::{Left, RecoverError, Recovery, survey};

/// Makes a new cluster of what is left when most nodes are lost for good.
///
/// LAST RESORT. As long as a majority of the nodes can be brought back, do that instead: nothing is
/// lost then. Run this on the stopped node that is left (copy the directories of others that are left
/// to this machine and name them with --also). It says, group by group, what is there and what may be
/// lost: whatever only the lost nodes had, answers to buyers among it.
///
/// The old directory is kept beside the new one. The new cluster has an id of its own, so lost nodes
/// that come back are refused. It begins with this one node, whose file is written to --write; others
/// join it with `usher start --join`.
///
/// Exit codes: 0 done (with --dry-run: it can be done); 1 it cannot, and nothing was changed; 2 the
/// command line or a file is wrong.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file of the node that is left.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Data directories of other nodes that are left, copied here. Of each group, the log that is
    /// furthest counts.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    also: Vec<PathBuf>,
    /// Where the new cluster's file of this node goes. Default: beside the old one, as
    /// NAME.recovered.toml.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Only says what is there and what may be lost.
    #[arg(long)]
    dry_run: bool,
    /// The id of the cluster, typed, as consent.
    #[arg(
        long = "i-accept-that-answers-may-be-lost",
        value_name = "CLUSTER_ID",
        required_unless_present = "dry_run"
    )]
    consent: Option<Uuid>,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let config = Config::load(&args.config)?;
    let write = args
        .write
        .unwrap_or_else(|| args.config.with_extension("recovered.toml"));
    if !args.dry_run {
        if args.consent != Some(config.cluster_id) {
            return Err(CliError::Invalid(format!(
                "--i-accept-that-answers-may-be-lost: this is cluster {}. Type its id if you mean it",
                config.cluster_id
            )));
        }
        if write.exists() {
            let why = format!("--write {}: it exists already", write.display());
            return Err(CliError::Invalid(why));
        }
    }
    let recovery = survey(config, &args.also).await?;
    tell(&recovery);
    if args.dry_run {
        say("nothing was changed (--dry-run)");
        return Ok(ExitCode::SUCCESS);
    }
    let drawn = u128::from_str_radix(&secret_hex(16), 16).expect("it is 32 hex digits");
    let drawn = drawn.to_be_bytes();
    let done = recovery
        .carry_out(uuid::Builder::from_random_bytes(drawn).into_uuid())
        .await?;
    save(&done.config, &write)?;
    say(&format!(
        "the old directory is kept: {}",
        done.kept.display()
    ));
    say(&format!(
        "the new cluster is {}, its first node's file {}",
        done.config.cluster_id,
        write.display()
    ));
    say("next:");
    say(&format!(
        "  usher backup reconcile --config {}   # money that moved for what was lost",
        write.display()
    ));
    say(&format!("  usher start --config {}", write.display()));
    say(
        "  then nodes with new ids and empty directories: usher start --join, usher cluster rebalance --replicas 3",
    );
    say("never start a node of the old cluster again: wipe what comes back");
    Ok(ExitCode::SUCCESS)
}

fn tell(recovery: &Recovery) {
    say(&format!(
        "cluster {}: nodes {:?} are left",
        recovery.cluster_id(),
        recovery.survivors
    ));
    say(
        "  group  from node  voted term  last entry (term)   committed    snapshot  left out  last entry kept is of",
    );
    for left in &recovery.left {
        say(&line(left));
    }
    let ended = recovery.left.iter().map(|left| left.last_at_ms).min();
    say(&format!(
        "WHAT MAY BE LOST: every answer that rests on an entry behind these, which only the lost nodes had: orders, \
         payments, refunds, places in a queue, given after {}",
        time(ended.unwrap_or(0))
    ));
    for left in recovery.left.iter().filter(|left| left.left_out > 0) {
        say(&format!(
            "group {}: its last {} entries are left out: they rest on what another group has lost",
            left.group, left.left_out
        ));
    }
    for doubt in &recovery.doubts {
        say(&format!("LOOK: {doubt}"));
    }
}

fn line(left: &Left) -> String {
    let (term, index) = left.last;
    format!(
        "  {:>5}  {:>9}  {:>10}  {:>10} {:>8}  {:>10}  {:>10}  {:>8}  {}",
        left.group,
        left.node,
        left.voted_term,
        index,
        format!("({term})"),
        left.committed,
        left.snapshot,
        left.left_out,
        time(left.last_at_ms)
    )
}

fn time(at_ms: u64) -> String {
    let known = i64::try_from(at_ms).ok().filter(|ms| *ms > 0);
    let told = known.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    told.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string())
}

fn save(config: &Config, path: &Path) -> Result<(), CliError> {
    let text = toml::to_string(config).map_err(|error| CliError::Failed(error.to_string()))?;
    // It holds the cluster's secret.
    let written = crate::cli::write_private(path, text.as_bytes());
    written.map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    })
}

impl From<RecoverError> for CliError {
    fn from(error: RecoverError) -> Self {
        match error {
            RecoverError::Invalid(why) => Self::Invalid(why),
            other => Self::Failed(other.to_string()),
        }
    }
}
