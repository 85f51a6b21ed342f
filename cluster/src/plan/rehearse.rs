//! A plan played through before anything is done: what `--dry-run` prints, and what tests look at.

use super::next::next;
use super::seen::{Bounds, ReplicaSeen, Seen};
use super::step::{Blocked, Step};
use crate::members::{NodeRecord, Placement, Registry};

/// Steps after which a rehearsal is broken off: more than any cluster needs.
const STEPS_MAX: usize = 100_000;

/// A plan from here to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// The steps, in an order in which they are safe.
    pub steps: Vec<Step>,
    /// What would still wait at the end.
    pub blocked: Vec<Blocked>,
}

/// Plays a plan through, as if every step succeeded and every new replica caught up.
pub fn rehearse(mut registry: Registry, mut seen: Seen, bounds: Bounds) -> Rehearsal {
    let mut steps = Vec::new();
    loop {
        let plan = next(&registry, &seen, bounds);
        let Some(step) = plan.steps.into_iter().next() else {
            let blocked = plan.blocked;
            return Rehearsal { steps, blocked };
        };
        play(&mut registry, &mut seen, &step);
        steps.push(step);
        if steps.len() >= STEPS_MAX {
            let blocked = plan.blocked;
            return Rehearsal { steps, blocked };
        }
    }
}

/// The state after a step that succeeded.
pub fn play(registry: &mut Registry, seen: &mut Seen, step: &Step) {
    match step {
        Step::Register { node, peer } => {
            let record = NodeRecord {
                peer: peer.clone(),
                ..NodeRecord::default()
            };
            registry.nodes.insert(*node, record);
        }
        Step::Place {
            expected,
            replication,
            groups,
        } => {
            registry.placement = Placement {
                version: expected + 1,
                replication: *replication,
                groups: groups.iter().cloned().collect(),
            };
        }
        Step::Gone { node } => {
            registry.nodes.remove(node);
            registry.gone.insert(*node);
        }
        Step::AddLearner { group, node, peer } => change(seen, *group, |seen| {
            let replica = ReplicaSeen {
                peer: peer.clone(),
                matched: seen.last_log,
                heard_ms: Some(0),
            };
            seen.replicas.insert(*node, replica);
        }),
        Step::ChangeVoters { group, voters } | Step::Finish { group, voters } => {
            change(seen, *group, |seen| seen.configs = vec![voters.clone()]);
        }
        Step::MoveLeader { group, to } => change(seen, *group, |seen| {
            let former = seen.replicas.entry(seen.leader).or_default();
            (former.matched, former.heard_ms) = (seen.last_log, Some(0));
            seen.leader = *to;
        }),
        Step::RemoveLearner { group, node } => {
            change(seen, *group, |seen| seen.replicas.remove(node));
        }
    }
}

fn change<R>(seen: &mut Seen, group: u32, change: impl FnOnce(&mut super::GroupSeen) -> R) {
    if let Some(Some(seen)) = seen.get_mut(&group) {
        change(seen);
    }
}
