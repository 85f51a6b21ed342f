//! The manifest: what belongs to a backup, how far each group goes, and the hash of every part.
//!
//! Written last, in two files: `manifest.json`, and `manifest.json.sha256`, which `sha256sum -c`
//! understands. A backup without the second is one that was cut short. Hashes find damage, not
//! malice: whoever may write the backup may write the hashes. `usher backup create` prints the
//! manifest's hash, to be kept elsewhere where that matters.
//!
//! Persisted: fields are never renamed and never change their meaning; a change that an older
//! release must not read past raises [`FORMAT`].

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::BackupError;
use super::digest;

/// The newest format this release reads, and the one it writes.
pub const FORMAT: u32 = 1;
/// The manifest's file.
pub const FILE: &str = "manifest.json";
/// The file with its hash.
pub const HASH_FILE: &str = "manifest.json.sha256";
/// A manifest is never larger: 4,096 groups are about 2 MB.
const BYTES_MAX: u64 = 64 << 20;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub format: u32,
    /// When it was begun, RFC 3339.
    pub created_at: String,
    /// The cluster it was taken of.
    pub cluster_id: Uuid,
    /// The cluster in which the state began.
    pub lineage: Uuid,
    /// The release that made it.
    pub release: String,
    /// Ledger shards.
    pub shards: u16,
    /// The backup that this one goes on from; absent in a full one.
    pub previous: Option<Previous>,
    /// Every group, by number.
    pub groups: Vec<GroupRecord>,
}

/// The backup before an incremental one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// Name of its directory, beside this one's.
    pub name: String,
    /// Hash of its manifest.
    pub sha256: String,
}

/// One group's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecord {
    /// Its number; 0 is the system group.
    pub group: u32,
    /// The last entry in the backup: the cut.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// SHA-256 of the state after it.
    pub digest: String,
    /// The snapshot; absent when the log begins at the beginning, or at the previous backup.
    pub snapshot: Option<Part>,
    /// Index of the first entry of the log.
    pub log_from: u64,
    /// The log, up to the cut.
    pub log: Part,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// The name of a group's snapshot.
pub fn snapshot_file(group: u32) -> String {
    format!("group-{group:04}.snapshot")
}

/// The name of a group's log.
pub fn log_file(group: u32) -> String {
    format!("group-{group:04}.log")
}

impl Manifest {
    /// All parts.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.snapshot.iter().chain([&group.log]))
    }

    /// Bytes of all parts.
    pub fn bytes(&self) -> u64 {
        self.parts().map(|part| part.bytes).sum()
    }

    /// Makes the backup in `dir` complete. The manifest's hash.
    pub fn write(&self, dir: &Path) -> Result<String, BackupError> {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest is plain data");
        text.push('\n');
        let hash = digest::sha256(text.as_bytes());
        write_durably(&dir.join(FILE), text.as_bytes())?;
        write_durably(&dir.join(HASH_FILE), hash_line(&hash).as_bytes())?;
        sync_dir(dir)?;
        Ok(hash)
    }

    /// The manifest of the backup in `dir`, and its hash. Says nothing about the parts.
    pub fn read(dir: &Path) -> Result<(Self, String), BackupError> {
        let (path, hash_path) = (dir.join(FILE), dir.join(HASH_FILE));
        if !path.is_file() || !hash_path.is_file() {
            return Err(BackupError::NoManifest(dir.to_owned()));
        }
        let refused = |path: &Path, reason: String| BackupError::Manifest {
            path: path.to_owned(),
            reason,
        };
        let length = fs::metadata(&path).map_err(BackupError::file(&path))?.len();
        if length > BYTES_MAX {
            return Err(refused(&path, format!("it is {length} bytes long")));
        }
        let text = fs::read(&path).map_err(BackupError::file(&path))?;
        let told = fs::read(&hash_path).map_err(BackupError::file(&hash_path))?;
        let hash = digest::sha256(&text);
        if told != hash_line(&hash).as_bytes() {
            let reason = format!("its hash is {hash}, and {HASH_FILE} says otherwise");
            return Err(refused(&path, reason));
        }
        let format = serde_json::from_slice::<serde_json::Value>(&text)
            .map_err(|error| refused(&path, error.to_string()))?["format"]
            .as_u64();
        if format.is_none_or(|format| format == 0 || format > u64::from(FORMAT)) {
            let reason = format!(
                "its format is {}, and this release reads up to {FORMAT}",
                format.map_or("missing".to_owned(), |format| format.to_string())
            );
            return Err(refused(&path, reason));
        }
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| refused(&path, error.to_string()))?;
        match manifest.flaw() {
            Some(flaw) => Err(refused(&path, flaw)),
            None => Ok((manifest, hash)),
        }
    }

    /// What cannot be, in a manifest whose hash is right.
    fn flaw(&self) -> Option<String> {
        let numbers = self.groups.iter().map(|group| group.group);
        if !numbers.eq(0..=u32::from(self.shards)) || self.shards == 0 {
            return Some(format!("it does not list groups 0 to {}", self.shards));
        }
        let odd = self.groups.iter().find(|record| {
            let snapshot = record.snapshot.as_ref();
            record.log.file != log_file(record.group)
                || snapshot.is_some_and(|part| part.file != snapshot_file(record.group))
                || record.log_from > record.index + 1
                || (snapshot.is_none() && self.previous.is_none() && record.log_from != 0)
                || (snapshot.is_some() && self.previous.is_some())
        });
        odd.map(|record| format!("what it says of group {} cannot be", record.group))
    }
}

fn hash_line(hash: &str) -> String {
    format!("{hash}  {FILE}\n")
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    use std::io::Write;
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(BackupError::file(path))
}

/// Makes names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    let sync = || fs::File::open(dir)?.sync_all();
    sync().map_err(BackupError::file(dir))
}
