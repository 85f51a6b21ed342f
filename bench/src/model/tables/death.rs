//! What a death does to those who are being served.

use super::{count, ms, percent, table};
use crate::model::calendar::{MILLISECOND, Nanos, SECOND};
use crate::model::cluster::Cluster;
use crate::model::costs::Costs;
use crate::model::engine::Engine;
use crate::model::request::Class;
use crate::model::resources::usage;
use crate::model::stats::Window;
use crate::model::steady::{Rates, Steady};

const NODES: usize = 16;
/// When it happens.
const DEATH: Nanos = 4 * SECOND;
const END: Nanos = 14 * SECOND;
const WINDOW: Nanos = 250 * MILLISECOND;

/// Deaths of a node and of a zone, of processes and of machines.
#[must_use]
pub(super) fn deaths(costs: &Costs) -> String {
    let zone: Vec<usize> = (0..NODES).filter(|node| node % 3 == 0).collect();
    let cases: [(&str, &[usize], bool); 4] = [
        ("a node's process ends", &[0], false),
        ("a node's machine falls silent", &[0], true),
        ("the processes of a zone end", &zone, false),
        ("the machines of a zone fall silent", &zone, true),
    ];
    let rows: Vec<Vec<String>> = cases
        .iter()
        .map(|(text, nodes, silent)| row(costs, text, nodes, *silent))
        .collect();
    let head = [
        "what",
        "nodes lost",
        "shards they led",
        "reserve p50 / p99 ms before",
        "reservations/s before",
        "in the worst quarter second",
        "p99 ms of the 3 s after",
        "slowest ms",
        "p99 as before after s",
        "busiest node before",
        "after",
    ];
    table(&head, 1, &rows)
}

fn row(costs: &Costs, text: &str, nodes: &[usize], silent: bool) -> Vec<String> {
    let cluster = Cluster::spread(NODES, 8, 64, 3);
    let led = cluster
        .places
        .iter()
        .filter(|place| nodes.contains(&place.leader));
    let led = led.count();
    let rates = Rates {
        joins: 4_000.0,
        polls: 100_000.0,
        reserves: 5_000.0,
        ..Rates::none(64)
    };
    let mut load = Steady::new(rates, MILLISECOND);
    for node in nodes {
        load = load.with_death(DEATH, *node, silent);
    }
    let mut engine = Engine::new(costs, &cluster, WINDOW, 1);
    // A little before the end of its last window.
    engine.run(&mut load, END - 1);
    let at = |time: Nanos| (time / WINDOW) as usize;
    let stats = &engine.stats;
    let before = stats.sum(at(SECOND)..at(DEATH));
    let after = stats.sum(at(DEATH)..at(DEATH + 3 * SECOND));
    let windows = &stats.windows()[at(DEATH)..];
    let rate = |window: &Window, length: Nanos| {
        window.answered(Class::Reserve) as f64 * 1e9 / length as f64
    };
    let least = windows
        .iter()
        .map(|window| rate(window, WINDOW))
        .fold(f64::INFINITY, f64::min);
    let calm = before.percentile(Class::Reserve, 99.0) * 3 / 2;
    let slow = windows
        .iter()
        .rposition(|window| window.percentile(Class::Reserve, 99.0) > calm);
    let healed = slow.map_or(0, |at| at as Nanos + 1) * WINDOW;
    let late = stats.sum(at(DEATH + 5 * SECOND)..at(END));
    let busy = |window: &Window, length| percent(usage(&engine, window, length).cpu_max);
    vec![
        text.to_owned(),
        nodes.len().to_string(),
        led.to_string(),
        format!(
            "{} / {}",
            ms(before.percentile(Class::Reserve, 50.0)),
            ms(before.percentile(Class::Reserve, 99.0))
        ),
        count(rate(&before, DEATH - SECOND)),
        count(least),
        ms(after.percentile(Class::Reserve, 99.0)),
        ms(stats
            .sum(at(DEATH)..at(END))
            .percentile(Class::Reserve, 100.0)),
        format!("{:.2}", healed as f64 / 1e9),
        busy(&before, DEATH - SECOND),
        busy(&late, END - DEATH - 5 * SECOND),
    ]
}
