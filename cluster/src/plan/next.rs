//! What can be done now: at most one step a group.

use std::collections::{BTreeMap, BTreeSet};

use super::group::Look;
use super::seen::{Bounds, GroupSeen, Seen};
use super::step::{Blocked, Plan, Reason, Step};
use super::target::{Unplaceable, as_seen, repair};
use crate::SYSTEM_GROUP;
use crate::members::{NodeState, Registry, Wish, Zones};

/// The next steps from what is seen to what is wanted. `seen` names every group.
pub fn next(registry: &Registry, seen: &Seen, bounds: Bounds) -> Plan {
    let unheard = unregistered(registry, seen);
    if !unheard.is_empty() {
        return Plan {
            steps: unheard,
            blocked: Vec::new(),
        };
    }
    if let Some(placing) = placing(registry, seen) {
        return placing;
    }
    let zones = Zones::of(registry);
    let leaving: BTreeSet<u64> = leaving(registry).collect();
    // The system group is left last: until then a node that leaves can still see that it does.
    let kept: BTreeSet<u64> = leaving
        .iter()
        .copied()
        .filter(|node| is_in_a_shard(seen, *node))
        .collect();
    let nobody = BTreeSet::new();
    let mut plan = Plan::default();
    for (&group, seen) in seen {
        let Some(seen) = seen else {
            plan.blocked.push(Blocked {
                group: Some(group),
                reason: Reason::NoLeader,
            });
            continue;
        };
        let look = Look {
            registry,
            zones: &zones,
            bounds,
            group,
            seen,
            kept: match group {
                SYSTEM_GROUP => &kept,
                _ => &nobody,
            },
        };
        match look.step() {
            Ok(step) => plan.steps.extend(step),
            Err(reason) => plan.blocked.push(Blocked {
                group: Some(group),
                reason,
            }),
        }
    }
    let in_no_group = |node: &u64| {
        let mut groups = seen.values();
        groups.all(|seen| {
            let seen = seen.as_ref();
            seen.is_some_and(|seen| !seen.replicas.contains_key(node))
        })
    };
    let gone = leaving.into_iter().filter(in_no_group);
    plan.steps.extend(gone.map(|node| Step::Gone { node }));
    plan.steps.sort_by_key(is_farewell);
    plan
}

/// The mover runs where the system group leads: it hands that over when nothing else can be done.
fn is_farewell(step: &Step) -> bool {
    matches!(step, Step::MoveLeader { group, .. } if *group == SYSTEM_GROUP)
}

fn leaving(registry: &Registry) -> impl Iterator<Item = u64> {
    let leaving = registry
        .nodes()
        .filter(|(_, record)| record.state == NodeState::Leaving);
    leaving.map(|(node, _)| node)
}

/// Whether a node may be in a group other than the system's: what was not seen may be so.
fn is_in_a_shard(seen: &Seen, node: u64) -> bool {
    seen.iter().any(|(group, seen)| {
        let seen = seen.as_ref();
        *group != SYSTEM_GROUP && seen.is_none_or(|seen| seen.replicas.contains_key(&node))
    })
}

/// A cluster that is older than its registry: its members are taken over as they are.
fn unregistered(registry: &Registry, seen: &Seen) -> Vec<Step> {
    let mut unheard: BTreeMap<u64, &str> = BTreeMap::new();
    let replicas = seen.values().flatten().flat_map(|seen| &seen.replicas);
    for (node, replica) in replicas {
        if registry.node(*node).is_none() && !registry.gone().contains(node) {
            unheard.insert(*node, &replica.peer);
        }
    }
    let steps = unheard.into_iter().map(|(node, peer)| Step::Register {
        node,
        peer: peer.to_owned(),
    });
    steps.collect()
}

/// The first placement, or one without the nodes that may not vote any more.
fn placing(registry: &Registry, seen: &Seen) -> Option<Plan> {
    let placement = registry.placement();
    let (replication, base) = if placement.version == 0 {
        let unseen = seen.iter().find(|(_, seen)| seen.is_none());
        if let Some((&group, _)) = unseen {
            let group = Some(group);
            let reason = Reason::NoLeader;
            return Some(Plan {
                steps: Vec::new(),
                blocked: vec![Blocked { group, reason }],
            });
        }
        let voters = seen.values().flatten().map(GroupSeen::voters);
        let most = voters.map(|voters| voters.len()).max().unwrap_or(1);
        (u8::try_from(most).unwrap_or(1), as_seen(seen))
    } else {
        let base = stale(registry, seen)?;
        (placement.replication, base)
    };
    Some(match repair(registry, replication, &base) {
        Ok(groups) if groups == placement.groups => return None,
        Ok(groups) => Plan {
            steps: vec![Step::Place {
                expected: placement.version,
                replication,
                groups: groups.into_iter().collect(),
            }],
            blocked: Vec::new(),
        },
        Err(Unplaceable {
            members,
            replication,
        }) => Plan {
            steps: Vec::new(),
            blocked: vec![Blocked {
                group: None,
                reason: Reason::TooFewMembers {
                    members,
                    replication,
                },
            }],
        },
    })
}

/// What a new placement begins with, when this one can no longer be carried out: it names those who
/// may not vote, or nodes came since, or told their zone, and it would crowd zones for nothing.
fn stale(registry: &Registry, seen: &Seen) -> Option<BTreeMap<u32, Wish>> {
    let (members, zones) = (registry.members(), Zones::of(registry));
    let mut base = registry.placement().groups.clone();
    let mut wishes = base.values();
    let mut stale = wishes.any(|wish| !wish.voters.is_subset(&members));
    for (group, wish) in &mut base {
        let Some(Some(seen)) = seen.get(group) else {
            continue;
        };
        let Some(voters) = seen.configs.last() else {
            continue;
        };
        if *voters != wish.voters && zones.would_crowd(voters, &wish.voters, &members) {
            wish.voters.clone_from(voters);
            stale = true;
        }
    }
    stale.then_some(base)
}
