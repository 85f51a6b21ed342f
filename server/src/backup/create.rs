//! Takes a backup of a running cluster.
//!
//! 1. Have every group's newest snapshot held open.
//! 2. Ask every group how far it is: everything acknowledged before now is to be in it. Ask again:
//!    everything that led to any of that is in the second answer ([`cut`]). Not before step 1: a
//!    snapshot that is newer than the second answers knows what no other group will have.
//! 3. Pull the logs up to the second answers, before they are purged, and then the snapshots.
//! 4. Apply them up to the first answer, then on until the cut is consistent.
//! 5. Cut the logs there, and write the manifest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use raft_node::backup::LogEntry;

use super::BackupError;
use super::chain::{self, Chain};
use super::cut;
use super::digest;
use super::log_file::{self, Reader};
use super::manifest::{self, FORMAT, GroupRecord, Manifest, Part, Previous};
use super::pull::{Marks, Source};
use super::world::World;

/// What was made.
#[derive(Debug)]
pub struct Created {
    /// The manifest.
    pub manifest: Manifest,
    /// Its hash.
    pub hash: String,
    /// Entries beyond what the groups had said first, to make the cut consistent.
    pub closed_by: u64,
    /// Why a full backup was made although an incremental one was asked for.
    pub full_because: Option<String>,
}

/// What was pulled.
struct Pulled {
    /// How far every group said first that it was.
    first: Marks,
    /// Index of the first entry of each group's log.
    groups: BTreeMap<u32, u64>,
}

/// How often a full backup is begun again.
const TRIES: usize = 5;

/// Takes a backup into `dir`, which must not exist or be empty, from nodes with these admin
/// addresses; with `since` only what came after that backup, where the logs still have it.
pub async fn create(
    dir: &Path,
    addresses: &[String],
    since: Option<&Path>,
) -> Result<Created, BackupError> {
    let before = since.map(Chain::open).transpose()?;
    if let Some(before) = &before {
        let beside = |dir: &Path| -> Option<PathBuf> {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()
        };
        let previous = fs::canonicalize(&before.newest().dir)
            .map_err(BackupError::file(&before.newest().dir))?;
        if beside(dir).as_deref() != previous.parent() {
            return Err(BackupError::Invalid(format!(
                "--to {}: an incremental backup stands beside the one it goes on from, in {}",
                dir.display(),
                previous.parent().unwrap_or(&previous).display()
            )));
        }
    }
    let made = prepare(dir)?;
    let created = take(dir, addresses, before).await;
    if created.is_err() {
        // What is there has no manifest and is no backup; it would only be in the way.
        discard(dir, made);
    }
    created
}

/// Makes `dir`, or finds it empty. Whether it was made.
fn prepare(dir: &Path) -> Result<bool, BackupError> {
    match fs::read_dir(dir) {
        Ok(mut listed) => match listed.next() {
            None => Ok(false),
            Some(_) => Err(BackupError::NotEmpty {
                path: dir.to_owned(),
                reason: match dir.join(manifest::HASH_FILE).exists() {
                    true => "there is a backup already. Name another directory".to_owned(),
                    false => "it is not empty. Name another directory".to_owned(),
                },
            }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map_err(BackupError::file(dir))?;
            Ok(true)
        }
        Err(error) => Err(BackupError::file(dir)(error)),
    }
}

fn discard(dir: &Path, made: bool) {
    let Ok(listed) = fs::read_dir(dir) else {
        return;
    };
    for found in listed.flatten() {
        // Best effort: what stays is refused, for it has no manifest.
        let _ = fs::remove_file(found.path());
    }
    if made {
        let _ = fs::remove_dir(dir);
    }
}

async fn take(
    dir: &Path,
    addresses: &[String],
    before: Option<Chain>,
) -> Result<Created, BackupError> {
    let created_at = now();
    let source = Source::new(addresses)?;
    let places = source.marks().await?;
    let (mut before, mut full_because) = (before, None);
    let mut pulled = None;
    if let Some(chain) = &before {
        let of = chain.newest().manifest.cluster_id;
        if of != places.view.cluster_id {
            let why = format!(
                "--since: that is a backup of cluster {of}, and this is {}",
                places.view.cluster_id
            );
            return Err(BackupError::Invalid(why));
        }
        match pull_since(dir, &source, chain).await? {
            Ok(found) => pulled = Some(found),
            Err(group) => {
                full_because = Some(format!(
                    "group {group} has forgotten entries that the previous backup does not have"
                ));
                before = None;
                discard(dir, false);
            }
        }
    }
    let Pulled { first, groups } = match pulled {
        Some(pulled) => pulled,
        None => pull_full(dir, &source, &places).await?,
    };

    let mut world = match &before {
        Some(chain) => chain.load()?,
        None => World::fresh(first.view.shards),
    };
    let mut ahead = BTreeMap::new();
    let mut logs = BTreeMap::new();
    for (group, log_from) in groups {
        let snapshot = before.is_none() && log_from > 0;
        if snapshot {
            let path = dir.join(manifest::snapshot_file(group));
            let bytes = fs::read(&path).map_err(BackupError::file(&path))?;
            let restored = world.restore(first.view.cluster_id.as_u128(), group, bytes.into());
            restored.map_err(|error| BackupError::part(&path, error))?;
        }
        let (upto, _) = first.groups[&group];
        ahead.insert(group, apply(dir, group, cut::least(upto), &mut world)?);
        logs.insert(group, (log_from, snapshot));
    }
    let reached: u64 = world.groups.values().map(|group| group.next()).sum();
    cut::close(&mut world, &ahead).map_err(|error| BackupError::Inconsistent(error.to_string()))?;
    chain::judge_whole(&world)?;
    let closed_by = world.groups.values().map(|group| group.next()).sum::<u64>() - reached;

    let mut groups = Vec::new();
    for (&group, &(log_from, snapshot)) in &logs {
        groups.push(record(dir, group, log_from, snapshot, &world)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        created_at,
        cluster_id: first.view.cluster_id,
        lineage: first.view.lineage,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        shards: first.view.shards,
        previous: before.as_ref().map(previous).transpose()?,
        groups,
    };
    let hash = manifest.write(dir)?;
    Ok(Created {
        manifest,
        hash,
        closed_by,
        full_because,
    })
}

async fn pull_full(dir: &Path, source: &Source, places: &Marks) -> Result<Pulled, BackupError> {
    for _ in 0..TRIES {
        if let Some(pulled) = try_full(dir, source, places).await? {
            return Ok(pulled);
        }
        discard(dir, false);
    }
    Err(BackupError::Cluster(format!(
        "a log was purged faster than it could be read, or a node restarted, {TRIES} times. Try again when there is \
         less to do, or from a machine that is nearer"
    )))
}

/// `None`: begin again, with other snapshots and other answers.
async fn try_full(
    dir: &Path,
    source: &Source,
    places: &Marks,
) -> Result<Option<Pulled>, BackupError> {
    let mut bases = BTreeMap::new();
    for (&group, &(_, place)) in &places.groups {
        bases.insert(group, source.base(place, group).await?);
    }
    let (first, second) = (source.marks().await?, source.marks().await?);
    let mut groups = BTreeMap::new();
    for (&group, base) in &bases {
        let ((_, place), (upto, _)) = (places.groups[&group], second.groups[&group]);
        let path = dir.join(manifest::log_file(group));
        let log = source.log(place, group, base.next, upto, &path).await?;
        let Some(log) = log else {
            return Ok(None);
        };
        log.finish()?;
        groups.insert(group, base.next);
    }
    for (group, base) in bases.into_iter().filter(|(_, base)| base.next > 0) {
        let (_, place) = places.groups[&group];
        let path = dir.join(manifest::snapshot_file(group));
        if !source.snapshot(place, group, base, &path).await? {
            return Ok(None);
        }
    }
    Ok(Some(Pulled { first, groups }))
}

/// The number of a group whose log does not go back so far, if there is one.
async fn pull_since(
    dir: &Path,
    source: &Source,
    chain: &Chain,
) -> Result<Result<Pulled, u32>, BackupError> {
    let (first, second) = (source.marks().await?, source.marks().await?);
    let mut groups = BTreeMap::new();
    for record in &chain.newest().manifest.groups {
        let (group, log_from) = (record.group, record.index + 1);
        let (upto, place) = second.groups[&group];
        let path = dir.join(manifest::log_file(group));
        match source.log(place, group, log_from, upto, &path).await? {
            Some(log) => log.finish()?,
            None => return Ok(Err(group)),
        }
        groups.insert(group, log_from);
    }
    Ok(Ok(Pulled { first, groups }))
}

/// Applies a pulled log up to index `upto`; the entries behind it.
fn apply(
    dir: &Path,
    group: u32,
    upto: u64,
    world: &mut World,
) -> Result<Vec<LogEntry>, BackupError> {
    let path = dir.join(manifest::log_file(group));
    let mut log = Reader::open(&path)?;
    let mut ahead = Vec::new();
    while let Some(entry) = log.next()? {
        if entry.at.index > upto {
            ahead.push(entry);
            continue;
        }
        let applied = world.apply(group, &entry);
        applied.map_err(|error| BackupError::part(&path, error))?;
    }
    Ok(ahead)
}

/// Cuts a group's log where its state is, and describes both.
fn record(
    dir: &Path,
    group: u32,
    log_from: u64,
    snapshot: bool,
    world: &World,
) -> Result<GroupRecord, BackupError> {
    let scratch = world.group(group);
    let last = scratch.last().ok_or_else(|| {
        BackupError::Cluster(format!(
            "group {group} is empty: the cluster is being initialized"
        ))
    })?;
    log_file::cut(&dir.join(manifest::log_file(group)), last.index)?;
    let part = |file: String| {
        let path = dir.join(&file);
        let (bytes, sha256) = digest::of_file(&path).map_err(BackupError::file(&path))?;
        Ok::<_, BackupError>(Part {
            file,
            bytes,
            sha256,
        })
    };
    let snapshot = snapshot.then(|| part(manifest::snapshot_file(group)));
    Ok(GroupRecord {
        group,
        index: last.index,
        term: last.term,
        digest: world.digest(group),
        snapshot: snapshot.transpose()?,
        log_from,
        log: part(manifest::log_file(group))?,
    })
}

fn previous(chain: &Chain) -> Result<Previous, BackupError> {
    let newest = chain.newest();
    let dir = fs::canonicalize(&newest.dir).map_err(BackupError::file(&newest.dir))?;
    let name = dir.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        BackupError::Invalid(format!("--since {}: its name is not text", dir.display()))
    })?;
    Ok(Previous {
        name: name.to_owned(),
        sha256: newest.hash.clone(),
    })
}

#[allow(
    clippy::disallowed_methods,
    reason = "a command beside the cluster: real time"
)]
fn now() -> String {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default();
    let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| format!("{at:.0}"))
}
