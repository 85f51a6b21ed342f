//! Why a backup is not made, not trusted, or not restored. Each says which part, what is wrong with
//! it, and what to do; whatever is refused, nothing was written.

use std::path::{Path, PathBuf};

use raft_node::storage::StorageError;

use crate::cli::CliError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no finished backup.
    #[error(
        "{0}: this is no backup, or one that was cut short: it has no manifest. Take another one"
    )]
    NoManifest(PathBuf),
    /// The manifest cannot be trusted.
    #[error("{path}: {reason}. Use another backup")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A part cannot be trusted.
    #[error("{path}: {reason}. Use another backup, or another copy of this one")]
    Part {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Backups that do not follow each other.
    #[error("{path}: {reason}")]
    Chain {
        /// The later one.
        path: PathBuf,
        /// Why it does not follow.
        reason: String,
    },
    /// All parts are as they were written, and the state they make is not the one that was saved.
    #[error(
        "group {group} comes to state {found} at entry {index}, and release {release}, which made the backup, \
         had {expected}. Restore it with that release"
    )]
    OtherState {
        /// The group.
        group: u32,
        /// The index.
        index: u64,
        /// The release that made the backup.
        release: String,
        /// What was made here.
        found: String,
        /// What the manifest says.
        expected: String,
    },
    /// The groups' states do not fit together.
    #[error("the groups do not fit together: {0}. Use another backup")]
    Inconsistent(String),
    /// A directory that must be empty is not.
    #[error("{path}: {reason}")]
    NotEmpty {
        /// Which.
        path: PathBuf,
        /// What it is, and what to do.
        reason: String,
    },
    /// Something about the request makes no sense.
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
    /// A data directory cannot be made.
    #[error("{path}: {source}")]
    LayDown {
        /// Which.
        path: PathBuf,
        /// Why.
        source: StorageError,
    },
    /// The cluster did not give what was asked for.
    #[error("{0}")]
    Cluster(String),
    /// A node could not be asked.
    #[error(transparent)]
    Node(#[from] CliError),
}

impl BackupError {
    /// Wraps what a file system said.
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(super) fn part(path: &Path, reason: impl ToString) -> Self {
        Self::Part {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Node(error) => error,
            BackupError::Invalid(why) => Self::Invalid(why),
            other => Self::Failed(other.to_string()),
        }
    }
}
