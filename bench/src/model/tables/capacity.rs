//! How much clusters of several sizes bear.

use super::{about, ms, percent, table};
use crate::model::calendar::MILLISECOND;
use crate::model::capacity::{Bound, Capacity, greatest};
use crate::model::cluster::Cluster;
use crate::model::costs::Costs;
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

/// A question about a cluster.
struct Question {
    text: &'static str,
    class: Class,
    /// What one of it costs at least, in ns of CPU over the cluster.
    least: fn(&Costs, u64) -> f64,
    rates: fn(f64) -> Rates,
    /// Of it in the unit of the table.
    unit: f64,
}

const QUESTIONS: [Question; 6] = [
    Question {
        text: "polls a second",
        class: Class::Poll,
        least: |costs, _| costs.door.poll_us.ns() as f64,
        rates: |rate| Rates {
            polls: rate,
            ..Rates::none(1)
        },
        unit: 1.0,
    },
    Question {
        text: "joins a second",
        class: Class::Join,
        least: |costs, _| costs.door.join_us.ns() as f64,
        rates: |rate| Rates {
            joins: rate,
            ..Rates::none(1)
        },
        unit: 1.0,
    },
    Question {
        text: "reservations a second, one event in one shard",
        class: Class::Reserve,
        least: reserved,
        rates: |rate| Rates {
            reserves: rate,
            ..Rates::none(1)
        },
        unit: 1.0,
    },
    Question {
        text: "reservations a second, one event spread over 64 shards",
        class: Class::Reserve,
        least: reserved,
        rates: |rate| Rates {
            reserves: rate,
            one_event: true,
            ..Rates::none(SHARDS)
        },
        unit: 1.0,
    },
    Question {
        text: "reservations a second, 64 events in a shard each",
        class: Class::Reserve,
        least: reserved,
        rates: |rate| Rates {
            reserves: rate,
            ..Rates::none(SHARDS)
        },
        unit: 1.0,
    },
    Question {
        text: "buyers a minute who look, reserve, pay and fetch their ticket, one event",
        class: Class::Reserve,
        least: bought,
        rates: |rate| buyers(rate, 1),
        unit: 60.0,
    },
];

fn reserved(costs: &Costs, nodes: u64) -> f64 {
    costs.door.reserve_us.ns() as f64 + costs.log_ns_per_command(nodes, 1_024)
}

fn bought(costs: &Costs, nodes: u64) -> f64 {
    let door = &costs.door;
    let read = door.map_us.ns() + door.ticket_us.ns() + door.pay_us.ns();
    read as f64 + reserved(costs, nodes) + 3.0 * costs.log_ns_per_command(nodes, 1_024)
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
        for nodes in NODES {
            let cluster = Cluster::spread(nodes, CORES, SHARDS, REPLICAS);
            let least = (question.least)(costs, nodes as u64);
            let above = (nodes * CORES) as f64 * 1e9 / least;
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
