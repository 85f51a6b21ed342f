//! How much clusters of several sizes bear.

use super::{about, ms, percent, table};
use crate::model::calendar::MILLISECOND;
use crate::model::capacity::{Bound, Capacity, greatest};
use crate::model::chance::Spread;
use crate::model::cluster::Cluster;
use crate::model::costs::Costs;
use crate::model::engine::CALLS_MAX;
use crate::model::request::Class;
use crate::model::steady::Rates;

const NODES: [usize; 5] = [3, 5, 7, 9, 16];
const CORES: usize = 8;
const SHARDS: usize = 64;
const REPLICAS: usize = 3;
/// Reservations (and joins) of which 99 of 100 are answered within it.
const DECIDED_P99: u64 = 100 * MILLISECOND;
/// The same for polls.
const POLLED_P99: u64 = 50 * MILLISECOND;

/// A question about clusters.
struct Question {
    text: &'static str,
    class: Class,
    /// Of which sizes.
    nodes: &'static [usize],
    /// Whether all nodes have a replica of every shard, as they do.
    learners: bool,
    /// More than is possible, a second.
    above: fn(&Costs, f64) -> f64,
    rates: fn(f64) -> Rates,
    /// Seconds in the unit of the table.
    unit: f64,
}

/// A question that is answered in its requests a second.
const PLAIN: Question = Question {
    text: "",
    class: Class::Reserve,
    nodes: &NODES,
    learners: true,
    above: reserved,
    rates: Rates::reserves,
    unit: 1.0,
};

const QUESTIONS: [Question; 7] = [
    Question {
        text: "polls a second",
        class: Class::Poll,
        above: |costs, cores| cores * 1e9 / costs.door.poll_us.ns() as f64,
        rates: |rate| Rates {
            polls: rate,
            ..Rates::none(1)
        },
        ..PLAIN
    },
    Question {
        text: "joins a second, one event",
        class: Class::Join,
        above: |costs, cores| cores * 1e9 / costs.door.join_us.ns() as f64,
        rates: |rate| Rates {
            joins: rate,
            ..Rates::none(1)
        },
        ..PLAIN
    },
    Question {
        text: "reservations a second, one event in one shard",
        ..PLAIN
    },
    Question {
        text: "reservations a second, one event spread over 64 shards",
        nodes: &[3, 9, 16],
        rates: |rate| Rates {
            reserves: rate,
            one_event: true,
            ..Rates::none(SHARDS)
        },
        ..PLAIN
    },
    Question {
        text: "reservations a second, 64 events in a shard each",
        rates: apart,
        ..PLAIN
    },
    Question {
        text: "the same, if only voters had replicas (not built)",
        nodes: &[16],
        learners: false,
        rates: apart,
        ..PLAIN
    },
    Question {
        text: "buyers a minute who look, reserve, pay and fetch their ticket, one event",
        above: called,
        rates: |rate| buyers(rate, 1),
        unit: 60.0,
        ..PLAIN
    },
];

/// With a log of three nodes; no more are needed.
fn reserved(costs: &Costs, cores: f64) -> f64 {
    let least = costs.door.reserve_us.ns() as f64 + costs.log_ns_per_command(3, 1_024);
    cores * 1e9 / least
}

/// By what the provider takes for the two calls of an order.
fn called(costs: &Costs, _: f64) -> f64 {
    let mean = |spread: Option<Spread>| spread.map_or(0.0, |spread| spread.mean());
    let order = mean(costs.provider.authorize()) + mean(costs.provider.capture());
    CALLS_MAX as f64 * 1e9 / order.max(1e6)
}

fn apart(rate: f64) -> Rates {
    Rates {
        reserves: rate,
        ..Rates::none(SHARDS)
    }
}

/// Everybody looks once, and reserves 1.1 times because a seat is taken now and then.
fn buyers(rate: f64, shards: usize) -> Rates {
    Rates {
        maps: rate,
        reserves: 1.1 * rate,
        pays: rate,
        tickets: rate,
        ..Rates::none(shards)
    }
}

/// Greatest rates, and what is used up first.
#[must_use]
pub(super) fn capacity(costs: &Costs) -> String {
    let head = [
        "what",
        "nodes",
        "at most",
        "p99 ms",
        "busiest node",
        "mean node",
        "log syncing",
        "commands an entry",
        "used up first",
    ];
    let mut rows = Vec::new();
    for question in &QUESTIONS {
        for &nodes in question.nodes {
            let mut cluster = Cluster::spread(nodes, CORES, SHARDS, REPLICAS);
            cluster.learners = question.learners;
            let above = (question.above)(costs, (nodes * CORES) as f64);
            let p99 = match question.class {
                Class::Poll => POLLED_P99,
                _ => DECIDED_P99,
            };
            let class = question.class;
            let found = greatest(costs, &cluster, above, Bound { class, p99 }, question.rates);
            rows.push(row(question, nodes, found));
        }
    }
    table(&head, 1, &rows)
}

fn row(question: &Question, nodes: usize, found: Option<Capacity>) -> Vec<String> {
    let mut cells = vec![question.text.to_owned(), nodes.to_string()];
    let Some(found) = found else {
        cells.extend(std::iter::repeat_n("-".to_owned(), 7));
        return cells;
    };
    let usage = found.usage;
    let decided = question.class != Class::Poll;
    cells.extend([
        about(found.rate * question.unit),
        ms(found.p99),
        percent(usage.cpu_max),
        percent(usage.cpu_mean),
        percent(usage.disk),
        if decided {
            format!("{:.0}", found.commands_per_entry)
        } else {
            "-".to_owned()
        },
        format!("{} ({})", usage.most.0, percent(usage.most.1)),
    ]);
    cells
}
