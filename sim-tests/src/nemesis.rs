//! The disasters of a run: a schedule that follows from the seed, carried out while people buy.

use std::sync::Arc;
use std::time::Duration;

use crate::history::History;
use crate::scenario::Disaster;
use crate::seed::Stream;
use crate::world::{NODES, World};

/// Does to the world what its scenario says.
pub async fn run(world: Arc<World>, history: Arc<History>) {
    let chance = Stream::new(world.scenario.seed, "nemesis");
    for _ in 0..world.scenario.disasters {
        pause(&chance, 1_500, 8_000).await;
        let kind = match world.scenario.disaster {
            Disaster::None => return,
            Disaster::Everything => [
                Disaster::LeaderKills,
                Disaster::PowerCuts,
                Disaster::Partitions,
            ][chance.below(3) as usize],
            kind => kind,
        };
        match kind {
            Disaster::LeaderKills => kill_leader(&world, &history, &chance).await,
            Disaster::PowerCuts => cut_power(&world, &history, &chance).await,
            Disaster::Partitions => partition(&world, &history, &chance).await,
            Disaster::None | Disaster::Everything => {}
        }
    }
}

async fn pause(chance: &Stream, low_ms: u64, high_ms: u64) {
    tokio::time::sleep(Duration::from_millis(chance.between(low_ms, high_ms))).await;
}

async fn kill_leader(world: &World, history: &History, chance: &Stream) {
    let group = chance.below(u64::from(world.scenario.shards) + 1) as u32;
    let Some(node) = world.leader(group) else {
        return;
    };
    if world.is_down(node) {
        return;
    }
    let power = chance.percent(50);
    history.note(&format!(
        "nemesis: node {} dies (leader of {group}, power {power})",
        node + 1
    ));
    world.kill(node, power);
    pause(chance, 100, 5_000).await;
    history.note(&format!("nemesis: node {} starts", node + 1));
    world.restart(node);
}

async fn cut_power(world: &World, history: &History, chance: &Stream) {
    history.note("nemesis: all nodes lose power");
    for node in 0..NODES {
        if !world.is_down(node) {
            world.kill(node, true);
        }
    }
    pause(chance, 100, 4_000).await;
    for node in 0..NODES {
        world.restart(node);
        pause(chance, 0, 300).await;
    }
    history.note("nemesis: all nodes start");
}

async fn partition(world: &World, history: &History, chance: &Stream) {
    let group = chance.below(u64::from(world.scenario.shards) + 1) as u32;
    let node = match chance.percent(60) {
        true => world.leader(group).unwrap_or(0),
        false => chance.below(NODES as u64) as usize,
    };
    history.note(&format!("nemesis: node {} is cut off", node + 1));
    world.cut_off(node, true);
    pause(chance, 500, 8_000).await;
    world.cut_off(node, false);
    history.note(&format!("nemesis: node {} is back", node + 1));
}
