//! A sale by the minute.

use super::{count, ms, percent, table};
use crate::model::calendar::{MILLISECOND, MINUTE, Nanos, SECOND};
use crate::model::cluster::Cluster;
use crate::model::costs::Costs;
use crate::model::engine::Engine;
use crate::model::proposer::QUEUE_MAX;
use crate::model::request::Class;
use crate::model::resources::usage;
use crate::model::sale::{Plan, Sale, play};

/// The sale of the document: 2,000,000 people, 500,000 of them connected, 16 nodes of 8 cores.
#[must_use]
pub(super) fn hour(costs: &Costs) -> String {
    let plan = Plan {
        buyers: 2_000_000,
        connected: 500_000,
        seats: 100_000,
        spread: None,
        admit_per_minute: 2_000,
        lobby_minutes: 30,
        poll_seconds: None,
        cdn_percent: 0,
        show_percent: 50,
        leave_percent: 10,
        best_percent: 50,
        abandon_percent: 8,
        crowding: 4,
        look_seconds: 25,
        pay_seconds: 60,
        hold_seconds: 600,
        minutes_max: 120,
        slot: 2 * MILLISECOND,
    };
    let cluster = Cluster::spread(16, 8, 64, 3);
    // A minute is like the next but for those around the opening.
    played(costs, &cluster, plan, 1, |minute| {
        minute.abs() <= 5 || minute % 5 == 0
    })
}

/// Any sale, with every minute.
#[must_use]
pub fn one(costs: &Costs, cluster: &Cluster, plan: Plan, seed: u64) -> String {
    played(costs, cluster, plan, seed, |_| true)
}

fn played(
    costs: &Costs,
    cluster: &Cluster,
    plan: Plan,
    seed: u64,
    shown: fn(i64) -> bool,
) -> String {
    let opening = plan.opening();
    let mut engine = Engine::new(costs, cluster, MINUTE, seed);
    let mut sale = Sale::new(plan, &engine);
    play(&mut engine, &mut sale);
    let end = engine.now();
    let (mut joined, mut sold) = (0, 0);
    let (mut waiting, mut rows) = (0_i64, Vec::new());
    for (minute, window) in engine.stats.windows().iter().enumerate() {
        let began = minute as Nanos * MINUTE;
        let length = (end - began).min(MINUTE);
        if length < 10 * SECOND {
            break;
        }
        joined += window.answered(Class::Join);
        sold += window.sold;
        waiting += window.answered(Class::Join) as i64 - window.admitted as i64;
        let after = (began as i64 - opening as i64) / MINUTE as i64;
        if !shown(after) {
            continue;
        }
        let used = usage(&engine, window, length);
        let rate = |class| count(window.answered(class) as f64 * 1e9 / length as f64);
        let took = |class| match window.answered(class) {
            0 => "-".to_owned(),
            _ => format!(
                "{} / {}",
                ms(window.percentile(class, 50.0)),
                ms(window.percentile(class, 99.0))
            ),
        };
        rows.push(vec![
            format!("{after:+}"),
            count(joined as f64),
            count(waiting as f64),
            count(sold as f64),
            rate(Class::Join),
            rate(Class::Poll),
            rate(Class::Reserve),
            rate(Class::Pay),
            count(window.taken as f64),
            percent(used.cpu_max),
            percent(used.cpu_mean),
            took(Class::Join),
            took(Class::Poll),
            took(Class::Map),
            took(Class::Reserve),
            took(Class::Pay),
        ]);
    }
    let head = [
        "minute",
        "joined",
        "waiting",
        "sold",
        "joins/s",
        "polls/s",
        "reservations/s",
        "payments/s",
        "seat taken",
        "busiest node",
        "mean node",
        "join ms p50 / p99",
        "poll",
        "map",
        "reserve",
        "pay",
    ];
    let all = engine.stats.sum(0..usize::MAX);
    let ended = match sale.sold_out_at() {
        Some(at) => format!(
            "Sold out {} minutes after the opening",
            tenths(at - opening)
        ),
        None => format!(
            "Not sold out {} minutes after the opening",
            tenths(end - opening)
        ),
    };
    let shed = match all.queue_max > QUEUE_MAX {
        true => " More than it takes: some would be answered \"overloaded\".",
        false => "",
    };
    format!(
        "{}\n{ended}. At most {} commands waited in one shard's queue.{shed} At most {} payments waited for a \
         call to the provider.\n",
        table(&head, 1, &rows),
        count(all.queue_max as f64),
        count(all.calls_waiting_max as f64),
    )
}

fn tenths(of: Nanos) -> String {
    format!("{:.1}", of as f64 / MINUTE as f64)
}
