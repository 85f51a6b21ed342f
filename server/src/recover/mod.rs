//! A lost majority: a new cluster is made of what one or more surviving nodes have (ADR 0012).
//!
//! ```text
//!  survivors' directories ─► for each group the log that is furthest ─► applied to its end
//!                            ─► settled: no group rests on what another one lost ─► a directory
//! ```
//! Of each group everything in the log counts, also what the survivor did not know to be committed:
//! an answer may rest on it. What the survivors never had is lost, and nobody can say what it was.
//!
//! Like a restored cluster, the new one has an id of its own, so that whoever comes back of the old
//! one is let in by nobody; keys go on under the old lineage. It begins with one node; others join it.
//!
//! Nothing is destroyed: the old directory is kept beside the new one.

mod record;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cluster::SYSTEM_GROUP;
pub use raft_node::backup::GroupRemains;
use raft_node::backup::{Position, Remains, ScratchError};
use raft_node::platform::Platform;
use raft_node::replay::ReplayError;
use uuid::Uuid;

pub use self::record::Record;
use self::settle::Tape;
use crate::backup::BackupError;
use crate::backup::restore::{self, beside};
use crate::backup::world::World;
use crate::node::config::{Config, Peer};

/// Why nothing was recovered. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A directory cannot be read, or is in use.
    #[error("{path}: {source}")]
    Remains {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ReplayError,
    },
    /// A file cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It is not needed.
    #[error(
        "nodes {survivors:?} are a majority of every group: nothing is lost. Start them, and replace the others \
         (docs/operations.md, \"Replace a node\")"
    )]
    NotNeeded {
        /// Who is left.
        survivors: BTreeSet<u64>,
    },
    /// What is left of a group cannot be applied.
    #[error("group {group}: {source}")]
    Apply {
        /// Which.
        group: u32,
        /// Why.
        source: ScratchError,
    },
    /// The groups cannot be made to fit together.
    #[error(
        "the groups do not fit together, however far they go back: {0}. Restore a backup instead"
    )]
    Inconsistent(String),
    /// The new directory cannot be made.
    #[error(transparent)]
    Write(#[from] BackupError),
}

/// What is left of one group.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Left {
    /// The group.
    pub group: u32,
    /// Whose log is the furthest.
    pub node: u64,
    /// Who voted.
    pub voters: Vec<BTreeSet<u64>>,
    /// The newest term that the survivor voted in.
    pub voted_term: u64,
    /// Term and index of the log's last entry.
    pub last: (u64, u64),
    /// Up to here the survivor knew that everything was committed.
    pub committed: u64,
    /// Up to here its snapshot reaches.
    pub snapshot: u64,
    /// Entries at the end that are left out: they rest on what another group has lost.
    pub left_out: u64,
    /// The time of the last entry that is kept, ms since the epoch: whatever was answered later may
    /// be lost.
    pub last_at_ms: u64,
}

/// What recovering comes to.
pub struct Recovery {
    /// Every group.
    pub left: Vec<Left>,
    /// Needs that are not met, and need not be.
    pub doubts: Vec<String>,
    /// Who is left.
    pub survivors: BTreeSet<u64>,
    config: Config,
    world: World,
}

/// Reads what is left in the directory of `config`'s node and in those of other survivors, and finds
/// out what can be made of it. Writes nothing.
pub async fn survey(config: Config, also: &[PathBuf]) -> Result<Recovery, RecoverError> {
    survey_cut(config, also, &|_, remains| remains).await
}

/// The same with logs that end where `cut` says: for tests of what happens to groups that do not fit
/// together.
pub async fn survey_cut(
    config: Config,
    also: &[PathBuf],
    cut: &dyn Fn(u32, GroupRemains) -> GroupRemains,
) -> Result<Recovery, RecoverError> {
    let mut survivors: BTreeMap<u64, BTreeMap<u32, GroupRemains>> = BTreeMap::new();
    let first = config.data_dir.clone();
    for (number, dir) in std::iter::once(&first).chain(also).enumerate() {
        let (node, groups) = read(dir, &config).await?;
        if number == 0 && node != config.node_id {
            return Err(RecoverError::Invalid(format!(
                "{}: this is the directory of node {node}, and the file says node {}",
                dir.display(),
                config.node_id
            )));
        }
        if survivors.insert(node, groups).is_some() {
            let why = format!(
                "{}: the directory of node {node} is named twice",
                dir.display()
            );
            return Err(RecoverError::Invalid(why));
        }
    }
    let ids: BTreeSet<u64> = survivors.keys().copied().collect();
    let mut tapes = BTreeMap::new();
    let mut left = Vec::new();
    let mut whole = true;
    for group in SYSTEM_GROUP..=u32::from(config.shards) {
        let (node, best) = furthest(&survivors, group)?;
        let best = cut(group, best);
        whole &= best.has_majority(&ids);
        left.push(described(group, node, &best));
        tapes.insert(group, Tape::new(best));
    }
    if whole {
        return Err(RecoverError::NotNeeded { survivors: ids });
    }
    let mut world = World::fresh(config.shards);
    let doubts = settle::settle(&mut world, &mut tapes)?;
    for left in &mut left {
        left.left_out = tapes[&left.group].left_out();
        left.last_at_ms = world.group(left.group).stamped_ms();
    }
    if let Some(broken) = world.broken() {
        return Err(RecoverError::Inconsistent(broken));
    }
    Ok(Recovery {
        left,
        doubts,
        survivors: ids,
        config,
        world,
    })
}

async fn read(
    dir: &Path,
    config: &Config,
) -> Result<(u64, BTreeMap<u32, GroupRemains>), RecoverError> {
    let remains = |source| RecoverError::Remains {
        path: dir.to_owned(),
        source,
    };
    if !dir.is_dir() {
        let why = format!("{}: there is no such directory", dir.display());
        return Err(RecoverError::Invalid(why));
    }
    let platform = Platform::os(dir).map_err(|source| RecoverError::File {
        path: dir.to_owned(),
        source,
    })?;
    let found = Remains::open(platform).await.map_err(remains)?;
    if found.cluster != config.cluster_id.as_u128() {
        return Err(RecoverError::Invalid(format!(
            "{}: it belongs to cluster {}, and the file says {}",
            dir.display(),
            Uuid::from_u128(found.cluster),
            config.cluster_id
        )));
    }
    let mut groups = BTreeMap::new();
    for group in SYSTEM_GROUP..=u32::from(config.shards) {
        groups.insert(group, found.group(group).await.map_err(remains)?);
    }
    let node = found.node;
    found.close().await;
    Ok((node, groups))
}

/// The survivor whose log of a group an election would have preferred.
fn furthest(
    survivors: &BTreeMap<u64, BTreeMap<u32, GroupRemains>>,
    group: u32,
) -> Result<(u64, GroupRemains), RecoverError> {
    let found = survivors.iter().filter_map(|(node, groups)| {
        let remains = groups.get(&group)?;
        Some((remains.last?, *node, remains))
    });
    let best = found.max_by_key(|(last, node, _)| (*last, std::cmp::Reverse(*node)));
    let (_, node, remains) = best.ok_or_else(|| {
        RecoverError::Invalid(format!(
            "group {group}: no survivor has anything of it. Is `shards` what it was, and was the cluster initialized?"
        ))
    })?;
    Ok((node, remains.clone()))
}

fn described(group: u32, node: u64, remains: &GroupRemains) -> Left {
    let last = remains
        .last
        .map_or((0, 0), |Position { term, index }| (term, index));
    Left {
        group,
        node,
        voters: remains.configs.clone(),
        voted_term: remains.term,
        last,
        committed: remains.committed,
        snapshot: remains.snapshot.map_or(0, |last| last.index),
        left_out: 0,
        last_at_ms: 0,
    }
}

/// Where what was recovered is.
pub struct Done {
    /// The new cluster's only node.
    pub config: Config,
    /// The old directory.
    pub kept: PathBuf,
}

impl Recovery {
    /// Makes the directory of the first node of a new cluster, in the place of the old one, which is
    /// kept beside it.
    pub async fn carry_out(mut self, cluster_id: Uuid) -> Result<Done, RecoverError> {
        let old = self.config.clone();
        let kept = beside(&old.data_dir, "before-recovery");
        if kept.exists() {
            return Err(RecoverError::Invalid(format!(
                "{}: a directory was recovered here before. Move that one away first",
                kept.display()
            )));
        }
        let me = old.peer_map().remove(&old.node_id).unwrap_or_default();
        let mut new = Config {
            cluster_id,
            lineage: Some(old.lineage()),
            peers: vec![Peer {
                id: old.node_id,
                addr: me,
            }],
            join: false,
            data_dir: beside(&old.data_dir, "recovered"),
            ..old.clone()
        };
        let deed = restore::first_deed(
            cluster_id,
            "cluster.recover",
            format!("from what was left of cluster {}", old.cluster_id),
        );
        restore::continue_lineage(&mut self.world, old.lineage(), &deed)?;
        restore::write(&new, &self.world).await?;
        let record = Record::new(&self, cluster_id);
        record.write(&new.data_dir)?;
        let moved = |path: &Path| {
            let path = path.to_owned();
            move |source| RecoverError::File { path, source }
        };
        std::fs::rename(&old.data_dir, &kept).map_err(moved(&old.data_dir))?;
        std::fs::rename(&new.data_dir, &old.data_dir).map_err(moved(&new.data_dir))?;
        let parent = old
            .data_dir
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty());
        crate::backup::manifest::sync_dir(parent.unwrap_or(Path::new(".")))?;
        new.data_dir = old.data_dir;
        Ok(Done { config: new, kept })
    }

    /// All groups, as they are recovered.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The cluster that was.
    pub fn cluster_id(&self) -> Uuid {
        self.config.cluster_id
    }
}
