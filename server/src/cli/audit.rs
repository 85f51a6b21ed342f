//! `usher audit URL...`: compares running nodes with each other and with the payment provider.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crate::audit_client::{self, fetch};

/// Asks running nodes (by their admin addresses) what they hold and compares it.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Admin addresses, as http://IP:PORT or IP:PORT.
    #[arg(required = true, value_name = "URL", value_parser = parse_address)]
    pub nodes: Vec<SocketAddr>,
    /// The payment provider; its ledger is compared with what was sold.
    #[arg(long, value_name = "URL", value_parser = parse_address)]
    pub provider: Option<SocketAddr>,
    /// How long to wait for all replicas to be at one index, in seconds.
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    pub patience: u64,
}

/// `http://IP:PORT`, with or without the scheme and a slash at the end.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let address = text.strip_prefix("http://").unwrap_or(text);
    let address = address.strip_suffix('/').unwrap_or(address);
    address
        .parse()
        .map_err(|_| format!("{text:?} is not of the form http://IP:PORT"))
}

/// Prints a line a promise; fails when one is broken.
pub async fn run(args: Args) -> Result<ExitCode, fetch::Error> {
    let patience = Duration::from_secs(args.patience);
    let findings = audit_client::audit_nodes(&args.nodes, args.provider, patience).await?;
    let mut out = std::io::stdout().lock();
    for line in findings.lines() {
        // A reader that went away does not change the verdict.
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(
        out,
        "{} groups agree on {} nodes; {} orders paid",
        findings.groups_agreed,
        args.nodes.len(),
        findings.orders_paid
    );
    Ok(if findings.all_held() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
