//! How much a cluster bears: the greatest rate at which answers stay fast and nothing piles up.

use super::calendar::{MILLISECOND, Nanos};
use super::cluster::Cluster;
use super::costs::Costs;
use super::engine::Engine;
use super::request::Class;
use super::resources::{Usage, usage};
use super::steady::{Rates, Steady};

/// What is wanted of the answers.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Of which requests.
    pub class: Class,
    /// 99 of 100 are answered within it.
    pub p99: Nanos,
}

/// A rate that a cluster bears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// In the unit that was asked for, within 5 %.
    pub rate: f64,
    /// 99th percentile of the answers bounded.
    pub p99: Nanos,
    /// What was used.
    pub usage: Usage,
    /// Commands in an entry.
    pub commands_per_entry: f64,
}

/// Windows of a run: the first warms up, and none of the others may be slower than the one before.
const WINDOW: Nanos = 150 * MILLISECOND;
const WINDOWS: usize = 4;
/// Calls to the provider take seconds; windows of a run with payments are longer by this factor.
const PAYING: u64 = 40;
/// A median that rises by more than this from the second window to the last says that something piles up: half
/// as much again, and some.
const RISE: (f64, Nanos) = (1.5, 2 * MILLISECOND);

/// Plays a load; `None` when the cluster does not bear it.
#[must_use]
pub fn bears(
    costs: &Costs,
    cluster: &Cluster,
    rates: &Rates,
    bound: Bound,
    rate: f64,
) -> Option<Capacity> {
    let factor = if rates.pays > 0.0 { PAYING } else { 1 };
    let window = WINDOW * factor;
    let mut engine = Engine::new(costs, cluster, window, 1);
    let mut load = Steady::new(rates.clone(), MILLISECOND);
    engine.run(&mut load, 0);
    // What may be under way if answers are as fast as they have to be, payments take ten seconds, and some.
    let quick = rates.reserves + rates.maps + rates.tickets;
    let open_max = 2_000.0 + quick * 2.0 * bound.p99 as f64 / 1e9 + rates.pays * 10.0;
    for step in 1..=WINDOWS as u64 * 4 {
        engine.go_on(&mut load, step * window / 4 - 1);
        if engine.account().2 as f64 > open_max {
            return None;
        }
    }
    let seen = engine.stats.sum(1..WINDOWS);
    let length = (WINDOWS - 1) as Nanos * window;
    let kept_up = |class: Class, asked: f64| {
        let answered = seen.answered(class) as f64 / length as f64 * 1e9;
        answered >= 0.98 * asked - 2.0 * (asked / length as f64 * 1e9).sqrt()
    };
    let p99 = seen.percentile(bound.class, 99.0);
    let median = |window: usize| engine.stats.windows()[window].percentile(bound.class, 50.0);
    let piles = median(WINDOWS - 1) as f64 > median(1) as f64 * RISE.0 + RISE.1 as f64;
    let borne = p99 <= bound.p99
        && !piles
        && kept_up(Class::Join, rates.joins)
        && kept_up(Class::Poll, rates.polls)
        && kept_up(Class::Reserve, rates.reserves)
        && kept_up(Class::Pay, rates.pays);
    borne.then(|| Capacity {
        rate,
        p99,
        usage: usage(&engine, &seen, length),
        commands_per_entry: seen.commands_per_entry(),
    })
}

/// The greatest rate that is borne, below `above`, which cannot be: all cores over what a request must cost, say.
/// By halving the interval of its logarithm: a cluster that bears more bears less.
#[must_use]
pub fn greatest(
    costs: &Costs,
    cluster: &Cluster,
    above: f64,
    bound: Bound,
    rates: impl Fn(f64) -> Rates,
) -> Option<Capacity> {
    let (mut low, mut high) = (above / LEAST, above);
    let mut best = None;
    while high / low > NEAR {
        let middle = (low * high).sqrt();
        match bears(costs, cluster, &rates(middle), bound, middle) {
            Some(borne) => {
                best = Some(borne);
                low = middle;
            }
            None => high = middle,
        }
    }
    best
}

/// A cluster that bears less than this part of what its cores could do is not looked for.
const LEAST: f64 = 256.0;
/// The search ends when it knows so much.
const NEAR: f64 = 1.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_borne_beyond_what_the_cores_can_do() {
        let costs = Costs::kept();
        let cluster = Cluster::spread(3, 1, 1, 3);
        let bound = Bound {
            class: Class::Poll,
            p99: 50 * MILLISECOND,
        };
        let above = 3.0 * 1e9 / costs.door.poll_us.ns() as f64;
        let polls = |rate| Rates {
            polls: rate,
            ..Rates::none(1)
        };
        let most = greatest(&costs, &cluster, above, bound, polls).expect("some are borne");
        let share = most.rate / above;
        assert!(
            (0.85..1.0).contains(&share),
            "{share} of what the cores can do"
        );
        let reserves = |rate| Rates {
            reserves: rate,
            ..Rates::none(1)
        };
        let class = Class::Reserve;
        let bound = Bound { class, ..bound };
        let least = costs.door.reserve_us.ns() as f64 + costs.log_ns_per_command(3, 1_024);
        let above = 3.0 * 1e9 / least;
        let most = greatest(&costs, &cluster, above, bound, reserves).expect("some are borne");
        assert!(
            most.rate < above && most.rate > above / 4.0,
            "{most:?}, {above}"
        );
    }
}
