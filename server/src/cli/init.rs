//! `usher init`: brings a new cluster to life, once.

use std::process::ExitCode;

use super::CliError;
use super::admin_client::AdminClient;

/// Initializes a new cluster through any one of its nodes.
///
/// All nodes of the configuration must be running. Repeating it is harmless: a cluster that is
/// initialized stays as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `host:port` of a node's admin listener.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let answer = AdminClient::new(&args.admin)?
        .post("/admin/init", "{}")
        .await?;
    super::say(&format!("initialized: {answer}"));
    Ok(ExitCode::SUCCESS)
}
