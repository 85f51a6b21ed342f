//! What is done to the nodes while the writers write.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Error;
use super::writers::Writers;
use crate::demo::board;
use crate::demo::children::Cluster;
use crate::demo::measure::millis;
use crate::http_client::{Connection, Request};

const BACK_PATIENCE: Duration = Duration::from_secs(60);
const MOVE_PATIENCE: Duration = Duration::from_secs(20);
/// After each: what is caused late belongs to it, and the next one finds everybody well.
const CALM: Duration = Duration::from_millis(700);
/// Answers that show that a shard is back, not only answering what was under way.
const ANSWERS: usize = 4;

/// Kills the node that leads most of the shards with SIGKILL; the longest pause of any of them, in
/// ms. When it is back and ready, this returns.
pub(super) async fn kill_leader(cluster: &mut Cluster, writers: &Writers) -> Result<u64, Error> {
    let leaders = leaders(cluster, writers).await?;
    let victim = (0..cluster.nodes.len())
        .filter(|index| cluster.nodes[*index].pid().is_some())
        .max_by_key(|index| led(&leaders, cluster.nodes[*index].id).len())
        .expect("a cluster has nodes");
    let groups = led(&leaders, cluster.nodes[victim].id);
    let at = Instant::now();
    cluster.kill_node(victim);
    writers.await_answers(&groups, ANSWERS).await?;
    tokio::time::sleep(CALM).await;
    let pause = longest(writers, &groups, at);
    cluster.start_node(victim)?;
    cluster
        .await_probe(victim, "/readyz", "ready again", BACK_PATIENCE)
        .await?;
    tokio::time::sleep(CALM).await;
    Ok(pause)
}

/// Asks the leader of one shard to hand over to another node; the shard's longest pause, in ms.
/// Takes the shards and the nodes in turn.
pub(super) async fn move_leader(
    cluster: &Cluster,
    writers: &Writers,
    turn: usize,
) -> Result<u64, Error> {
    let leaders = leaders(cluster, writers).await?;
    let (group, leader) = leaders
        .into_iter()
        .nth(turn % writers.groups().count())
        .expect("every shard has a leader");
    let others: Vec<u64> = cluster.members().map(|node| node.id).collect();
    let place = others.iter().position(|id| *id == leader).unwrap_or(0);
    let to = others[(place + 1) % others.len()];
    let at = Instant::now();
    ask_to_lead(cluster, group, to).await?;
    while board::leaders(&cluster.admins()).await.get(&group) != Some(&to) {
        if at.elapsed() > MOVE_PATIENCE {
            return Err(Error::Late {
                what: format!("node {to} leads group {group}"),
                seconds: MOVE_PATIENCE.as_secs(),
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    writers.await_answers(&[group], ANSWERS).await?;
    tokio::time::sleep(CALM).await;
    Ok(longest(writers, &[group], at))
}

async fn ask_to_lead(cluster: &Cluster, group: u32, to: u64) -> Result<(), Error> {
    let start = Instant::now();
    loop {
        let body = json!({"group": group, "to": to}).to_string();
        let request = Request::post("/admin/move-leader", body.as_bytes());
        let mut node = Connection::new(cluster.admins()[0]);
        let last = match node.call(&request, MOVE_PATIENCE).await {
            Ok(reply) if reply.status == 200 => return Ok(()),
            Ok(reply) => String::from_utf8_lossy(reply.body).into_owned(),
            Err(error) => error.to_string(),
        };
        if start.elapsed() > MOVE_PATIENCE {
            return Err(Error::Late {
                what: format!("group {group} is handed over to node {to} ({last})"),
                seconds: MOVE_PATIENCE.as_secs(),
            });
        }
        tokio::time::sleep(CALM).await;
    }
}

/// Who leads each shard that is written to; waits until all are led.
async fn leaders(cluster: &Cluster, writers: &Writers) -> Result<BTreeMap<u32, u64>, Error> {
    let start = Instant::now();
    loop {
        let mut leaders = board::leaders(&cluster.admins()).await;
        leaders.retain(|group, _| writers.groups().any(|written| written == *group));
        if leaders.len() == writers.groups().count() {
            return Ok(leaders);
        }
        if start.elapsed() > BACK_PATIENCE {
            return Err(Error::Late {
                what: "every shard has a leader".to_owned(),
                seconds: BACK_PATIENCE.as_secs(),
            });
        }
        tokio::time::sleep(CALM).await;
    }
}

fn led(leaders: &BTreeMap<u32, u64>, node: u64) -> Vec<u32> {
    let led = leaders.iter().filter(|(_, leader)| **leader == node);
    led.map(|(group, _)| *group).collect()
}

fn longest(writers: &Writers, groups: &[u32], from: Instant) -> u64 {
    let now = Instant::now();
    let pauses = groups
        .iter()
        .map(|group| millis(writers.longest(*group, from, now)));
    pauses.max().unwrap_or(0)
}
