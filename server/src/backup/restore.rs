//! Makes data directories of a new cluster out of a backup.
//!
//! The new cluster has an id of its own, so nothing of the old one is let in: frames and
//! directories name their cluster. What it does carry on is the *lineage*, in the catalogue, by an
//! entry of the restore's own behind the system group's cut: payment keys and signatures go on
//! under it.
//!
//! A directory is made beside its place and renamed into it: there whole, or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cluster::SYSTEM_GROUP;
use cluster::catalogue::{CatalogueCommand, Deed, Who};
use raft_node::Stamp;
use raft_node::backup::{Laid, LogEntry, Position, lay_down};
use raft_node::platform::Platform;
use uuid::Uuid;

use super::BackupError;
use super::chain::{self, Chain};
use super::manifest::{Manifest, sync_dir};
use super::point::{self, Point};
use super::world::World;
use crate::node::config::Config;

/// How a directory is called that is being made.
const BESIDE: &str = "restoring";

/// What was restored of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The group.
    pub group: u32,
    /// The last entry of the backup in it.
    pub index: u64,
    /// SHA-256 of the state after it, hex.
    pub digest: String,
}

/// Restores the backup in `from` into the data directories that these files name; at some point
/// before its end when there is one. Everything is checked before anything is written.
pub async fn restore(
    from: &Path,
    configs: &[Config],
    at: Option<Point>,
) -> Result<Vec<Restored>, BackupError> {
    let chain = Chain::open(from)?;
    let manifest = &chain.newest().manifest;
    agree(configs)?;
    for config in configs {
        fits(config, manifest)?;
        vacant(&config.data_dir)?;
    }
    let mut world = chain.load()?;
    if let Some(at) = at {
        world = point::load(&chain, at)?;
        chain::judge_whole(&world)?;
    }
    let restored = world.groups.iter().map(|(&group, scratch)| Restored {
        group,
        index: scratch.last().map_or(0, |last| last.index),
        digest: world.digest(group),
    });
    let restored = restored.collect();
    let deed = first_deed(
        configs[0].cluster_id,
        "cluster.restore",
        format!("from a backup of cluster {}", manifest.cluster_id),
    );
    continue_lineage(&mut world, manifest.lineage, &deed)?;
    for config in configs {
        write(config, &world).await?;
    }
    Ok(restored)
}

/// Whether the files describe nodes of one cluster.
fn agree(configs: &[Config]) -> Result<(), BackupError> {
    let Some((first, others)) = configs.split_first() else {
        return Err(BackupError::Invalid(
            "name the nodes' files (--config)".to_owned(),
        ));
    };
    let mut ids = vec![first.node_id];
    for other in others {
        let differs = |field: &str| {
            Err(BackupError::Invalid(format!(
                "{field}: nodes {} and {} disagree about it",
                first.node_id, other.node_id
            )))
        };
        if ids.contains(&other.node_id) {
            let why = format!("node_id: {} is named by two files", other.node_id);
            return Err(BackupError::Invalid(why));
        }
        ids.push(other.node_id);
        if first.cluster_id != other.cluster_id {
            return differs("cluster_id");
        }
        if first.peer_map() != other.peer_map() {
            return differs("peers");
        }
        if first.shards != other.shards {
            return differs("shards");
        }
        if first.lineage != other.lineage {
            return differs("lineage");
        }
        if first.secret != other.secret {
            return differs("secret");
        }
    }
    Ok(())
}

/// Whether a node of this configuration can go on from this backup.
fn fits(config: &Config, manifest: &Manifest) -> Result<(), BackupError> {
    let refused = |why: String| Err(BackupError::Invalid(why));
    if config.cluster_id == manifest.cluster_id || config.cluster_id == manifest.lineage {
        return refused(format!(
            "cluster_id: {} is the cluster the backup was taken of. Give the new one an id of its own, or members \
             of the old one could join it",
            config.cluster_id
        ));
    }
    if config.shards != manifest.shards {
        return refused(format!(
            "shards: the backup has {}, and node {} is to have {}",
            manifest.shards, config.node_id, config.shards
        ));
    }
    if config.lineage() != manifest.lineage {
        return refused(format!(
            "lineage: set `lineage = \"{0}\"` (and that cluster's `secret`) in the file of node {1}: payment keys and \
             tickets go on under it",
            manifest.lineage, config.node_id
        ));
    }
    Ok(())
}

/// Whether nothing is there that a restore would overwrite.
fn vacant(dir: &Path) -> Result<(), BackupError> {
    let refused = |reason: String| {
        Err(BackupError::NotEmpty {
            path: dir.to_owned(),
            reason,
        })
    };
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(BackupError::file(dir)(error)),
        Ok(mut listed) => {
            if listed.next().is_some() {
                let whose = match dir.join("identity").exists() {
                    true => "it is a node's data directory already",
                    false => "it is not empty",
                };
                return refused(format!(
                    "{whose}. Restore into a new directory; remove this one yourself if nobody needs it"
                ));
            }
        }
    }
    let beside = beside(dir, BESIDE);
    if beside.exists() {
        let why = "a restore was cut short here. Remove it and try again".to_owned();
        return Err(BackupError::NotEmpty {
            path: beside,
            reason: why,
        });
    }
    Ok(())
}

/// A directory beside another one: `node-1.restoring`.
pub(crate) fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

/// The record of what made a new cluster out of another's state.
pub(crate) fn first_deed(new: Uuid, action: &str, about: String) -> Deed {
    Deed {
        id: new.as_u128(),
        who: Who::CommandLine,
        request: String::new(),
        action: action.to_owned(),
        about,
    }
}

/// The first entry of the new cluster's life: says where the state began, and who did what to it.
pub(crate) fn continue_lineage(
    world: &mut World,
    lineage: Uuid,
    deed: &Deed,
) -> Result<(), BackupError> {
    let system = world.group(SYSTEM_GROUP);
    let last = system
        .last()
        .ok_or_else(|| BackupError::Inconsistent("the system group is empty".to_owned()))?;
    let command = CatalogueCommand::ContinueLineage {
        lineage: lineage.as_u128(),
    };
    let stamp = Stamp {
        at_ms: system.stamped_ms(),
        draw: [0; 32],
    };
    let at = Position {
        term: last.term,
        index: last.index + 1,
    };
    let entry = LogEntry::of_command(at, stamp, cluster::codec::encode_for(Some(deed), &command));
    let applied = world.apply(SYSTEM_GROUP, &entry);
    applied.map_err(|error| BackupError::Inconsistent(error.to_string()))
}

/// Makes a node's directory of what a world has become.
pub(crate) async fn write(config: &Config, world: &World) -> Result<(), BackupError> {
    let (dir, beside) = (&config.data_dir, beside(&config.data_dir, BESIDE));
    let groups = world.groups.iter().map(|(&group, scratch)| {
        let last = scratch.last();
        last.map(|last| Laid {
            group,
            last,
            parts: scratch.machine().save(),
        })
        .ok_or_else(|| BackupError::Inconsistent(format!("group {group} is empty")))
    });
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let platform = Platform::os(&beside).map_err(BackupError::file(&beside))?;
    let peers: BTreeMap<u64, String> = config.peer_map();
    let laid = lay_down(
        platform,
        config.cluster_id.as_u128(),
        config.node_id,
        &peers,
        groups,
    );
    laid.await.map_err(|source| BackupError::LayDown {
        path: beside.clone(),
        source,
    })?;
    // An empty directory in its place gives way; anything else makes this fail.
    match fs::remove_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(BackupError::file(dir)(error)),
    }
    fs::rename(&beside, dir).map_err(BackupError::file(dir))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new(".")))
}
