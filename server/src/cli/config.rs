//! `usher config`: a node's settings, checked, shown, explained.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, say};
use crate::settings::{Layers, Settings, defaults, print};

/// Looks at a node's settings.
///
/// They come from the file (TOML), then from the environment (USHER_HTTP is `http`,
/// USHER_RAFT__HEARTBEAT_MS is `heartbeat_ms` in `[raft]`), then from flags; what comes later counts.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Checks them as `usher start` would, without starting anything.
    Check {
        /// The node's configuration (TOML).
        #[arg(env = "USHER_CONFIG")]
        file: Option<PathBuf>,
        /// A setting, as `usher start` takes it.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Shows all of them, and where each came from. Secrets are not shown.
    Print {
        /// The node's configuration (TOML).
        #[arg(env = "USHER_CONFIG")]
        file: Option<PathBuf>,
        /// A setting, as `usher start` takes it.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Prints a file with every setting, its default and what it is for.
    Defaults,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args {
        Args::Check { file, set } => {
            let name = file.clone();
            let Settings { config, .. } = &Layers::of_process(file, set).settle()?;
            let name = name.map_or("the environment".to_owned(), |path| {
                path.display().to_string()
            });
            say(&format!(
                "{name}: good (node {} of {}, {} shards)",
                config.node_id,
                config.peers.len(),
                config.shards
            ));
        }
        Args::Print { file, set } => {
            let settings = Layers::of_process(file, set).settle()?;
            say(print(&settings).trim_end());
        }
        Args::Defaults => say(defaults().trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}
