//! `usher cluster watch`, and what `--wait` does: looking until everything is as it is wanted.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use super::members::{ask, show};
use crate::cli::CliError;
use crate::cli::admin_client::AdminClient;
use crate::cli::say;

const EVERY: Duration = Duration::from_millis(500);

/// What to watch.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `host:port` of a node's admin listener; any node can tell.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
    /// Goes on when everything is as it is wanted, until Ctrl-C.
    #[arg(long)]
    pub forever: bool,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&args.admin)?;
    let mut last = String::new();
    loop {
        let members = ask(&client).await?;
        // Ages change all the time; what is to be done is the news.
        let news = format!(
            "{:?} {:?} {:?}",
            members.nodes.len(),
            members.steps,
            members.blocked
        );
        if news != last {
            show(&members);
            last = news;
        }
        if members.settled && !args.forever {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Waits until everything is as it is wanted; tells what is left on the way, unless `quiet`. `removed`
/// is the node whose removal is waited for.
pub async fn until_settled(
    client: &AdminClient,
    within: Duration,
    removed: Option<u64>,
    quiet: bool,
) -> Result<(), CliError> {
    let until = Instant::now() + within;
    let mut last = String::new();
    loop {
        // A node that is being removed or restarted may not answer; the next time it may.
        let looked = ask(client).await;
        let left = match &looked {
            // Asked through the node that left: it is out, and hears nothing more.
            Ok(members) if members.outside && removed == Some(members.node_id) => return Ok(()),
            Ok(members) if members.settled && !members.outside => return Ok(()),
            Ok(members) => {
                let next = members.steps.first().cloned();
                let waits = members.blocked.first();
                let waits = waits.map(|blocked| format!("{}; {}", blocked.reason, blocked.remedy));
                next.or(waits)
                    .unwrap_or_else(|| "the members are being registered".to_owned())
            }
            Err(error) => error.to_string(),
        };
        if left != last && !quiet {
            say(&format!("  {left}"));
        }
        last = left;
        if Instant::now() >= until {
            let seconds = within.as_secs();
            return Err(CliError::Failed(format!(
                "not done after {seconds} s: {last}"
            )));
        }
        tokio::time::sleep(EVERY).await;
    }
}
