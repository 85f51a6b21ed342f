//! The disasters of a run: planned from the seed, carried out while people buy.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::{Blow, Fault, Target};
use crate::history::History;
use crate::scenario::{Disaster, Scenario};
use crate::seed::Stream;
use crate::world::{NODES, World};

/// What a scenario has in store.
pub fn plan(scenario: &Scenario) -> Vec<Blow> {
    let chance = Stream::new(scenario.seed, "nemesis");
    let mut at_ms = 0;
    let mut blows = Vec::new();
    for _ in 0..scenario.disasters {
        at_ms += chance.between(1_500, 8_000);
        let kind = match scenario.disaster {
            Disaster::None => break,
            Disaster::Everything => [
                Disaster::LeaderKills,
                Disaster::PowerCuts,
                Disaster::Partitions,
            ][chance.below(3) as usize],
            kind => kind,
        };
        let group = chance.below(u64::from(scenario.shards) + 1) as u32;
        let fault = match kind {
            Disaster::PowerCuts => Fault::PowerCut {
                down_ms: chance.between(100, 4_000),
            },
            Disaster::Partitions => Fault::CutOff {
                node: match chance.percent(60) {
                    true => Target::Leader(group),
                    false => Target::Node(chance.below(NODES as u64) as usize),
                },
                for_ms: chance.between(500, 8_000),
            },
            _ => Fault::Kill {
                node: Target::Leader(group),
                power: chance.percent(50),
                down_ms: chance.between(100, 5_000),
            },
        };
        blows.push(Blow { at_ms, fault });
    }
    blows
}

/// Does to the world what its plan says; each blow at its time, also when an earlier one still
/// lasts.
pub async fn run(world: Arc<World>, history: Arc<History>, blows: Vec<Blow>) {
    let strikes: Vec<_> = blows
        .into_iter()
        .map(|blow| tokio::spawn(strike(world.clone(), history.clone(), blow)))
        .collect();
    for strike in strikes {
        strike
            .await
            .expect("a blow panics only on a bug of the simulator");
    }
}

async fn strike(world: Arc<World>, history: Arc<History>, blow: Blow) {
    pause(blow.at_ms).await;
    history.note(&format!("nemesis: {:?}", blow.fault));
    match blow.fault {
        Fault::Kill {
            node,
            power,
            down_ms,
        } => {
            let Some(node) = find(&world, node).filter(|node| !world.is_down(*node)) else {
                return;
            };
            world.tally.count(match power {
                true => "16 what a node had not synced is lost or torn",
                false => "1 a node dies and comes back",
            });
            world.kill(node, power);
            pause(down_ms).await;
            world.restart(node);
        }
        Fault::PowerCut { down_ms } => {
            world.tally.count("2 all nodes lose power");
            for node in 0..NODES {
                if !world.is_down(node) {
                    world.kill(node, true);
                }
            }
            pause(down_ms).await;
            for node in 0..NODES {
                world.restart(node);
            }
        }
        Fault::CutOff { node, for_ms } => {
            let Some(node) = find(&world, node) else {
                return;
            };
            world.tally.count("7 a node is cut off");
            world.cut_off(node, true);
            pause(for_ms).await;
            world.cut_off(node, false);
        }
    }
    history.note("nemesis: over");
}

fn find(world: &World, target: Target) -> Option<usize> {
    match target {
        Target::Leader(group) => world.leader(group),
        Target::Node(node) => Some(node),
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
