//! What may go wrong, one enum an operation. "Outcome unknown" is its own answer and is never
//! folded into failure: only the caller, who holds the ids, can repeat a command safely.

use crate::config::ConfigError;
use crate::machine::RestoreError;
use crate::storage::StorageError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot work.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// `machines` and the configured groups differ.
    #[error("group {group} has no machine, or a machine has no group")]
    Machines {
        /// The group in question.
        group: u32,
    },
    /// A group's snapshot is not one its machine can read.
    #[error("group {group}: {source}")]
    Restore {
        /// The group.
        group: u32,
        /// What its machine said.
        source: RestoreError,
    },
    /// Consensus refused its state.
    #[error("group {group}: {reason}")]
    Group {
        /// The group.
        group: u32,
        /// What was refused.
        reason: String,
    },
    /// The address for peers is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a command has no outcome to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// No leader was found before the deadline. Nothing was proposed.
    #[error("no leader")]
    NoLeader,
    /// The leader's queue, or the way to it, is full. Nothing was proposed.
    #[error("overloaded")]
    Overloaded,
    /// The deadline passed before the command left a queue. Nothing was proposed.
    #[error("expired before it was proposed")]
    Expired,
    /// It may or may not have been committed. Repeat it with the same ids.
    #[error("outcome unknown")]
    OutcomeUnknown,
    /// Larger than a command may be. Nothing was proposed.
    #[error("command of {bytes} bytes; at most {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// This node does not hold the group, or is stopping. Nothing was proposed.
    #[error("stopped")]
    Stopped,
    /// The leader's disk is all but full, and nobody else can lead. Nothing was proposed.
    #[error("no room on the disk")]
    NoRoom,
}

impl ProposeError {
    /// True when it is certain that nothing was proposed.
    #[must_use]
    pub fn certain(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown)
    }
}

/// Why a linearizable read was not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader confirmed itself before the deadline.
    #[error("no leader")]
    NoLeader,
    /// This replica did not apply that far before the deadline.
    #[error("this replica lags behind")]
    Lagging,
    /// This node does not hold the group, or is stopping.
    #[error("stopped")]
    Stopped,
}

/// Why a cluster did not come into being.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitializeError {
    /// It exists already; nothing was changed.
    #[error("already initialized")]
    AlreadyInitialized,
    /// Too few of the configured members are there.
    #[error(
        "nodes {nodes:?} do not answer: start a majority of `peers`, better all of them, then try again"
    )]
    Absent {
        /// Who is missing.
        nodes: Vec<u64>,
    },
    /// A group refused.
    #[error("group {group}: {reason}")]
    Group {
        /// The group.
        group: u32,
        /// Why.
        reason: String,
    },
}

/// Why a membership or a leader did not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// No leader was found before the deadline.
    #[error("no leader")]
    NoLeader,
    /// The leader refused, and says why.
    #[error("{0}")]
    Refused(String),
    /// It may or may not have happened; look at the status.
    #[error("outcome unknown")]
    OutcomeUnknown,
    /// This node does not hold the group, or is stopping.
    #[error("stopped")]
    Stopped,
}
