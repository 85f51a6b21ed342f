//! How much a cluster bears: the greatest rate at which answers stay fast and nothing piles up.

use super::calendar::{MILLISECOND, Nanos, SECOND};
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
    /// In the unit that was asked for, within 2 %.
    pub rate: f64,
    /// 99th percentile of the answers bounded.
    pub p99: Nanos,
    /// What was used.
    pub usage: Usage,
    /// Commands in an entry.
    pub commands_per_entry: f64,
}

/// Warm-up, and what counts. As long as it takes for a pile to show.
const WINDOW: Nanos = SECOND / 2;
const WARM: usize = 1;
const WINDOWS: usize = 3;
/// Calls to the provider take seconds; a run with payments is longer by this factor.
const PAYING: usize = 6;
/// Used to more than this, a resource is used up: what waits for it only grows.
const FULL: f64 = 0.97;

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
    let (warm, end) = (WARM * factor, WINDOWS * factor);
    let mut engine = Engine::new(costs, cluster, WINDOW, 1);
    let mut load = Steady::new(rates.clone(), MILLISECOND);
    engine.run(&mut load, 0);
    let open_max =
        2_000.0 + (rates.reserves + rates.maps + rates.tickets) * 4.0 * bound.p99 as f64 / 1e9;
    for window in 1..=end {
        engine.go_on(&mut load, window as Nanos * WINDOW - 1);
        let paying = if rates.pays > 0.0 {
            rates.pays * 30.0
        } else {
            0.0
        };
        if engine.account().2 as f64 > open_max + paying {
            return None;
        }
    }
    let seen = engine.stats.sum(warm..end);
    let length = (end - warm) as Nanos * WINDOW;
    let asked = match bound.class {
        Class::Join => rates.joins,
        Class::Poll => rates.polls,
        _ => rates.reserves,
    };
    let answered = seen.answered(bound.class) as f64 / length as f64 * 1e9;
    let p99 = seen.percentile(bound.class, 99.0);
    let usage = usage(&engine, &seen, length);
    let borne = p99 <= bound.p99 && answered >= 0.98 * asked && usage.most.1 <= FULL;
    borne.then(|| Capacity {
        rate,
        p99,
        usage,
        commands_per_entry: seen.commands_per_entry(),
    })
}

/// The greatest rate that is borne, below `above`, which cannot be (all cores over what a request must cost).
/// By halving the interval of its logarithm: a cluster that bears more bears less.
#[must_use]
pub fn greatest(
    costs: &Costs,
    cluster: &Cluster,
    above: f64,
    bound: Bound,
    rates: impl Fn(f64) -> Rates,
) -> Option<Capacity> {
    let (mut low, mut high) = (above / 256.0, above);
    let mut best = None;
    while high / low > 1.02 {
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
