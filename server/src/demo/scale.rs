//! Growing and shrinking the cluster while it sells, as an operator would: nodes join one after the
//! other, voters and leaders are spread over them, and an old node is drained, removed and stopped.
//!
//! Before all that the sale runs undisturbed for a while, so that what the moves cost its buyers can
//! be told.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::board::Board;
use super::books::Books;
use super::children::{Cluster, Error as ClusterError};
use super::measure::{longest_gap, millis, nearest_rank};
use super::sale::Sale;
use crate::audit_client::fetch;
use crate::http_client::{Connection, Request};
use crate::node::admin::MembersView;
use crate::progress::Progress;

/// The sale runs so long by itself first.
const QUIET: Duration = Duration::from_secs(10);
/// How long one change of the members may take.
const SETTLE_PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(10);
/// Estimates, for the pace of the sale.
const SECONDS_QUIET: u64 = 12;
const SECONDS_EACH: u64 = 12;

/// A change did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A process did not do what it should.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An operator's request was not granted.
    #[error("{what}: {said}")]
    Refused {
        /// Which.
        what: String,
        /// What the node said.
        said: String,
    },
    /// It takes too long.
    #[error("{what} is not done after {seconds} s: {left}")]
    Late {
        /// What.
        what: String,
        /// How long was waited.
        seconds: u64,
        /// What is left to do, and what is in the way.
        left: String,
    },
}

/// When what was done.
#[derive(Clone, Debug)]
pub struct Moves {
    /// The sale runs undisturbed from here on, ...
    quiet: Instant,
    /// ... is disturbed from here on, ...
    begin: Instant,
    /// ... and is not any more.
    end: Instant,
    done: Vec<(Instant, String)>,
}

/// What the moves cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// From the first node that joined to the last that was stopped.
    pub seconds: f64,
    /// Of reservations before: the slowest hundredth begins here.
    pub quiet_p99_ms: f64,
    /// Of reservations meanwhile.
    pub moving_p99_ms: f64,
    /// Reservations answered before and meanwhile.
    pub reserves: (usize, usize),
    /// Longest time without a grant before.
    pub quiet_pause_ms: u64,
    /// Longest time without a grant meanwhile.
    pub longest_pause_ms: u64,
    /// What was done, each with the seconds since the first of it.
    pub done: Vec<(f64, String)>,
}

/// For how long stock has to last.
pub fn seconds(more: u64) -> u64 {
    SECONDS_QUIET + SECONDS_EACH * (more + 3)
}

/// Brings the cluster to `to` nodes, takes the first one away, and says when what happened.
pub async fn scale(
    cluster: &mut Cluster,
    sale: &Sale,
    board: &Board,
    to: u64,
    progress: &Progress,
) -> Result<Moves, Error> {
    let mut moves = Moves::after_quiet(sale).await;
    while (cluster.nodes.len() as u64) < to {
        let index = cluster.add_node().await?;
        let node = &cluster.nodes[index];
        let id = node.id;
        board.add(node.http, node.admin);
        await_settled(cluster, "to join", |seen| {
            let all = seen.groups.len();
            seen.nodes
                .iter()
                .any(|node| node.id == id && node.replicas == all)
        })
        .await?;
        sale.doors.open(cluster.nodes[index].http);
        moves.note(progress, format!("node {id} has joined"));
    }
    ask(cluster, "POST", "/admin/rebalance", &json!({})).await?;
    await_settled(cluster, "to rebalance", |_| true).await?;
    moves.note(progress, "voters and leaders are spread".to_owned());

    let leaver = cluster.nodes[0].id;
    let path = format!("/admin/members/{leaver}");
    ask(cluster, "POST", &format!("{path}/drain"), &json!({})).await?;
    await_settled(cluster, "to drain", |seen| {
        let drained = |node: &crate::node::admin::NodeView| node.votes == 0 && node.leads == 0;
        seen.nodes
            .iter()
            .any(|node| node.id == leaver && drained(node))
    })
    .await?;
    moves.note(progress, format!("node {leaver} is drained"));
    // As a load balancer does whose probe says 503.
    sale.doors.close(0);
    ask(cluster, "DELETE", &path, &json!({})).await?;
    await_settled(cluster, "to remove", |seen| seen.gone.contains(&leaver)).await?;
    moves.note(progress, format!("node {leaver} is in no group any more"));
    cluster.retire_node(0).await?;
    board.set_up(0, false);
    moves.note(progress, format!("node {leaver} has stopped"));
    moves.end();
    Ok(moves)
}

/// Asks the newest node, which stays.
pub async fn ask(
    cluster: &Cluster,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> Result<(), Error> {
    let node = cluster.nodes.last().expect("a cluster has nodes");
    ask_at(node.admin, method, path, body).await
}

/// Asks a node by its address for operators.
pub async fn ask_at(
    admin: SocketAddr,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> Result<(), Error> {
    let refused = |said: String| Error::Refused {
        what: format!("{method} {path}"),
        said,
    };
    let body = body.to_string();
    let request = Request {
        method,
        ..Request::post(path, body.as_bytes())
    };
    let mut connection = Connection::new(admin);
    match connection.call(&request, DEADLINE).await {
        Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
        Ok(reply) => Err(refused(format!(
            "{} {}",
            reply.status,
            String::from_utf8_lossy(reply.body)
        ))),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Until nothing is left to do and it is `so`.
pub async fn await_settled(
    cluster: &Cluster,
    what: &str,
    so: impl Fn(&MembersView) -> bool,
) -> Result<(), Error> {
    let start = Instant::now();
    let mut left = "no answer".to_owned();
    while start.elapsed() < SETTLE_PATIENCE {
        let node = cluster.nodes.last().expect("a cluster has nodes");
        let seen: Result<MembersView, _> =
            fetch::json(node.admin, "/admin/members", DEADLINE).await;
        match seen {
            Ok(seen) if seen.settled && so(&seen) => return Ok(()),
            Ok(seen) => {
                let blocked = seen.blocked.iter().map(|blocked| blocked.reason.clone());
                let all: Vec<_> = seen.steps.iter().cloned().chain(blocked).collect();
                left = all.join("; ");
            }
            Err(error) => left = error.to_string(),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Error::Late {
        what: what.to_owned(),
        seconds: SETTLE_PATIENCE.as_secs(),
        left,
    })
}

impl Moves {
    /// Waits until something is sold, and a while longer in which nothing is done.
    pub(super) async fn after_quiet(sale: &Sale) -> Self {
        sale.until(|sale| sale.counts().sold > 0).await;
        let quiet = Instant::now();
        tokio::time::sleep(QUIET).await;
        Self {
            quiet,
            begin: Instant::now(),
            end: quiet,
            done: Vec::new(),
        }
    }

    /// Nothing is done any more from now on.
    pub(super) fn end(&mut self) {
        self.end = Instant::now();
    }

    pub(super) fn note(&mut self, progress: &Progress, what: String) {
        progress.say(&format!(
            "{what}, {:.1} s",
            self.begin.elapsed().as_secs_f64()
        ));
        self.done.push((Instant::now(), what));
    }

    /// What they cost, by the buyers' own record.
    pub fn cost(&self, books: &Books) -> Scaling {
        let since = |at: Instant| ((at - self.begin).as_secs_f64() * 10.0).round() / 10.0;
        let before = waits(&books.reserves, self.quiet, self.begin);
        let during = waits(&books.reserves, self.begin, self.end);
        Scaling {
            seconds: since(self.end),
            quiet_p99_ms: p99_ms(&before),
            moving_p99_ms: p99_ms(&during),
            reserves: (before.len(), during.len()),
            quiet_pause_ms: millis(longest_gap(&books.grants, self.quiet, self.begin)),
            longest_pause_ms: millis(longest_gap(&books.grants, self.begin, self.end)),
            done: self
                .done
                .iter()
                .map(|(at, what)| (since(*at), what.clone()))
                .collect(),
        }
    }
}

impl Scaling {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .done
            .iter()
            .map(|(at, what)| format!("{at:>6} s  {what}"))
            .collect();
        lines.push(format!(
            "reserve p99 {} ms before ({}), {} ms meanwhile ({}); longest pause {} ms before, {} ms meanwhile",
            self.quiet_p99_ms,
            self.reserves.0,
            self.moving_p99_ms,
            self.reserves.1,
            self.quiet_pause_ms,
            self.longest_pause_ms
        ));
        lines
    }
}

fn waits(reserves: &[(Instant, u32)], from: Instant, to: Instant) -> Vec<u32> {
    let inside = reserves.iter().filter(|(at, _)| (from..to).contains(at));
    let mut waits: Vec<u32> = inside.map(|(_, micros)| *micros).collect();
    waits.sort_unstable();
    waits
}

fn p99_ms(sorted_micros: &[u32]) -> f64 {
    let micros = nearest_rank(sorted_micros, 99).unwrap_or(0);
    (f64::from(micros) / 10.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_cost_is_told_from_what_happened_meanwhile_alone() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut books = Books::default();
        for ms in 0..1_000 {
            books.grants.push(at(ms));
            books.reserves.push((at(ms), 1_000));
        }
        // Meanwhile: a pause of 250 ms, and two of a hundred that took 9 ms.
        for ms in (1_000..1_400).chain(1_650..2_000) {
            books.grants.push(at(ms));
            let slow = ms % 50 == 0;
            books
                .reserves
                .push((at(ms), if slow { 9_000 } else { 1_500 }));
        }
        books.reserves.push((at(2_500), 999_999));
        let moves = Moves {
            quiet: at(0),
            begin: at(1_000),
            end: at(2_000),
            done: vec![(at(1_500), "something".to_owned())],
        };
        let cost = moves.cost(&books);
        assert_eq!((cost.quiet_p99_ms, cost.moving_p99_ms), (1.0, 9.0));
        assert_eq!((cost.quiet_pause_ms, cost.longest_pause_ms), (1, 251));
        assert_eq!(cost.reserves, (1_000, 750));
        assert_eq!(cost.done, [(0.5, "something".to_owned())]);
        assert_eq!(p99_ms(&[]), 0.0);
    }
}
