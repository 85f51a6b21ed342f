//! People: what it costs that they join, look and stay connected.

use std::time::Duration;

use super::account::Account;
use super::figures::{Connections, Joins};
use super::{Error, Figures, Plan, cluster};
use crate::demo::children::Cluster;
use crate::http_client::{Connection, Request};
use crate::loadgen::crowd::{Line, Read};
use crate::progress::Progress;

const NODES: u64 = 3;
const SHARDS: u16 = 8;
/// Who ask at the same time.
const CLIENTS: usize = 64;
/// The lobby of those who join stays closed for so long: nobody sees it open.
const A_DAY: Duration = Duration::from_secs(86_400);
/// The lobby of those who look opens soon.
const SOON: Duration = Duration::from_secs(2);
const SETTLE: Duration = Duration::from_secs(3);
const DEADLINE: Duration = Duration::from_secs(30);

pub(super) async fn measure(
    plan: &Plan,
    figures: &mut Figures,
    progress: &Progress,
) -> Result<(), Error> {
    let (cluster, _) = cluster(plan, NODES, SHARDS).await?;
    let (doors, pids) = (cluster.doors(), cluster.node_pids());
    tokio::time::sleep(SETTLE).await;

    let line = Line::new("usher", &doors, &pids, A_DAY).await?;
    let people = line.people(plan.people).await?;
    tokio::time::sleep(SETTLE).await;
    let before = Account::of(&cluster).await?;
    let row = line.join(&people, CLIENTS).await?;
    tokio::time::sleep(SETTLE).await;
    let spent = Account::of(&cluster).await?.since(&before);
    let count = people.len() as f64;
    let joins = Joins {
        people: people.len(),
        joins_per_entry: count / spent.entries.max(1.0),
        log_bytes: spent.log_bytes / spent.nodes / count,
        rss_bytes: spent.rss_bytes / spent.nodes / count,
        row,
    };
    progress.say(&format!(
        "{} people joined, {:.0} a second, {:.0} µs of CPU each",
        joins.people, joins.row.requests_per_s, joins.row.server_cpu_us
    ));
    figures.joins = Some(joins);

    let line = Line::new("usher", &doors, &pids, SOON).await?;
    let mut tokens = Vec::new();
    for bearer in people.iter().take(CLIENTS) {
        tokens.push(line.token(bearer).await?);
    }
    line.await_draw().await?;
    for what in Read::ALL {
        let row = line.read(what, &tokens, CLIENTS, plan.time).await?;
        progress.say(&format!(
            "{}: {:.0} a second, {:.0} µs of CPU each",
            row.mode, row.requests_per_s, row.server_cpu_us
        ));
        figures.reads.push(row);
    }
    figures.connections = Some(connections(&cluster, plan).await?);
    cluster.stop().await;
    Ok(())
}

/// Opens them to the first node, each with one request, and leaves them open.
async fn connections(cluster: &Cluster, plan: &Plan) -> Result<Connections, Error> {
    let node = cluster.nodes[0].http;
    let before = Account::of(cluster).await?;
    let mut open = Vec::new();
    for _ in 0..plan.connections {
        let mut connection = Connection::new(node);
        connection.call(&Request::get("/livez"), DEADLINE).await?;
        open.push(connection);
    }
    tokio::time::sleep(SETTLE).await;
    let opened = Account::of(cluster).await?;
    tokio::time::sleep(plan.time).await;
    let later = Account::of(cluster).await?;
    // The other nodes have none of them, and do what they did before.
    let grown = opened.since(&before).rss_bytes.max(0.0);
    let idle = later.since(&opened);
    let count = open.len();
    Ok(Connections {
        count,
        rss_bytes: grown / count.max(1) as f64,
        cpu_percent: idle.cpu_s / idle.nodes / idle.seconds * 100.0,
    })
}
