//! `usher sandbox-provider`: the payment provider to sell against, as a process of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::demo::exit_with_parent;
use crate::sandbox::{self, Options, Provider};

/// Runs a payment provider that charges nobody and fails on demand.
///
/// Prints one line of JSON, {"listening":"IP:PORT"}, and serves until it is stopped. Faults are
/// dialled in while it runs: PUT /v1/faults {"delay_ms": 200, "lost_answer_percent": 5}.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where webhooks go (may be repeated: doors of one seller, any of which may take an event).
    #[arg(long, value_name = "URL")]
    pub webhook: Vec<String>,
    /// The key that signs webhooks.
    #[arg(long, default_value = "whsec_sandbox")]
    pub secret: String,
    /// Keeps the ledger in this file; without it, in memory.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Stops when the standard input closes, so that no provider outlives who started it.
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
}

/// Serves until Ctrl-C or the end of its parent.
pub async fn run(args: Args) -> Result<ExitCode, sandbox::Error> {
    let provider = Provider::bind(Options {
        listen: args.listen,
        webhooks: args.webhook,
        secret: args.secret,
        ledger: args.ledger,
    })
    .await?;
    let listening = serde_json::json!({ "listening": provider.address().to_string() });
    let mut stdout = std::io::stdout();
    // Nobody reading the line is no reason not to serve.
    let _ = writeln!(stdout, "{listening}").and_then(|()| stdout.flush());
    tokio::select! {
        () = provider.serve() => {}
        () = super::interrupted() => {}
        () = exit_with_parent::parent_gone(), if args.exit_with_parent => {}
    }
    Ok(ExitCode::SUCCESS)
}
