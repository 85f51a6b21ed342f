//! `usher audit`: proves the promises, for running nodes or for stopped nodes' directories.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::identity;
use crate::audit_client::{self, fetch};
use crate::audit_dir;

/// Proves the promises for what is there.
///
/// A directory: replays the stopped node's log from its newest snapshot and checks every entry.
/// Addresses: asks running nodes (their admin listeners) what they hold and compares it.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Data directories of stopped nodes, or admin addresses (http://IP:PORT or IP:PORT).
    #[arg(required = true, value_name = "DIR|URL")]
    pub targets: Vec<String>,
    /// The payment provider; its ledger is compared with what was sold. With addresses only.
    #[arg(long, value_name = "URL", value_parser = parse_address)]
    pub provider: Option<SocketAddr>,
    /// How long to wait for all replicas to be at one index, in seconds. With addresses only.
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    pub patience: u64,
}

/// Why an audit did not come to a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node or the provider could not be asked.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// A directory could not be replayed.
    #[error("{dir}: {source}")]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: audit_dir::Error,
    },
}

/// `http://IP:PORT`, with or without the scheme and a slash at the end. With certificates on the
/// command line admin listeners are called over TLS, whatever the scheme says.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let address = text.strip_prefix("http://").unwrap_or(text);
    let address = address.strip_prefix("https://").unwrap_or(address);
    let address = address.strip_suffix('/').unwrap_or(address);
    address
        .parse()
        .map_err(|_| format!("{text:?} is not of the form http://IP:PORT"))
}

/// Prints a line a promise; exit code 1 when one is broken.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    let (mut nodes, mut held) = (Vec::new(), true);
    for target in &args.targets {
        match parse_address(target) {
            Ok(address) => nodes.push(identity::target(address, &address.ip().to_string())),
            Err(_) => held &= directory(PathBuf::from(target)).await?,
        }
    }
    if !nodes.is_empty() {
        let patience = Duration::from_secs(args.patience);
        let findings = audit_client::audit_nodes(&nodes, args.provider, patience).await?;
        findings.lines().iter().for_each(|line| super::say(line));
        super::say(&format!(
            "{} groups agree on {} nodes; {} orders paid",
            findings.groups_agreed,
            nodes.len(),
            findings.orders_paid
        ));
        held &= findings.all_held();
    }
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn directory(dir: PathBuf) -> Result<bool, Error> {
    let report = audit_dir::audit(&dir).await;
    let report = report.map_err(|source| Error::Directory {
        dir: dir.clone(),
        source,
    })?;
    let entries: u64 = report
        .replayed
        .iter()
        .map(|group| group.applied - group.snapshot_index)
        .sum();
    super::say(&format!(
        "{}: {} groups, {entries} entries after their snapshots, {} facts checked",
        dir.display(),
        report.replayed.len(),
        report.facts
    ));
    super::say(&format!(
        "{} places sold, {} orders paid",
        report.sold, report.paid
    ));
    super::say(&format!(
        "{} holds ran out, the latest {} ms after its deadline",
        report.expired, report.late_ms_max
    ));
    for (promise, found) in &report.broken {
        super::say(&format!("BROKEN {promise}: {found}"));
    }
    if report.broken.is_empty() {
        super::say("every promise held");
    }
    Ok(report.broken.is_empty())
}
