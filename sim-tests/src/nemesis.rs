//! The disasters of a run: planned from the seed ([`draw`]), carried out while people buy
//! ([`strike`]; those that take several steps in [`aimed`]).

mod aimed;
mod draw;
mod strike;

pub(crate) use draw::LEAD_AHEAD_MS_MAX;

use std::sync::Arc;
use std::time::Duration;

use crate::fault::Blow;
use crate::history::History;
use crate::scenario::Scenario;
use crate::seed::Stream;
use crate::world::World;

/// What a scenario has in store.
pub fn plan(scenario: &Scenario) -> Vec<Blow> {
    let chance = Stream::new(scenario.seed, "nemesis");
    let mut blows: Vec<Blow> = (0..scenario.disasters)
        .filter(|_| !scenario.kinds.is_empty())
        .map(|_| {
            let kind = scenario.kinds[chance.below(scenario.kinds.len() as u64) as usize];
            Blow {
                at_ms: chance.between(1_500, scenario.lasts_ms.max(2_000)),
                fault: draw::fault(kind, scenario, &chance),
            }
        })
        .collect();
    let chance = Stream::new(scenario.seed, "aimed blows");
    for kind in &scenario.aimed {
        blows.extend((0..chance.between(1, 2)).map(|_| Blow {
            at_ms: chance.between(3_000, scenario.lasts_ms.max(4_000)),
            fault: draw::fault(*kind, scenario, &chance),
        }));
    }
    blows.sort_by_key(|blow| blow.at_ms);
    blows
}

/// Does to the world what its plan says; each blow at its time, also when an earlier one still
/// lasts.
pub async fn run(world: Arc<World>, history: Arc<History>, blows: Vec<Blow>) {
    let strikes: Vec<_> = blows
        .into_iter()
        .map(|blow| {
            let (world, history) = (world.clone(), history.clone());
            tokio::spawn(async move {
                pause(blow.at_ms).await;
                history.note(&format!("nemesis: {:?}", blow.fault));
                strike::strike(&world, &history, blow.fault).await;
                history.note("nemesis: over");
            })
        })
        .collect();
    for strike in strikes {
        strike
            .await
            .expect("a blow panics only on a bug of the simulator");
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
