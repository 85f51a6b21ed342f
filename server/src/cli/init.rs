//! `usher init`: brings a new cluster to life, once.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use super::admin_client::AdminClient;
use super::cluster::members;
use super::{CliError, say};

/// How long the members of a new cluster may take to be registered.
const REGISTERED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Initializes a new cluster through any one of its nodes.
///
/// All nodes of the configuration must be running. Its groups begin where it was asked; then their leaders
/// are spread evenly over its nodes, which costs nothing while nobody buys. Repeating it is harmless: a
/// cluster that is initialized stays as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `host:port` of a node's admin listener.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
    /// Leaves all leaders where they begin; `usher cluster rebalance` spreads them later.
    #[arg(long)]
    pub keep_leaders: bool,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&args.admin)?;
    let answer = client.post("/admin/init", "{}").await?;
    say(&format!("initialized: {answer}"));
    if !args.keep_leaders {
        spread_leaders(&client).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Once: a placement that somebody changed, or that says who had better lead, stays as it is.
async fn spread_leaders(client: &AdminClient) -> Result<(), CliError> {
    let until = Instant::now() + REGISTERED_WITHIN;
    let placed = loop {
        let members = members::ask(client).await?;
        if members.placement > 0 {
            break members;
        }
        if Instant::now() >= until {
            say("its members are not registered yet; later: usher cluster rebalance");
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let mut groups = placed.groups.iter();
    let wanted = groups.any(|group| group.wanted_leader.is_some());
    if placed.placement == 1 && !wanted {
        client.post("/admin/rebalance", "{}").await?;
        say("leaders are being spread over its nodes (usher cluster watch)");
    }
    Ok(())
}
