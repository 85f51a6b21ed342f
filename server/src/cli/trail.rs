//! `usher trail`: what operators and organizers did.

use std::process::ExitCode;
use std::time::Duration;

use super::admin_client::AdminClient;
use super::{CliError, interrupted, say};
use crate::node::admin::{RecordView, TrailView};

/// Between two looks of --follow.
const EVERY: Duration = Duration::from_secs(1);

/// Shows who did what, and when, as the cluster's log has it.
///
/// Every change that an operator or organizer was granted is here, written by the very entry that made
/// it (a refund, and a leader that moves, by one before). The last 4,096 are kept; older ones are in
/// backups. Numbers have no gaps.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what was done since: 15m, 12h, 30d ago, or a time like 2026-11-22T18:00:00Z.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Goes on with what is done from now on, until Ctrl-C.
    #[arg(long)]
    pub follow: bool,
    /// A JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
    /// `host:port` of a node's admin listener; any node can tell.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let since_ms = args.since.as_deref().map(since_ms).transpose()?;
    let client = AdminClient::new(&args.admin)?;
    tokio::select! {
        biased;
        () = interrupted() => Ok(ExitCode::SUCCESS),
        shown = show(&args, &client, since_ms.unwrap_or(0)) => shown,
    }
}

async fn show(args: &Args, client: &AdminClient, since_ms: u64) -> Result<ExitCode, CliError> {
    let (mut from, mut begun) = (0, false);
    loop {
        let path = format!("/admin/trail?from={from}&since_ms={since_ms}");
        let view: TrailView = client.get_json(&path).await?;
        if !begun && since_ms == 0 && view.first > 1 && !args.json {
            say(&format!("(records 1 to {} are in backups)", view.first - 1));
        }
        begun = true;
        for record in &view.records {
            say(&match args.json {
                true => serde_json::to_string(record).expect("records are plain data"),
                false => line(record),
            });
        }
        from = view.next;
        if view.more {
            continue;
        }
        if !args.follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn line(record: &RecordView) -> String {
    let who = match (record.name.as_str(), record.role.as_str()) {
        ("", "") => record.by.clone(),
        (name, role) => format!("{} {name} ({role})", record.by),
    };
    format!(
        "{:>6}  {}  {:<16}  {}  by {who}, request {}",
        record.number, record.at, record.action, record.about, record.request
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line is no node: what its user calls now"
)]
fn since_ms(text: &str) -> Result<u64, CliError> {
    if let Some(time) = api::text::parse_time(text) {
        return Ok(time.0);
    }
    let ago_s = super::key::duration_s(text);
    let ago_s = ago_s.map_err(|why| CliError::Invalid(format!("--since {text}: {why}")))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = now.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    });
    // 0 means everything, and so does what is longer ago than there are clocks.
    Ok(now_ms.saturating_sub(ago_s.saturating_mul(1_000)))
}
