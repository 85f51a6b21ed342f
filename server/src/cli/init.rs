//! `usher init`: brings a new cluster to life, once.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use super::admin_client::AdminClient;
use super::cluster::members;
use super::{CliError, say};
use crate::node::admin::GroupSeenView;

/// How long a new cluster may take until its members are registered and every group has a leader.
const SPREAD_WITHIN: Duration = Duration::from_secs(30);
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
        spread_leaders(&client).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// The cluster exists by then: whatever keeps leaders where they are is told, and no failure.
async fn spread_leaders(client: &AdminClient) {
    let until = Instant::now() + SPREAD_WITHIN;
    loop {
        match spread_once(client).await {
            Ok(true) => say("leaders are being spread over its nodes (usher cluster watch)"),
            Ok(false) => {}
            Err(_) if Instant::now() < until => {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            Err(error) => say(&format!(
                "leaders are not spread ({error}); later: usher cluster rebalance"
            )),
        }
        return;
    }
}

/// Once: a placement that somebody changed, or that says who had better lead, stays as it is. Whether
/// there was something to say.
async fn spread_once(client: &AdminClient) -> Result<bool, CliError> {
    let members = members::ask(client).await?;
    let wanted = |group: &GroupSeenView| group.wanted_leader.is_some();
    match members.placement {
        0 => Err(CliError::Failed(
            "its members are not registered yet".to_owned(),
        )),
        // Of one node there is nothing to say.
        1 if members.nodes.len() > 1 && !members.groups.iter().any(wanted) => {
            client.post("/admin/rebalance", "{}").await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
