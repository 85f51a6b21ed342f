//! Why a data directory was not opened. Each variant says what, where and what to do.
//!
//! A node that refuses to start is safe: its peers hold the same log. A node that starts from
//! half a log might vote twice or forget what it acknowledged (P3).

use std::io;

/// A data directory that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk refused an operation.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file or directory, relative to the data directory.
        path: String,
        /// What the disk said.
        source: io::Error,
    },

    /// Another process works on this directory.
    #[error(
        "the data directory cannot be taken: {source}. Stop that process, or give this node a directory of its own"
    )]
    InUse {
        /// Who holds it, as far as known.
        source: io::Error,
    },

    /// The directory belongs to another node or another cluster.
    #[error(
        "{path} belongs to node {found_node} of cluster {found_cluster:032x}, but this is node {expected_node} of cluster \
         {expected_cluster:032x}. Point this node at its own data directory"
    )]
    ForeignDirectory {
        /// The file that says so.
        path: String,
        /// Whose it is.
        found_cluster: u128,
        /// Whose it is.
        found_node: u64,
        /// Who asked.
        expected_cluster: u128,
        /// Who asked.
        expected_node: u64,
    },

    /// The cluster has outgrown this release.
    #[error(
        "this node's cluster is at version {needs}, and this release supports {supports}. Run the \
         release that it ran, or a newer one"
    )]
    NewerCluster {
        /// What the directory needs.
        needs: u32,
        /// What there is.
        supports: u32,
    },

    /// A file of another format, most likely of a newer release.
    #[error(
        "{path} has format version {found}, and this release reads up to {supported}. Run the release that wrote it, or a newer one"
    )]
    UnsupportedVersion {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
        /// The newest version known here.
        supported: u32,
    },

    /// Bytes that were durable once and can no longer be read.
    #[error(
        "{path} is damaged at offset {offset}{}: {reason}. Acknowledged entries may be lost, so it is not opened. \
         Restore the file from a copy, or remove this node from the cluster, wipe its directory and let it join again under a new node id", of_group(*group)
    )]
    Damaged {
        /// Which file.
        path: String,
        /// Where in it.
        offset: u64,
        /// Whose record it was, when that can still be read.
        group: Option<u32>,
        /// What is wrong.
        reason: String,
    },

    /// A hole in the sequence of log segments.
    #[error(
        "{path} is missing between its neighbours. Restore it from a copy, or remove this node from the cluster, wipe its directory and let it join again under a new node id"
    )]
    MissingSegment {
        /// The segment that should be there.
        path: String,
    },

    /// The directory was in use once, and its log is gone.
    #[error(
        "{found} is there but the log (wal/) is not. Restore it from a copy, or remove this node from the cluster, wipe its directory and let it join again under a new node id"
    )]
    MissingLog {
        /// What shows that there was a log.
        found: String,
    },

    /// Entries a later record relies on are in no segment.
    #[error(
        "entry {index} of group {group} is in no log segment. Restore the missing segment from a copy, or remove this node from the \
         cluster, wipe its directory and let it join again under a new node id"
    )]
    MissingEntries {
        /// Whose.
        group: u32,
        /// The first that is missing.
        index: u64,
    },

    /// The log was purged up to a snapshot that is not there.
    #[error(
        "group {group} needs a snapshot up to entry {needed} (its log begins behind it), and {}. Restore the snapshot from a copy, or remove \
         this node from the cluster, wipe its directory and let it join again under a new node id", newest(*found)
    )]
    MissingSnapshot {
        /// Whose.
        group: u32,
        /// The purge point of its log.
        needed: u64,
        /// The last entry in the newest snapshot, if there is one.
        found: Option<u64>,
    },

    /// A value in the options that cannot work.
    #[error("storage option {option}: {reason}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// Why it cannot work.
        reason: &'static str,
    },
}

impl StorageError {
    /// What a disk said, of its kind.
    pub(crate) fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// Wraps what a disk said.
    pub(crate) fn io(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

fn of_group(group: Option<u32>) -> String {
    group
        .map(|group| format!(" (group {group})"))
        .unwrap_or_default()
}

fn newest(found: Option<u64>) -> String {
    found.map_or_else(
        || "there is none".to_owned(),
        |index| format!("the newest ends at {index}"),
    )
}
