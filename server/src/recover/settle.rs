//! Groups that go back until they fit together.
//!
//! Each group's log ends where its survivor's happened to: one group may rest on what another one has
//! lost, a message that, by the other's account, was never sent. A backup's cut is closed by going on
//! ([`cut::close`]); here there is nothing to go on into, so whoever knows too much goes back, entry by
//! entry, until it does not. Mostly these are the last moment's entries.

use std::collections::BTreeMap;

use raft_node::backup::{GroupRemains, LogEntry, ScratchError};

use super::RecoverError;
use crate::backup::cut::{self, Need};
use crate::backup::world::World;

/// So many entries a group goes back at most for what can also be unmet in good states.
const FOR_DOUBTS_MAX: usize = 2_000;

/// One group's snapshot and log, and how much of it counts.
pub(super) struct Tape {
    remains: GroupRemains,
    kept: usize,
}

impl Tape {
    /// All of it.
    pub(super) fn new(remains: GroupRemains) -> Self {
        let kept = remains.entries.len();
        Self { remains, kept }
    }

    /// Entries at its end that do not count.
    pub(super) fn left_out(&self) -> u64 {
        (self.remains.entries.len() - self.kept) as u64
    }

    fn entries(&self) -> &[LogEntry] {
        &self.remains.entries[..self.kept]
    }
}

/// Applies every group as far as they fit together; what is unmet all the same, and may be, in words.
pub(super) fn settle(
    world: &mut World,
    tapes: &mut BTreeMap<u32, Tape>,
) -> Result<Vec<String>, RecoverError> {
    let groups: Vec<u32> = tapes.keys().copied().collect();
    for group in groups {
        apply(world, group, &tapes[&group])?;
    }
    let mut given_up: Vec<Need> = Vec::new();
    loop {
        let unmet = cut::unmet(&world.replicas);
        let mut open = unmet.into_iter().filter(|need| !given_up.contains(need));
        let Some(need) = open.next() else {
            return Ok(given_up.iter().map(ToString::to_string).collect());
        };
        let knower = need.knower(&world.replicas);
        let settled = match knower {
            Some(group) => go_back(world, group, tapes, need)?,
            None => false,
        };
        if !settled && need.is_strict() {
            return Err(RecoverError::Inconsistent(need.to_string()));
        }
        if !settled {
            given_up.push(need);
        }
    }
}

/// Takes a group back as little as helps; false, and as it was, when it cannot.
fn go_back(
    world: &mut World,
    group: u32,
    tapes: &mut BTreeMap<u32, Tape>,
    need: Need,
) -> Result<bool, RecoverError> {
    let tape = tapes
        .get_mut(&group)
        .expect("a need names a group of this cluster");
    let all = tape.kept;
    let farthest = match need.is_strict() {
        true => 0,
        false => all.saturating_sub(FOR_DOUBTS_MAX),
    };
    let mut at = |kept: usize| -> Result<bool, RecoverError> {
        tape.kept = kept;
        apply(world, group, tape)?;
        // Others may know the same; they are asked next.
        let said_here = need.knower(&world.replicas) == Some(group);
        Ok(!said_here || !cut::unmet(&world.replicas).contains(&need))
    };
    // It knows at `knows` and not at `free`.
    let (mut free, mut knows, mut step) = (all, all, 1);
    while free == knows {
        let back = all.saturating_sub(step).max(farthest);
        if at(back)? {
            free = back;
        } else if back == farthest {
            at(all)?;
            return Ok(false);
        } else {
            knows = back;
            free = back;
            step *= 2;
        }
    }
    while knows - free > 1 {
        let middle = free + (knows - free) / 2;
        match at(middle)? {
            true => free = middle,
            false => knows = middle,
        }
    }
    at(free)
}

fn apply(world: &mut World, group: u32, tape: &Tape) -> Result<(), RecoverError> {
    let failed = |source: ScratchError| RecoverError::Apply { group, source };
    let snapshot = tape.remains.parts.clone();
    let snapshot = snapshot.map(|parts| (parts, tape.remains.snapshot));
    world.resume(group, snapshot).map_err(failed)?;
    for entry in tape.entries() {
        world.apply(group, entry).map_err(failed)?;
    }
    Ok(())
}
