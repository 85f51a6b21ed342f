//! `usher config check`: whether a node would accept this file.

use std::path::PathBuf;
use std::process::ExitCode;

use super::CliError;
use crate::node::config::Config;

/// Looks at configuration files.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Checks a file as `usher start` would, without starting anything.
    Check {
        /// The node's configuration (TOML).
        file: PathBuf,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let Args::Check { file } = args;
    let config = Config::load(&file)?;
    super::say(&format!(
        "{}: good (node {} of {}, {} shards)",
        file.display(),
        config.node_id,
        config.peers.len(),
        config.shards
    ));
    Ok(ExitCode::SUCCESS)
}
