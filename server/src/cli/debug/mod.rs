//! `usher debug`: for whoever looks into a problem.

mod archive;
mod bundle;
mod collect;

use std::process::ExitCode;

use super::CliError;

/// Helps whoever looks into a problem.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Collects what nodes tell of themselves into one file, to be sent with a report of a problem.
    Bundle(bundle::Args),
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    match args {
        Args::Bundle(args) => bundle::run(args).await,
    }
}
