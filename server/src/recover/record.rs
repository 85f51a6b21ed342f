//! What was recovered from what: a file in the new directory, for whoever has to explain it later.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use super::{Left, RecoverError, Recovery};

/// Its name.
const NAME: &str = "recovery.json";

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The cluster that lost its majority.
    pub of_cluster: Uuid,
    /// The one that goes on.
    pub as_cluster: Uuid,
    /// When.
    pub at: String,
    /// By which release.
    pub release: &'static str,
    /// Who was left.
    pub survivors: BTreeSet<u64>,
    /// What was left of every group.
    pub groups: Vec<Left>,
    /// What does not fit together as it should, and may be so.
    pub doubts: Vec<String>,
}

impl Record {
    pub(super) fn new(recovery: &Recovery, as_cluster: Uuid) -> Self {
        Self {
            of_cluster: recovery.cluster_id(),
            as_cluster,
            at: jiff::Timestamp::now().to_string(),
            release: env!("CARGO_PKG_VERSION"),
            survivors: recovery.survivors.clone(),
            groups: recovery.left.clone(),
            doubts: recovery.doubts.clone(),
        }
    }

    /// Writes it into a directory, durably.
    pub(super) fn write(&self, dir: &Path) -> Result<(), RecoverError> {
        let path = dir.join(NAME);
        let text = serde_json::to_string_pretty(self).expect("a record is plain data");
        let written = std::fs::File::create(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| RecoverError::File { path, source })
    }
}
