//! A node whose disk is lost is replaced by a new one: how long until all that it had is back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Error;
use super::event::{create, first_hold, reserve, seats, seats_per_row, unexpected};
use super::figures::Replacement;
use crate::audit_client::fetch;
use crate::demo::children::Cluster;
use crate::demo::door::Doors;
use crate::demo::measure::millis;
use crate::demo::{opening, scale};
use crate::dice::secret_hex;
use crate::http_client::bearer;
use crate::node::admin::NodeView;
use crate::progress::Progress;

const ROWS: u32 = 20;
const SEATS_PER_ORDER: u32 = 10;
const BUYERS: u32 = 32;
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Holds `seats` seats, kills the last node, removes its directory, and lets a new one take its
/// place.
pub(super) async fn measure(
    cluster: &mut Cluster,
    seats: u32,
    progress: &Progress,
) -> Result<Replacement, Error> {
    let seats = hold_all(&cluster.doors(), seats).await?;
    progress.say(&format!("{seats} seats are held"));
    let lost = cluster.nodes.len() - 1;
    let lost_id = cluster.nodes[lost].id;
    cluster.kill_node(lost);
    std::fs::remove_dir_all(&cluster.nodes[lost].dir).map_err(Error::Disk)?;
    cluster.nodes[lost].retired = true;
    progress.say(&format!("node {lost_id} and its disk are lost"));
    let start = Instant::now();
    let new = cluster.add_node().await?;
    await_same_state(cluster, new).await?;
    let state_ms = millis(start.elapsed());
    progress.say(&format!("all state is back after {state_ms} ms"));
    let new_id = cluster.nodes[new].id;
    let lost = format!("/admin/members/{lost_id}");
    scale::ask(cluster, "DELETE", &lost, &json!({})).await?;
    scale::await_settled(cluster, "to replace", |seen| {
        let voter = |node: &NodeView| node.id == new_id && node.votes == seen.groups.len();
        seen.gone.contains(&lost_id) && seen.nodes.iter().any(voter)
    })
    .await?;
    Ok(Replacement {
        seats,
        state_ms,
        votes_ms: millis(start.elapsed()) - state_ms,
    })
}

/// Holds all seats of a new event.
pub(crate) async fn hold_all(doors: &[SocketAddr], wanted: u32) -> Result<u32, Error> {
    let sections = wanted.div_ceil(ROWS * seats_per_row());
    let event = create(doors, sections, ROWS).await?;
    let held = Arc::new(AtomicU32::new(0));
    let next = Arc::new(AtomicU32::new(0));
    let mut buyers = Vec::new();
    for number in 0..BUYERS {
        let doors = Doors::new(doors, 1);
        let token = opening::token(&doors, &format!("holder-{number}"), "buyer").await?;
        let (bearer, event) = (bearer(&token), event.clone());
        let (held, next) = (held.clone(), next.clone());
        buyers.push(tokio::spawn(async move {
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                let from = block % (seats_per_row() / SEATS_PER_ORDER) * SEATS_PER_ORDER;
                let row = block / (seats_per_row() / SEATS_PER_ORDER);
                if row / ROWS >= sections {
                    return Ok(());
                }
                let seats = seats(row / ROWS, row % ROWS, SEATS_PER_ORDER, from);
                let count = seats.len() as u32;
                let body = json!({"event_id": event, "seat_ids": seats}).to_string();
                let headers = format!("{bearer}Idempotency-Key: {}\r\n", secret_hex(8));
                let answer = match block {
                    0..BUYERS => first_hold(&doors, &headers, body.as_bytes()).await?,
                    _ => reserve(&doors, &headers, body.as_bytes()).await?,
                };
                if answer.status != 201 {
                    return Err(unexpected("a hold", &answer));
                }
                held.fetch_add(count, Ordering::Relaxed);
            }
        }));
    }
    for buyer in buyers {
        match buyer.await {
            Ok(done) => done?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    Ok(held.load(Ordering::Relaxed))
}

/// Until the new node's state is what the others' is, shard by shard.
async fn await_same_state(cluster: &Cluster, new: usize) -> Result<(), Error> {
    let start = Instant::now();
    let other = cluster.members().next().expect("a cluster has nodes").admin;
    loop {
        let (old, new) = (
            fetch::digests(other),
            fetch::digests(cluster.nodes[new].admin),
        );
        if let (Ok(old), Ok(new)) = tokio::join!(old, new)
            && !old.is_empty()
            && old == new
        {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            return Err(Error::Late {
                what: "the new node has the state of the others".to_owned(),
                seconds: PATIENCE.as_secs(),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
