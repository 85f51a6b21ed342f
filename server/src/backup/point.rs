//! A point in time before a backup's end, named by an entry of one group.
//!
//! The others are taken as of that entry's stamp: each group's clock is its leader's, so that is
//! only about the same moment, and the cut is closed from there as any other ([`cut`]). The named
//! group must not have to go on for that: then the index is not one at which a cluster can have been,
//! and the next that is gets named.

use std::collections::BTreeMap;
use std::str::FromStr;

use raft_node::backup::LogEntry;

use super::BackupError;
use super::chain::Chain;
use super::cut;
use super::world::World;

/// `GROUP=INDEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The group.
    pub group: u32,
    /// The last entry it is to have.
    pub index: u64,
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('=').and_then(|(group, index)| {
            Some(Self {
                group: group.parse().ok()?,
                index: index.parse().ok()?,
            })
        });
        numbers.ok_or_else(|| format!("{text:?} is not of the form GROUP=INDEX"))
    }
}

/// All groups as of a point.
pub(super) fn load(chain: &Chain, at: Point) -> Result<World, BackupError> {
    let mut world = chain.base()?;
    let mut all = chain.all_entries()?;
    let invalid =
        |why: String| BackupError::Invalid(format!("--at {}={}: {why}", at.group, at.index));
    let Some(group) = world.groups.get(&at.group) else {
        return Err(invalid("there is no such group in the backup".to_owned()));
    };
    let (first, last) = (group.next().saturating_sub(1), all[&at.group].last());
    let last = last.map_or(first, |last| last.at.index);
    if !(first..=last).contains(&at.index) {
        return Err(invalid(format!(
            "group {} can be restored at entries {first} to {last} from this backup",
            at.group
        )));
    }
    let damaged = |error: raft_node::backup::ScratchError| {
        BackupError::Inconsistent(format!("--at {}={}: {error}", at.group, at.index))
    };
    let own = all.remove(&at.group).unwrap_or_default();
    let behind = own.partition_point(|entry| entry.at.index <= at.index);
    for entry in &own[..behind] {
        world.apply(at.group, entry).map_err(damaged)?;
    }
    let moment = world.group(at.group).stamped_ms();
    let mut ahead: BTreeMap<u32, Vec<LogEntry>> = BTreeMap::new();
    for (group, entries) in all {
        let mut entries = entries.into_iter().peekable();
        while let Some(entry) = entries.peek() {
            let stamped = entry.stamped_ms();
            let stamped = stamped.map_err(|error| damaged(error.into()))?;
            if stamped.is_some_and(|stamped| stamped > moment) {
                break;
            }
            world.apply(group, entry).map_err(damaged)?;
            entries.next();
        }
        ahead.insert(group, entries.collect());
    }
    let left = cut::close(&mut world, &ahead).map_err(damaged)?;
    let Some(need) = left.iter().find(|need| need.is_strict()) else {
        return Ok(world);
    };
    // The named group would have to go on.
    let why = need.to_string();
    ahead.insert(at.group, own[behind..].to_vec());
    cut::close(&mut world, &ahead).map_err(damaged)?;
    let next = world.group(at.group).next().saturating_sub(1);
    Err(invalid(format!(
        "the cluster was never there: {why}. The next entry at which it was is {next}"
    )))
}
