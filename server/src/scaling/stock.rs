//! Seats: what an event costs by its size, and what a held seat costs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::account::{Account, bytes_below};
use super::figures::{Held, Stock};
use super::{Error, Figures, Plan, cluster, restart};
use crate::demo::children::Cluster;
use crate::demo::opening;
use crate::http_client::{Connection, Request};
use crate::pauses::replacement::hold_all;
use crate::progress::Progress;

const NODES: u64 = 3;
/// An event has its own shard for every 100,000 seats: the largest fills these.
const SHARDS: u16 = 64;
const SEATS_PER_ROW: u32 = 100;
const SECTION_SEATS_MAX: u32 = 50_000;
const DEADLINE: Duration = Duration::from_secs(60);
/// Until every shard has heard of an event, and memory does not move.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn measure(
    plan: &Plan,
    figures: &mut Figures,
    progress: &Progress,
) -> Result<(), Error> {
    for &seats in &plan.seats {
        let (mut cluster, _) = cluster(plan, NODES, SHARDS).await?;
        tokio::time::sleep(SETTLE).await;
        let stock = event(&mut cluster, seats).await?;
        progress.say(&format!(
            "an event of {seats} seats: made in {:.2} s, {:.1} bytes of memory a seat and node",
            stock.created_s, stock.rss_bytes_per_seat
        ));
        figures.stock.push(stock);
        cluster.stop().await;
    }
    if plan.held > 0 {
        let (mut cluster, _) = cluster(plan, NODES, 8).await?;
        tokio::time::sleep(SETTLE).await;
        let before = Account::of(&cluster).await?;
        let seats = hold_all(&cluster.doors(), plan.held).await?;
        tokio::time::sleep(SETTLE).await;
        let spent = Account::of(&cluster).await?.since(&before);
        let per_seat = |what: f64| what / spent.nodes / f64::from(seats.max(1));
        let held = Held {
            seats,
            rss_bytes_per_seat: per_seat(spent.rss_bytes),
            log_bytes_per_seat: per_seat(spent.log_bytes),
            restart_s: restart(&mut cluster, 0).await?,
        };
        progress.say(&format!(
            "{seats} seats held: {:.0} bytes of memory and {:.0} of log a seat and node",
            held.rss_bytes_per_seat, held.log_bytes_per_seat
        ));
        figures.held = Some(held);
        cluster.stop().await;
    }
    Ok(())
}

async fn event(cluster: &mut Cluster, seats: u32) -> Result<Stock, Error> {
    let before = Account::of(cluster).await?;
    let start = Instant::now();
    let made = opening::create(&cluster.doors(), &request(seats)).await?;
    let created_s = start.elapsed().as_secs_f64();
    let path = format!("/api/v1/events/{}", made.event);
    // The first look waits until this node has heard of it.
    let (page_ms, page_bytes) = look(cluster, &path).await?;
    tokio::time::sleep(SETTLE).await;
    let spent = Account::of(cluster).await?.since(&before);
    let (section_ms, section_bytes) = look(cluster, &format!("{path}/seats?section=S0")).await?;
    let per_seat = |what: f64| what / spent.nodes / f64::from(seats);
    Ok(Stock {
        seats,
        created_s,
        rss_bytes_per_seat: per_seat(spent.rss_bytes),
        log_bytes_per_seat: per_seat(spent.log_bytes),
        page_ms,
        page_bytes,
        section_ms,
        section_bytes,
        restart_s: restart(cluster, 0).await?,
        disk_mib: bytes_below(&cluster.nodes[0].dir)? as f64 / f64::from(1 << 20),
    })
}

fn request(seats: u32) -> Value {
    let sections = seats.div_ceil(SECTION_SEATS_MAX);
    let rows = (seats / sections / SEATS_PER_ROW).max(1);
    let section = |number: u32| json!({"name": format!("S{number}"), "rows": rows, "seats_per_row": SEATS_PER_ROW, "price": 1_000});
    let sections = (0..sections).map(section).collect();
    opening::open_already("A stock", "Bench", 600, (4, 65_535), sections)
}

/// How long an answer takes, in ms, and how many bytes it has.
async fn look(cluster: &Cluster, path: &str) -> Result<(f64, usize), Error> {
    let mut connection = Connection::new(cluster.nodes[0].http);
    let begin = Instant::now();
    loop {
        let start = Instant::now();
        let reply = connection.call(&Request::get(path), DEADLINE).await?;
        if reply.status == 200 {
            return Ok((start.elapsed().as_secs_f64() * 1e3, reply.body.len()));
        }
        if begin.elapsed() > DEADLINE {
            return Err(Error::Late(path.to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
