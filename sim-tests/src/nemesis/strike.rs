//! Carrying out a fault. Each ends by itself what it began; [`World::heal`] ends them all.

use std::sync::Arc;

use futures::future::join;
use raft_node::platform::sim_disk::CrashMode;
use raft_node::storage::Level;

use super::{aimed, pause};
use crate::fault::{Fault, Rot, Spoiled, Target};
use crate::history::History;
use crate::world::World;
use crate::world::machine::Why;

/// Does it, and undoes it.
pub async fn strike(world: &Arc<World>, history: &Arc<History>, fault: Fault) {
    let tally = &world.tally;
    match fault {
        Fault::Kill {
            node,
            power,
            down_ms,
        } => {
            let Some(node) = up(world, node) else { return };
            tally.count("1 a node dies and comes back");
            world.kill(node, power);
            pause(down_ms).await;
            world.restart(node);
        }
        Fault::PowerCut { down_ms } => {
            tally.count("2 all nodes lose power");
            kill_many(world, world.members(), true, down_ms).await;
        }
        Fault::KillMajority { power, down_ms } => {
            tally.count("2 most nodes die at once");
            let mut most = world.members();
            most.truncate(most.len() / 2 + 1);
            kill_many(world, most, power, down_ms).await;
        }
        Fault::CrashLoop {
            node,
            times,
            every_ms,
            power: true,
        } => {
            let Some(node) = up(world, node) else { return };
            tally.count("4 power fails again and again");
            for _ in 0..times {
                torn(world, node, every_ms).await;
            }
        }
        Fault::CrashLoop {
            node,
            times,
            every_ms,
            power: false,
        } => {
            let Some(node) = up(world, node) else { return };
            tally.count("4 a node dies again and again");
            for _ in 0..times {
                world.kill(node, false);
                pause(every_ms / 4).await;
                world.restart(node);
                pause(every_ms - every_ms / 4).await;
            }
        }
        Fault::Pause { node, for_ms } => {
            let Some(node) = up(world, node) else { return };
            tally.count("5 a process stands still");
            world.pause(node);
            pause(for_ms).await;
            world.resume(node);
        }
        Fault::Panic { group } => {
            let Some(node) = up(world, Target::Leader(group)) else {
                return;
            };
            world.panic_at(node, group);
        }
        Fault::CutOff { node, for_ms } => {
            let Some(node) = known(world, node) else {
                return;
            };
            tally.count("7 a node is cut off");
            hold(world, world.around(node, true, true), for_ms).await;
        }
        Fault::Deaf { node, for_ms } => {
            let Some(node) = known(world, node) else {
                return;
            };
            tally.count("8 a node is heard and does not hear");
            hold(world, world.around(node, true, false), for_ms).await;
        }
        Fault::Mute { node, for_ms } => {
            let Some(node) = known(world, node) else {
                return;
            };
            tally.count("8 a node hears and is not heard");
            hold(world, world.around(node, false, true), for_ms).await;
        }
        Fault::Bridge { node, for_ms } => {
            let Some(bridge) = known(world, node) else {
                return;
            };
            tally.count("9 two halves with a bridge");
            let others = world.members().into_iter().filter(|node| *node != bridge);
            let others: Vec<usize> = others.collect();
            let (left, right) = others.split_at(others.len() / 2);
            hold(world, both_ways(left, right), for_ms).await;
        }
        Fault::Ring { for_ms } => {
            tally.count("9 a ring");
            let ring = world.members();
            let apart = |a: usize, b: usize| {
                !matches!(a.abs_diff(b), 0 | 1) && a.abs_diff(b) + 1 != ring.len()
            };
            let mut links = Vec::new();
            for (a, from) in ring.iter().enumerate() {
                let far = ring.iter().enumerate().filter(|(b, _)| apart(a, *b));
                links.extend(far.map(|(_, to)| (*from, *to)));
            }
            hold(world, links, for_ms).await;
        }
        Fault::Swizzle {
            out,
            back,
            every_ms,
        } => {
            tally.count("10 nodes go and come back in another order");
            let links = |node: &usize| world.around(*node, true, true);
            let gone: Vec<_> = out.iter().map(links).collect();
            for links in &gone {
                world.wires.cut(links);
                pause(every_ms).await;
            }
            for node in back {
                if let Some(at) = out.iter().position(|other| *other == node) {
                    world.wires.mend(&gone[at]);
                }
                pause(every_ms).await;
            }
        }
        Fault::Flap {
            from,
            to,
            times,
            every_ms,
        } => {
            tally.count("11 a link comes and goes");
            for _ in 0..times {
                hold(world, both_ways(&[from], &[to]), every_ms).await;
                pause(every_ms).await;
            }
        }
        Fault::Lossy {
            from,
            to,
            percent,
            for_ms,
        } => {
            let link = (from as u64 + 1, to as u64 + 1);
            world
                .faults
                .change(|rates| rates.lossy.push((link, percent)));
            pause(for_ms).await;
            world.faults.change(|rates| {
                if let Some(at) = rates.lossy.iter().position(|one| *one == (link, percent)) {
                    rates.lossy.remove(at);
                }
            });
        }
        Fault::Echo {
            percent,
            late_ms,
            for_ms,
        } => {
            world.faults.change(|rates| rates.echo = (percent, late_ms));
            pause(for_ms).await;
            world.faults.change(|rates| rates.echo = (0, 0));
        }
        Fault::Spikes {
            percent,
            late_ms,
            for_ms,
        } => {
            world
                .faults
                .change(|rates| rates.spikes = (percent, late_ms));
            pause(for_ms).await;
            world.faults.change(|rates| rates.spikes = (0, 0));
        }
        Fault::LostReplies { percent, for_ms } => {
            let before = world
                .faults
                .change(|rates| std::mem::replace(&mut rates.lost_reply_percent, percent));
            pause(for_ms).await;
            world
                .faults
                .change(|rates| rates.lost_reply_percent = before);
        }
        Fault::Spoil {
            node,
            rot,
            file,
            place,
            down_ms,
        } => {
            let Some(node) = up(world, node).filter(|node| world.may_lose(*node)) else {
                return;
            };
            // The process dies, the machine does not: what the disk had said to be durable is
            // there, but for what it spoils.
            world.kill(node, false);
            if let Some(path) = world.spoil(node, rot, file, place) {
                history.note(&format!("nemesis: {path} of node {} is spoiled", node + 1));
                tally.count(match (rot, file) {
                    (Rot::Missing, _) => "23 a snapshot is gone",
                    (Rot::Short, _) => "23 a snapshot is short",
                    (Rot::BitFlip, Spoiled::Log | Spoiled::Tail) => "18 a bit of the log flips",
                    (Rot::BitFlip, Spoiled::Snapshot) => "18 a bit of a snapshot flips",
                    (Rot::Misdirected, _) => "18 a write went elsewhere",
                    (Rot::Stale, _) => "18 a sector is stale",
                });
            }
            pause(down_ms).await;
            world.restart(node);
        }
        Fault::Wipe { node } => {
            let Some(node) = up(world, node).filter(|node| world.may_lose(*node)) else {
                return;
            };
            tally.count("22 an empty disk, and a new node id");
            world.kill(node, true);
            world.retire(node, Why::Wiped);
        }
        Fault::SyncError {
            node,
            power_after_ms,
        } => {
            let Some(node) = up(world, node) else { return };
            world.disk(node).fail_next_sync();
            let Some(after_ms) = power_after_ms else {
                return;
            };
            pause(after_ms).await;
            tally.count("19 a sync fails, and then power");
            down_and_up(world, node, CrashMode::LoseUnsynced, 500).await;
        }
        Fault::Unsynced {
            node,
            file,
            for_ms,
            down_ms,
        } => {
            let Some(node) = up(world, node) else { return };
            tally.count("16 power fails after a while without a sync");
            aimed::unsynced(world, node, file, for_ms).await;
            down_and_up(world, node, CrashMode::LoseUnsynced, down_ms).await;
        }
        Fault::VoteCut { group, down_ms } => aimed::vote_cut(world, group, down_ms).await,
        Fault::LeadAhead {
            group,
            node,
            by_ms,
            for_ms,
        } => aimed::lead_ahead(world, group, node, by_ms, for_ms).await,
        Fault::Hush {
            first,
            second,
            for_ms,
            later_ms,
        } => {
            tally.count("12 commands to a leader are lost for long");
            let hush = |group, after_ms| async move {
                pause(after_ms).await;
                world.faults.change(|rates| rates.hushed.push(group));
                pause(for_ms).await;
                world.faults.change(|rates| {
                    if let Some(at) = rates.hushed.iter().position(|one| *one == group) {
                        rates.hushed.remove(at);
                    }
                });
            };
            join(hush(first, 0), hush(second, later_ms)).await;
        }
        Fault::LateTwins {
            percent,
            late_ms,
            for_ms,
        } => {
            world
                .faults
                .change(|rates| rates.twins = (percent, late_ms));
            pause(for_ms).await;
            world.faults.change(|rates| rates.twins = (0, 0));
        }
        Fault::DiskFull { node, for_ms } => {
            let Some(node) = up(world, node) else { return };
            // Of the length, so that older plans draw what they drew.
            let all = for_ms % 4 == 0;
            let left = [2_000, 20_000, 300_000][for_ms as usize % 3];
            let full: Vec<usize> = match all {
                true => world.members(),
                false => vec![node],
            };
            tally.count(match all {
                true => "20 no disk has room left",
                false => "20 a disk has no room left",
            });
            for node in &full {
                let disk = world.disk(*node);
                disk.set_quota(Some(disk.used_bytes() + left));
            }
            pause(for_ms).await;
            for node in full {
                if let Some(alive) = world.alive(node)
                    && alive.node.health().room().level() > Level::Ample
                {
                    tally.count("20 a node says that its disk is full");
                }
                world.disk(node).set_quota(None);
            }
        }
        Fault::Stall { node, for_ms } => {
            let Some(node) = up(world, node) else { return };
            tally.count("21 a disk stands still");
            world.stall(node, None, for_ms);
            pause(for_ms).await;
        }
        Fault::ClockJump {
            node,
            by_ms,
            for_ms,
        } => {
            let Some(node) = known(world, node) else {
                return;
            };
            tally.count(match by_ms > 0 {
                true => "26 a clock leaps ahead",
                false => "26 a clock leaps back",
            });
            world.shift_clock(node, by_ms);
            pause(for_ms).await;
            world.shift_clock(node, -by_ms);
        }
        Fault::Replace { node } => {
            let Some(node) = up(world, node).filter(|node| world.may_lose(*node)) else {
                return;
            };
            world.retire(node, Why::Replaced);
        }
        Fault::MoveLeader { group, to } => {
            let Some(leader) = up(world, Target::Leader(group)) else {
                return;
            };
            let Some(alive) = world.alive(leader).filter(|_| leader != to) else {
                return;
            };
            let node = alive.node.clone();
            let moving = async move { node.move_leader(group, to as u64 + 1).await };
            let moved = alive.does(moving).await;
            history.note(&format!("nemesis: moved: {moved:?}"));
            if moved.is_some_and(|moved| moved.is_ok()) {
                tally.count("28 a leader hands over");
            }
        }
        Fault::Stand { group, node } => {
            let Some(alive) = world.alive(node) else {
                return;
            };
            if alive.node.stand(group).await.is_ok() {
                tally.count("28 a node stands for election without need");
            }
        }
        Fault::Compact { group, node } => {
            let Some(alive) = up(world, node).and_then(|node| world.alive(node)) else {
                return;
            };
            if alive.node.build_snapshot(group).await.is_ok() {
                tally.count("29 a snapshot is built now");
            }
            pause(500).await;
            if alive.node.purge(group).await.is_ok() {
                tally.count("29 the log is purged up to its snapshot");
            }
        }
        Fault::Burst { node, requests } => {
            let Some(node) = up(world, node) else { return };
            let (sent, shed) = world.burst(node, requests).await;
            history.note(&format!("nemesis: {shed} of {sent} shed"));
            if sent > 0 {
                tally.count("33 a burst of requests");
                tally.count_many("33 a request is shed", shed);
            }
        }
    }
}

async fn kill_many(world: &World, nodes: Vec<usize>, power: bool, down_ms: u64) {
    for node in &nodes {
        if !world.is_down(*node) {
            world.kill(*node, power);
        }
    }
    pause(down_ms).await;
    for node in nodes {
        world.restart(node);
    }
}

/// Power fails in the middle of many writes: while one sync takes its time others queue up, and
/// what they wrote at once is torn. Then it fails a few times more, before much has been written
/// over what is left of that.
async fn torn(world: &World, node: usize, every_ms: u64) {
    pause(every_ms / 2).await;
    world.stall(node, None, every_ms);
    pause(every_ms / 2).await;
    world.let_one_sync_pass(node);
    pause(125).await;
    for life_ms in [every_ms / 10, every_ms / 6, every_ms / 4, every_ms / 3] {
        down_and_up(world, node, CrashMode::KeepSubset, 20).await;
        pause(life_ms).await;
    }
}

/// A node's power fails for a while, if it is up.
pub(super) async fn down_and_up(world: &World, node: usize, mode: CrashMode, down_ms: u64) {
    if !world.is_down(node) {
        world.crash(node, mode);
    }
    world.unstall(node);
    pause(down_ms).await;
    world.restart(node);
}

/// Cuts links for a while.
async fn hold(world: &World, links: Vec<(usize, usize)>, for_ms: u64) {
    world.wires.cut(&links);
    pause(for_ms).await;
    world.wires.mend(&links);
}

fn both_ways(left: &[usize], right: &[usize]) -> Vec<(usize, usize)> {
    let pair = |from: usize| move |to: &usize| [(from, *to), (*to, from)];
    let pairs = left.iter().flat_map(|from| right.iter().map(pair(*from)));
    pairs.flatten().collect()
}

fn known(world: &World, target: Target) -> Option<usize> {
    match target {
        Target::Leader(group) => world.leader(group),
        Target::Node(node) => Some(node),
    }
}

pub(super) fn up(world: &World, target: Target) -> Option<usize> {
    known(world, target).filter(|node| !world.is_down(*node))
}
