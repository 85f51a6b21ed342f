//! `usher cluster`: a cluster as its operators see and change it.

mod change;
pub mod members;
mod status;
mod upgrade;
mod watch;

use std::process::ExitCode;

use super::CliError;

/// Watches a cluster, grows it, shrinks it, evens it out.
///
/// Every change is a wish that the cluster writes into its log and carries out by itself, one safe
/// step after the other, also when nodes crash on the way. --dry-run prints the steps and changes
/// nothing; --wait returns when they are done.
///
/// Grow: `usher start --join --config FILE` on the new machine, then `usher cluster rebalance`.
/// Shrink: `usher cluster remove ID --wait`, then stop that node. Repair a node for a while:
/// `usher cluster drain ID --wait`, and `usher cluster undrain ID` afterwards.
///
/// Exit codes: 0 done; 1 refused, or not done in time; 2 the command line is wrong; 3 no answer.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Shows every group as the given nodes see it, and the members.
    Status(status::Args),
    /// Shows nodes, who votes where, what is still to be done, and what waits and why.
    Members(members::Args),
    /// Shows the members again and again, until everything is as it is wanted.
    Watch(watch::Args),
    /// Registers a node by hand; `usher start --join` does it by itself.
    Add(change::Add),
    /// Takes votes and leaderships from a node, which stays and can be undrained.
    Drain(change::Node),
    /// Lets a drained node vote again; it does so once the cluster is rebalanced.
    Undrain(change::Node),
    /// Takes a node out of the cluster, for ever: its id is never used again.
    Remove(change::Node),
    /// Takes a node out of the cluster, whose place another one that has joined takes.
    Replace(change::Replace),
    /// Spreads voters and leaders evenly over nodes and zones; leaders by what their shards write just now.
    Rebalance(change::Rebalance),
    /// Hands a group's leadership to another of its voters.
    MoveLeader(change::MoveLeader),
    /// Shows which release each node runs; with --finish ends a rolling upgrade.
    Upgrade(upgrade::Args),
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    match args {
        Args::Status(args) => status::run(args).await,
        Args::Members(args) => members::run(args).await,
        Args::Watch(args) => watch::run(args).await,
        Args::Add(args) => change::add(args).await,
        Args::Drain(args) => change::drain(args).await,
        Args::Undrain(args) => change::undrain(args).await,
        Args::Remove(args) => change::remove(args).await,
        Args::Replace(args) => change::replace(args).await,
        Args::Rebalance(args) => change::rebalance(args).await,
        Args::MoveLeader(args) => change::move_leader(args).await,
        Args::Upgrade(args) => upgrade::run(args).await,
    }
}
