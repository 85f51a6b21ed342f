//! `usher top`: a running cluster on one screen, again and again.

#[allow(clippy::disallowed_methods, reason = "shows real time to people")]
mod look;
mod page;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use self::look::Look;
use self::page::page;
use super::admin_client::AdminClient;
use super::{CliError, interrupted, say};

/// Shows nodes, groups, seats, the queue and how fast reservations are answered, every second until
/// Ctrl-C.
///
/// Rates and latencies are those between two looks. Latencies are upper bounds: they are known by the
/// buckets of a histogram. `lag` is entries a node has not applied of what is committed, in the group
/// where it lacks most; `age` is how old, at most, what its replicas show is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `host:port` of the admin listeners of all nodes, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:8091")]
    admin: Vec<String>,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Prints one page and ends.
    #[arg(long)]
    once: bool,
}

/// Runs the command. Exit code 3 when no node answers the first time.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let clients: Result<Vec<AdminClient>, _> = args
        .admin
        .iter()
        .map(|admin| AdminClient::new(admin))
        .collect();
    let clients = clients?;
    let mut before = Look::now(&clients).await;
    if before.told().next().is_none() {
        // Its own words say why.
        let asked: Result<serde_json::Value, _> = clients[0].get_json("/admin/status").await;
        asked?;
    }
    let repaint = std::io::stdout().is_terminal() && !args.once;
    loop {
        tokio::select! {
            biased;
            () = interrupted() => return Ok(ExitCode::SUCCESS),
            () = tokio::time::sleep(Duration::from_secs(args.every)) => {}
        }
        let now = Look::now(&clients).await;
        let page = page(&before, &now);
        match repaint {
            true => paint(&page),
            false => say(&page),
        }
        if args.once {
            return Ok(ExitCode::SUCCESS);
        }
        before = now;
    }
}

/// Writes over the last page without a flicker: home, each line to its end, and nothing below.
fn paint(page: &str) {
    let lines = page.replace('\n', "\x1b[K\n");
    let mut out = std::io::stdout();
    // Whoever looked may be gone; then nobody misses the page.
    let _ = write!(out, "\x1b[H{lines}\x1b[J");
    let _ = out.flush();
}
