//! Why a command did not do what it was asked.

use std::path::PathBuf;

use crate::node::RunError;
use crate::node::config::ConfigError;
use crate::settings::SettingsError;

/// Errors of all commands.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The node did not start, or failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An argument makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A file or directory cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A node could not be reached.
    #[error("{node}: {reason}")]
    Unreachable {
        /// Which.
        node: String,
        /// Why.
        reason: String,
    },
    /// A node answered something else than expected.
    #[error("{node} answered {answer}")]
    Unexpected {
        /// Which.
        node: String,
        /// What it said.
        answer: String,
    },
    /// A node refused, and said why and what helps. Nothing was changed.
    #[error("{node} refused: {reason}")]
    Refused {
        /// Which.
        node: String,
        /// What it said.
        reason: String,
    },
    /// Something else went wrong, in words.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// The exit code that tells scripts what kind of trouble it was.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Invalid(_) | Self::Config(_) | Self::Settings(_) => 2,
            Self::Unreachable { .. } => 3,
            Self::Run(RunError::Stuck(_)) => 4,
            Self::Run(_)
            | Self::File { .. }
            | Self::Unexpected { .. }
            | Self::Refused { .. }
            | Self::Failed(_) => 1,
        }
    }
}
