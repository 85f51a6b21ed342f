//! Faults that need several things to come together: which chance alone hardly ever brings about.
//! None of them breaks a promise by itself. Each arranges the moment in which a promise that was
//! made too early, or forgotten, shows.

use std::sync::Arc;

use raft_node::Role;
use raft_node::platform::sim_disk::CrashMode;

use super::pause;
use super::strike::up;
use crate::fault::{Spoiled, Target};
use crate::world::World;

/// How long an election without a leader may take, in signs of life: two tries.
const ELECTION_BEATS: u64 = 20;
/// How long the old leader leads on, while the new one is cut off.
const APART_MS: u64 = 2_500;

/// A disk takes writes of a kind and syncs none of them. With snapshots, the node builds some and
/// forgets the log before them, so that the log relies on them.
pub(super) async fn unsynced(world: &World, node: usize, file: Spoiled, for_ms: u64) {
    world.stall(node, Some(file), for_ms + 1_000);
    if file == Spoiled::Snapshot {
        let groups = 0..=u32::from(world.scenario.shards);
        let Some(alive) = world.alive(node) else {
            return;
        };
        for group in groups.clone() {
            // Whoever does not want to build one has died meanwhile.
            let _ = alive.node.build_snapshot(group).await;
        }
        pause(for_ms / 2).await;
        for group in groups {
            let _ = alive.node.purge(group).await;
        }
        return pause(for_ms / 2).await;
    }
    pause(for_ms).await;
}

/// A new leader is elected by votes that no sync covers, if such votes count. Then its voters lose
/// power, and meet the old leader, who knows nothing of it.
pub(super) async fn vote_cut(world: &Arc<World>, group: u32, down_ms: u64) {
    let Some(old) = up(world, Target::Leader(group)) else {
        return;
    };
    let members = world.members();
    let quorum = members.len() / 2 + 1;
    let others = members.iter().copied();
    let mut others = others.filter(|node| *node != old && !world.is_down(*node));
    let Some(candidate) = others.next() else {
        return;
    };
    let voters: Vec<usize> = others.take(quorum - 1).collect();
    if voters.len() + 1 < quorum {
        return;
    }
    let away = members
        .iter()
        .filter(|node| **node != candidate && !voters.contains(node));
    let away: Vec<_> = away.map(|node| world.around(*node, true, true)).collect();
    away.iter().for_each(|links| world.wires.cut(links));
    for voter in &voters {
        world.stall(*voter, Some(Spoiled::Log), 60_000);
    }
    for _ in 0..ELECTION_BEATS {
        pause(world.scenario.heartbeat_ms).await;
        if leads(world, candidate, group) {
            break;
        }
    }
    world.tally.count("3 power fails as votes leave");
    let alone = world.around(candidate, true, true);
    world.wires.cut(&alone);
    for voter in &voters {
        if !world.is_down(*voter) {
            world.crash(*voter, CrashMode::LoseUnsynced);
        }
        world.unstall(*voter);
    }
    away.iter().for_each(|links| world.wires.mend(links));
    pause(down_ms).await;
    voters.iter().for_each(|voter| world.restart(*voter));
    pause(APART_MS).await;
    world.wires.mend(&alone);
}

fn leads(world: &World, node: usize, group: u32) -> bool {
    world.alive(node).is_some_and(|alive| {
        let status = alive.node.status().into_iter();
        let mut own = status.filter(|status| status.group == group);
        own.any(|status| status.role == Role::Leader)
    })
}

/// Somebody whose clock is ahead leads a group, stamps entries with it, and hands over.
pub(super) async fn lead_ahead(world: &World, group: u32, node: usize, by_ms: u64, for_ms: u64) {
    world.shift_clock(node, by_ms as i64);
    if hand_over(world, group, node).await {
        world.tally.count("24 somebody leads whose clock is ahead");
    }
    pause(for_ms).await;
    world.shift_clock(node, -(by_ms as i64));
    let others = world.members().into_iter();
    let mut others = others.filter(|other| *other != node && !world.is_down(*other));
    if let Some(next) = others.next().filter(|_| world.leader(group) == Some(node)) {
        hand_over(world, group, next).await;
    }
}

/// Has the leader of a group hand over; whether it does.
async fn hand_over(world: &World, group: u32, to: usize) -> bool {
    let Some(leader) = up(world, Target::Leader(group)).filter(|leader| *leader != to) else {
        return false;
    };
    let Some(alive) = world.alive(leader) else {
        return false;
    };
    alive.node.move_leader(group, to as u64 + 1).await.is_ok()
}
