//! What a demo came to: for people and, as JSON, for scripts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::books::Books;
use super::chaos::Kill;
use super::children::{Cluster, NodeView};
use super::messages::Counts;
use super::scale::Scaling;
use crate::audit_client::{Findings, Promise};

/// The provider, for people and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderView {
    /// `http://IP:PORT`.
    pub url: String,
    /// Process id.
    pub pid: u32,
    /// Its ledger.
    pub ledger: PathBuf,
}

/// What runs where; written at once when the cluster is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Whereabouts {
    /// The nodes, by id.
    pub nodes: Vec<NodeView>,
    /// The payment provider.
    pub provider: ProviderView,
}

impl Whereabouts {
    /// Of a cluster.
    pub fn of(cluster: &Cluster) -> Self {
        let provider = ProviderView {
            url: format!("http://{}", cluster.provider.address),
            pid: cluster.provider.pid(),
            ledger: cluster.provider.ledger.clone(),
        };
        Self {
            nodes: cluster.views(),
            provider,
        }
    }
}

/// The figures of a demo.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// All places.
    pub seats: u64,
    /// Sold.
    pub sold: u64,
    /// Held at the end.
    pub held: u64,
    /// Free at the end.
    pub available: u64,
    /// Not for sale.
    pub blocked: u64,
    /// Whether nothing is left.
    pub sold_out: bool,
    /// Seats that two orders have.
    pub double_sold: u64,
    /// Orders paid.
    pub orders_paid: u64,
    /// Payments captured.
    pub charges: u64,
    /// Acknowledged answers that got lost.
    pub lost_acks: u64,
    /// Tickets whose signatures are good.
    pub tickets_verified: u64,
    /// Orders granted.
    pub orders_granted: u64,
    /// Reservations nobody answered.
    pub reserves_unanswered: u64,
    /// Groups whose replicas agree.
    pub groups_agreed: usize,
    /// Joins a second while the lobby filled.
    pub joins_per_s: f64,
    /// Reservations granted a second, from the first to the last.
    pub reserves_per_s: f64,
    /// Of answered reservations, repeats after failures included.
    pub p50_ms: f64,
    /// The slowest hundredth begins here.
    pub p99_ms: f64,
    /// The slowest thousandth begins here.
    pub p999_ms: f64,
    /// Leaders killed.
    pub failovers: usize,
    /// Longest pause on the reserve path around the kill of a leader.
    pub longest_pause_ms: u64,
    /// Pause around the kill of all nodes.
    pub restart_pause_ms: Option<u64>,
    /// Every kill.
    pub kills: Vec<Kill>,
    /// What growing and shrinking cost, if it was done.
    pub scaling: Option<Scaling>,
    /// From the first join to the last answer.
    pub seconds: f64,
    /// What was refused how often.
    pub refusals: BTreeMap<String, u64>,
    /// Whether each promise held.
    pub promises: BTreeMap<Promise, bool>,
    /// How promises were broken.
    pub faults: BTreeMap<Promise, Vec<String>>,
    /// What runs where.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
}

/// Rounded to two digits, for reading.
fn round(value: f64) -> f64 {
    if value.is_finite() {
        (value * 100.0).round() / 100.0
    } else {
        0.0
    }
}

fn rate(times: &[Instant]) -> f64 {
    match times {
        [first, .., last] => round((times.len() - 1) as f64 / (*last - *first).as_secs_f64()),
        _ => 0.0,
    }
}

impl Report {
    /// Puts the figures together. `lobby` people joined before the opening.
    pub fn assemble(
        counts: Counts,
        findings: &Findings,
        books: &Books,
        (kills, scaling, took, lobby): (Vec<Kill>, Option<Scaling>, Duration, usize),
        whereabouts: Whereabouts,
    ) -> Self {
        let quantile = |q: f64| round(books.reserve_micros.value_at_quantile(q) as f64 / 1e3);
        let of_leaders = kills.iter().filter(|kill| kill.node.is_some());
        let of_all = kills.iter().filter(|kill| kill.node.is_none());
        let promises = Promise::ALL.map(|promise| (promise, findings.held(promise)));
        let broken = Promise::ALL
            .into_iter()
            .filter(|&promise| !findings.held(promise));
        Self {
            seats: counts.capacity,
            sold: counts.sold,
            held: counts.held,
            available: counts.available,
            blocked: counts.blocked,
            sold_out: counts.available == 0 && counts.held == 0 && counts.sold > 0,
            double_sold: findings.double_sold,
            orders_paid: findings.orders_paid,
            charges: findings.charges,
            lost_acks: findings.lost_acks,
            tickets_verified: books.tickets_verified,
            orders_granted: books.entries().len() as u64,
            reserves_unanswered: books.reserves_unanswered,
            groups_agreed: findings.groups_agreed,
            joins_per_s: rate(&books.joins[..lobby.min(books.joins.len())]),
            reserves_per_s: rate(&books.grants),
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            failovers: of_leaders.clone().count(),
            longest_pause_ms: of_leaders
                .map(|kill| kill.pause_ms)
                .max()
                .unwrap_or_default(),
            restart_pause_ms: of_all.map(|kill| kill.pause_ms).max(),
            kills,
            scaling,
            seconds: round(took.as_secs_f64()),
            refusals: books.refusals.clone(),
            promises: promises.into_iter().collect(),
            faults: broken
                .map(|promise| (promise, findings.told(promise).to_vec()))
                .collect(),
            whereabouts,
        }
    }

    /// Whether every promise held.
    pub fn all_held(&self) -> bool {
        self.promises.values().all(|&held| held)
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "seats {}: sold {}, held {}, available {}, blocked {}{}",
                self.seats,
                self.sold,
                self.held,
                self.available,
                self.blocked,
                if self.sold_out { " - SOLD OUT" } else { "" }
            ),
            format!(
                "orders paid {}, charges {}, tickets verified {}, double sold {}, lost answers {}",
                self.orders_paid,
                self.charges,
                self.tickets_verified,
                self.double_sold,
                self.lost_acks
            ),
            format!(
                "{} s: {} joins/s, {} reserves/s, reserve p50 {} ms, p99 {} ms, p99.9 {} ms",
                self.seconds,
                self.joins_per_s,
                self.reserves_per_s,
                self.p50_ms,
                self.p99_ms,
                self.p999_ms
            ),
        ];
        for kill in &self.kills {
            let what = match kill.node {
                Some(node) => format!("node {node}, leader of {} groups", kill.led),
                None => "all nodes".to_owned(),
            };
            lines.push(format!(
                "kill -9 at {} s of {what}: no reserve for {} ms",
                kill.at_s, kill.pause_ms
            ));
        }
        lines.extend(self.scaling.iter().flat_map(Scaling::lines));
        let refusals = self
            .refusals
            .iter()
            .map(|(what, count)| format!("{what}: {count}"));
        let refusals: Vec<_> = refusals.collect();
        if !refusals.is_empty() {
            lines.push(format!("refused: {}", refusals.join(", ")));
        }
        for (promise, held) in &self.promises {
            let verdict = if *held { "held  " } else { "BROKEN" };
            lines.push(format!("  {promise:?} {verdict} {}", promise.sentence()));
            let faults = self.faults.get(promise).into_iter().flatten();
            lines.extend(faults.map(|fault| format!("       - {fault}")));
        }
        lines
    }
}
