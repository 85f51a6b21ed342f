//! Whoever upgrades the cluster node by node while people buy and things go wrong, and raises its
//! version at the end, as `usher cluster upgrade --finish` does. They try too early as well.
//!
//! A node of the release before is this one with the older one's vocabulary: it supports the oldest
//! cluster version, tells so, and stops at words of a newer one. One that has to stop was betrayed:
//! `upgrades_are_safe`.

use std::sync::Arc;
use std::time::Duration;

use cluster::version::{NEWEST, OLDEST};
use http::Request;
use http_body_util::Full;
use server::node::version::Survey;
use tokio::sync::oneshot;

use super::World;
use super::machine::Standing;
use crate::door::Door;
use crate::history::History;
use crate::seed::Stream;

/// How long a node may take to answer an operator before another one is asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(700);
/// A cluster without faults whose nodes all run the new release.
const RAISED_WITHIN: Duration = Duration::from_secs(60);
/// Whoever was granted something so long after the version was raised began after that.
const UNDER_WAY: Duration = Duration::from_secs(2 * PATIENCE.as_secs());

/// Upgrades every node at its time, and ends when the version is raised.
pub async fn keep(world: Arc<World>, history: Arc<History>) {
    let chance = Stream::new(world.scenario.entropy, "upgrader");
    let times = world.scenario.upgrades_ms.iter().copied();
    let mut times: Vec<(u64, usize)> = times.zip(0..).collect();
    times.sort_unstable();
    history.keep_off_record(!times.is_empty());
    let begin = world.elapsed();
    for (at_ms, node) in &times {
        let at = begin + Duration::from_millis(*at_ms);
        tokio::time::sleep(at.saturating_sub(world.elapsed())).await;
        if chance.percent(40) {
            let said = raise(&world, chance.below(64)).await;
            history.note(&format!("the version may be raised too early: {said:?}"));
        }
        if chance.percent(50) {
            stop_in_good_order(&world, *node).await;
        }
        upgrade(&world, *node);
        history.note(&format!("node {} runs the new release", node + 1));
    }
    if times.is_empty() {
        return;
    }
    loop {
        let said = raise(&world, chance.below(64)).await;
        history.note(&format!("the version is raised: {said:?}"));
        match said {
            Some(survey) if survey.version >= NEWEST => break,
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    world.tally.count("30 the version is raised for good");
    tokio::time::sleep(UNDER_WAY).await;
    history.keep_off_record(false);
}

/// When [`keep`], begun then, has to have ended. A short sale is over before the last node's turn has
/// come, and nobody can finish an upgrade before that (seed 422).
pub fn over_by(upgrades_ms: &[u64], begun: Duration, healed: Duration) -> Duration {
    let last = upgrades_ms.iter().max().copied().unwrap_or(0);
    healed.max(begun + Duration::from_millis(last)) + RAISED_WITHIN + UNDER_WAY
}

/// As SIGTERM does: it says that it leaves, hands over what it leads, and stops.
async fn stop_in_good_order(world: &World, node: usize) {
    let Some(alive) = world.alive(node) else {
        return;
    };
    let stopping = alive.node.clone();
    let stopped = alive.does(async move { stopping.shutdown().await }).await;
    if stopped.is_some() {
        world.tally.count("30 a node stops in good order");
    }
}

/// Starts a node again with the new release; one that is down is when it comes back.
fn upgrade(world: &World, node: usize) {
    let life = &world.machines[node].life;
    *world.lock(&life.supports) = NEWEST;
    if life.standing() == Standing::Up && !world.is_down(node) {
        world.kill(node, false);
        world.restart(node);
    }
    world
        .tally
        .count("30 a node of the release before is upgraded");
}

/// Asks somebody who runs to raise the version; what they found, if they did not refuse.
async fn raise(world: &World, at: u64) -> Option<Survey> {
    let alive = world.somebody(at)?;
    let request = Request::builder()
        .method("POST")
        .uri("/operator/admin/version");
    let request = request
        .body(Full::default())
        .expect("a well formed request");
    let (reply, answer) = oneshot::channel();
    alive.inbox.send((request, reply)).await.ok()?;
    let answer = tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()?;
    match answer.status {
        200 => serde_json::from_slice(&answer.body).ok(),
        _ => {
            world.tally.count("30 raising the version is refused");
            None
        }
    }
}

/// What each machine's release supports when it is switched on for the first time.
pub fn at_first(upgrades_ms: &[u64], node: usize) -> u16 {
    match upgrades_ms.get(node) {
        Some(_) => OLDEST,
        None => NEWEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seed 422 had sold out at 33 s, and its last node was to be upgraded at 86 s: the upgrade that
    /// was then done within a second was called stuck, 60 s after healing.
    #[test]
    fn an_upgrade_planned_for_long_after_the_sale_is_waited_for() {
        let second = Duration::from_secs;
        let by = over_by(&[41_000, 83_000], second(2), second(33));
        assert_eq!(by, second(85) + RAISED_WITHIN + UNDER_WAY);
        let by = over_by(&[41_000, 83_000], second(2), second(500));
        assert_eq!(by, second(500) + RAISED_WITHIN + UNDER_WAY);
    }
}
