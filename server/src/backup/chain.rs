//! A full backup and the incremental ones behind it: opened, checked, applied.
//!
//! Everything that reads a backup reads it through here, so nothing is restored, gone on from or
//! called good that was not checked: the manifest against its hash, every part against the manifest,
//! the files against the list, every snapshot and entry against its own checksums, each backup
//! against its predecessor, the state they make against the digest that was saved, and the groups
//! against each other ([`super::cut`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use raft_node::backup::{LogEntry, ScratchError};

use super::BackupError;
use super::cut;
use super::digest;
use super::log_file::Reader;
use super::manifest::{self, GroupRecord, Manifest, Part};
use super::world::World;

/// One backup of a chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it is.
    pub dir: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// The manifest's hash.
    pub hash: String,
}

/// See the module. The full backup comes first.
#[derive(Clone, Debug)]
pub struct Chain {
    links: Vec<Link>,
}

impl Chain {
    /// The backup in `dir` and those it goes on from, which stand beside it. Checks every file.
    pub fn open(dir: &Path) -> Result<Self, BackupError> {
        let mut links = vec![Link::open(dir)?];
        while let Some(previous) = links[links.len() - 1].manifest.previous.clone() {
            let later = &links[links.len() - 1];
            let refused = |reason: String| BackupError::Chain {
                path: later.dir.clone(),
                reason,
            };
            let name = Path::new(&previous.name);
            if name.file_name() != Some(name.as_os_str()) {
                return Err(refused(format!(
                    "it goes on from {:?}, which is no name",
                    previous.name
                )));
            }
            let dir = fs::canonicalize(&later.dir).map_err(BackupError::file(&later.dir))?;
            let dir = dir.with_file_name(name);
            if !dir.is_dir() {
                return Err(refused(format!(
                    "it goes on from {}, which is not there. Put that backup beside this one",
                    dir.display()
                )));
            }
            let link = Link::open(&dir)?;
            if link.hash != previous.sha256 {
                return Err(refused(format!(
                    "it goes on from another backup than the one in {}",
                    dir.display()
                )));
            }
            if let Some(reason) = gap(&link.manifest, &later.manifest) {
                return Err(refused(reason));
            }
            links.push(link);
        }
        links.reverse();
        Ok(Self { links })
    }

    /// The backups, the full one first.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The newest.
    pub fn newest(&self) -> &Link {
        &self.links[self.links.len() - 1]
    }

    /// Applies all of it, and checks what comes of it.
    pub fn load(&self) -> Result<World, BackupError> {
        let mut world = self.base()?;
        for link in &self.links {
            for record in &link.manifest.groups {
                link.entries(record, &mut |entry| {
                    let applied = world.apply(record.group, &entry);
                    applied.map_err(|error| damaged(link, &record.log, error))
                })?;
                link.judge(record, &world)?;
            }
            judge_whole(&world)?;
        }
        Ok(world)
    }

    /// The snapshots of the full backup, nothing behind them.
    pub fn base(&self) -> Result<World, BackupError> {
        let full = &self.links[0];
        let cluster = full.manifest.cluster_id.as_u128();
        let mut world = World::fresh(full.manifest.shards);
        for record in &full.manifest.groups {
            if let Some(part) = &record.snapshot {
                let path = full.dir.join(&part.file);
                let bytes = fs::read(&path).map_err(BackupError::file(&path))?;
                let restored = world.restore(cluster, record.group, bytes.into());
                restored.map_err(|error| damaged(full, part, error))?;
            }
            let next = world.group(record.group).next();
            if next != record.log_from {
                let reason = format!(
                    "it ends before entry {next}, and the log begins at {}",
                    record.log_from
                );
                let part = record.snapshot.as_ref().unwrap_or(&record.log);
                return Err(BackupError::part(&full.dir.join(&part.file), reason));
            }
        }
        Ok(world)
    }

    /// All entries of all groups, in memory.
    pub fn all_entries(&self) -> Result<BTreeMap<u32, Vec<LogEntry>>, BackupError> {
        let mut all: BTreeMap<u32, Vec<LogEntry>> = BTreeMap::new();
        for link in &self.links {
            for record in &link.manifest.groups {
                let entries = all.entry(record.group).or_default();
                link.entries(record, &mut |entry| {
                    entries.push(entry);
                    Ok(())
                })?;
            }
        }
        Ok(all)
    }
}

/// Checks that the groups fit together and each ledger is sound.
pub(super) fn judge_whole(world: &World) -> Result<(), BackupError> {
    let strict = cut::unmet(&world.replicas)
        .into_iter()
        .find(cut::Need::is_strict);
    match (strict, world.broken()) {
        (Some(need), _) => Err(BackupError::Inconsistent(need.to_string())),
        (None, Some(broken)) => Err(BackupError::Inconsistent(broken)),
        (None, None) => Ok(()),
    }
}

/// Why `later` does not go on where `earlier` ends.
fn gap(earlier: &Manifest, later: &Manifest) -> Option<String> {
    if earlier.cluster_id != later.cluster_id || earlier.shards != later.shards {
        return Some("it goes on from a backup of another cluster".to_owned());
    }
    let pairs = earlier.groups.iter().zip(&later.groups);
    let mut gaps = pairs.filter(|(earlier, later)| later.log_from != earlier.index + 1);
    let (earlier, later) = gaps.next()?;
    Some(format!(
        "group {}: it begins at entry {}, and the backup before it ends at {}",
        later.group, later.log_from, earlier.index
    ))
}

fn damaged(link: &Link, part: &Part, error: ScratchError) -> BackupError {
    BackupError::part(&link.dir.join(&part.file), error)
}

impl Link {
    /// Opens one backup and checks its files against its manifest.
    pub fn open(dir: &Path) -> Result<Self, BackupError> {
        let (manifest, hash) = Manifest::read(dir)?;
        let link = Self {
            dir: dir.to_owned(),
            manifest,
            hash,
        };
        link.check_files()?;
        Ok(link)
    }

    fn check_files(&self) -> Result<(), BackupError> {
        let mut wanted: BTreeSet<&str> = self.manifest.parts().map(|part| &*part.file).collect();
        wanted.extend([manifest::FILE, manifest::HASH_FILE]);
        let listed = fs::read_dir(&self.dir).map_err(BackupError::file(&self.dir))?;
        for found in listed {
            let name = found.map_err(BackupError::file(&self.dir))?.file_name();
            if !name.to_str().is_some_and(|name| wanted.contains(name)) {
                let reason = "it does not belong to this backup: the manifest does not list it";
                return Err(BackupError::part(&self.dir.join(name), reason));
            }
        }
        for part in self.manifest.parts() {
            let path = self.dir.join(&part.file);
            let found = digest::of_file(&path);
            let (bytes, sha256) = match found {
                Ok(found) => found,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(BackupError::part(&path, "it is missing"));
                }
                Err(error) => return Err(BackupError::file(&path)(error)),
            };
            if bytes != part.bytes {
                let reason = format!("it has {bytes} bytes, and should have {}", part.bytes);
                return Err(BackupError::part(&path, reason));
            }
            if sha256 != part.sha256 {
                let reason = format!("its SHA-256 is {sha256}, and should be {}", part.sha256);
                return Err(BackupError::part(&path, reason));
            }
        }
        Ok(())
    }

    /// Shows the entries of a group's log, one by one.
    pub(super) fn entries(
        &self,
        record: &GroupRecord,
        show: &mut dyn FnMut(LogEntry) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let path = self.dir.join(&record.log.file);
        let mut log = Reader::open(&path)?;
        let mut next = record.log_from;
        while let Some(entry) = log.next()? {
            if entry.at.index != next {
                let reason = format!("entry {} follows where {next} should", entry.at.index);
                return Err(BackupError::part(&path, reason));
            }
            next += 1;
            show(entry)?;
        }
        if next != record.index + 1 {
            let reason = format!(
                "it ends before entry {next}, and should end with {}",
                record.index
            );
            return Err(BackupError::part(&path, reason));
        }
        Ok(())
    }

    /// Compares a group's state with what was saved.
    fn judge(&self, record: &GroupRecord, world: &World) -> Result<(), BackupError> {
        let group = world.group(record.group);
        let found = world.digest(record.group);
        let last = group.last().map(|last| (last.term, last.index));
        if last != Some((record.term, record.index)) {
            let path = self.dir.join(&record.log.file);
            let reason = format!(
                "it ends at {last:?}, and the manifest says term {} and index {}",
                record.term, record.index
            );
            return Err(BackupError::part(&path, reason));
        }
        if found != record.digest {
            return Err(BackupError::OtherState {
                group: record.group,
                index: record.index,
                release: self.manifest.release.clone(),
                found,
                expected: record.digest.clone(),
            });
        }
        Ok(())
    }
}
