//! The command line: what each command asks for, and what its exit code means.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::recent_log::RECENT;
use crate::telemetry::{OUTBOX, Spans};

pub(crate) mod admin_client;
pub mod audit;
mod backup;
pub mod bench;
mod cert;
mod cluster;
mod config;
mod debug;
pub mod demo;
pub mod dev;
mod error;
mod identity;
mod init;
mod key;
mod recover;
pub mod sandbox_provider;
mod service;
mod start;
mod top;
mod trail;
mod words;

pub use error::CliError;

/// Sells seats when everyone comes at once.
///
/// The first minute:   usher dev        one node, a demo event, URLs to click
/// The whole story:    usher demo       three nodes, thousands of buyers, an audit at the end
/// A real cluster:     usher start --config FILE on every node, then usher init once
///
/// Exit codes: 0 it worked and every promise held; 1 it did not; 2 the command line or a
/// configuration is wrong; 3 a node could not be reached; 4 a node was stuck and has to be started
/// again.
#[derive(Debug, Parser)]
#[command(
    name = "usher",
    version,
    verbatim_doc_comment,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    identity: identity::Args,
    #[command(subcommand)]
    command: Command,
}

/// What it can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// One node with a demo event: the first minute.
    Dev(dev::Args),
    /// A real cluster, a real sale, and a proof afterwards.
    Demo(demo::Args),
    /// Measures a cluster.
    Bench(bench::Args),
    /// Runs one node.
    Start(start::Args),
    /// Brings a new cluster to life, once.
    Init(init::Args),
    /// Watches a cluster, grows it, shrinks it, evens it out.
    #[command(subcommand)]
    Cluster(cluster::Args),
    /// A running cluster on one screen, again and again.
    Top(top::Args),
    /// Backs a running cluster up, checks backups, restores them into a new cluster.
    #[command(subcommand)]
    Backup(backup::Args),
    /// Makes a new cluster of what is left when most nodes are lost for good. Last resort.
    Recover(recover::Args),
    /// Makes, lists and revokes keys of the HTTP API.
    #[command(subcommand)]
    Key(key::Args),
    /// Shows who changed what, and when.
    Trail(trail::Args),
    /// Collects what somebody needs who looks into a problem.
    #[command(subcommand)]
    Debug(debug::Args),
    /// Proves the promises: for running nodes, or for a stopped node's directory.
    Audit(audit::Args),
    /// Makes the certificates of a cluster.
    #[command(subcommand)]
    Cert(cert::Args),
    /// Looks at configuration files.
    #[command(subcommand)]
    Config(config::Args),
    /// The payment provider for development, a process of its own.
    SandboxProvider(sandbox_provider::Args),
    /// Prints what a shell needs to complete `usher`.
    Completions(words::Completions),
    /// Writes a page for `man` about every command.
    #[command(hide = true)]
    Man(words::Man),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CliError::Failed(format!("no runtime: {error}"))),
    };
    let done = runtime.block_on(run(cli));
    // Whatever still runs (a read from a terminal, say) must not keep the process.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| fail(&error))
}

async fn run(cli: Cli) -> Result<ExitCode, CliError> {
    identity::use_these(&cli.identity)?;
    match cli.command {
        Command::Dev(args) => dev::run(args).await.map_err(failed),
        Command::Demo(args) => demo::run(args).await.map_err(|error| match error {
            crate::demo::Error::Invalid(what) => CliError::Invalid(what),
            error => failed(error),
        }),
        Command::Bench(args) => bench::run(args).await.map_err(failed),
        Command::Start(args) => start::run(args).await,
        Command::Init(args) => init::run(args).await,
        Command::Cluster(args) => cluster::run(args).await,
        Command::Top(args) => top::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Recover(args) => recover::run(args).await,
        Command::Key(args) => key::run(args).await,
        Command::Trail(args) => trail::run(args).await,
        Command::Debug(args) => debug::run(args).await,
        Command::Audit(args) => audit::run(args).await.map_err(failed),
        Command::Cert(args) => cert::run(args),
        Command::Config(args) => config::run(args),
        Command::Completions(args) => words::completions(&args),
        Command::Man(args) => words::man(&args),
        Command::SandboxProvider(args) => sandbox_provider::run(args).await.map_err(failed),
    }
}

fn failed(error: impl std::error::Error) -> CliError {
    CliError::Failed(error.to_string())
}

fn fail(error: &CliError) -> ExitCode {
    // Standard error may be closed; the exit code still tells.
    let _ = writeln!(std::io::stderr(), "usher: {error}");
    ExitCode::from(error.exit_code())
}

/// Prints a line of a command's answer.
pub(crate) fn say(line: &str) {
    // A reader that went away (`usher ... | head`) is no error.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Makes a file that only its owner may read; not over one that exists.
pub(crate) fn write_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be listened to");
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// What is logged if nobody says otherwise.
const LOGGED: &str = "info,openraft=warn";

/// Logs go to standard error: `RUST_LOG` says how much, `USHER_LOG=json` how. The last lines are kept;
/// spans go to whoever sends them.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let json = std::env::var_os("USHER_LOG").is_some_and(|value| value == "json");
    let shown = match json {
        true => lines.json().boxed(),
        false => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let kept = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(&RECENT)
        .with_filter(EnvFilter::new(LOGGED));
    let spans = filter_fn(|metadata| metadata.target() == trace::SPANS);
    let followed = Spans(&OUTBOX).with_filter(spans);
    tracing_subscriber::registry()
        .with(shown.with_filter(filter))
        .with(kept)
        .with(followed)
        .init();
}
