//! Laws that every run has to obey, whatever things cost.

use bench::model::calendar::{MICROSECOND, MILLISECOND, Nanos, SECOND};
use bench::model::closed::{Closed, Doors};
use bench::model::cluster::Cluster;
use bench::model::costs::Costs;
use bench::model::engine::Engine;
use bench::model::request::Class;
use bench::model::sale::{Plan, Sale, play};
use bench::model::steady::{Rates, Steady};

fn busy() -> Rates {
    Rates {
        joins: 2_000.0,
        polls: 20_000.0,
        maps: 50.0,
        reserves: 1_500.0,
        pays: 40.0,
        tickets: 40.0,
        ..Rates::none(4)
    }
}

fn steady(cluster: &Cluster, rates: Rates, slot: Nanos, seed: u64) -> Engine {
    let mut engine = Engine::new(&Costs::kept(), cluster, SECOND, seed);
    engine.run(&mut Steady::new(rates, slot), 3 * SECOND - 1);
    engine
}

/// A sale on five nodes; the leader of the event's shard dies in it, or (`Some(true)`) falls silent.
fn small_sale(seed: u64, death: Option<bool>) -> (Engine, Sale) {
    let cluster = Cluster::spread(5, 2, 4, 3);
    let mut engine = Engine::new(&Costs::kept(), &cluster, SECOND, seed);
    let mut sale = Sale::new(Plan::small(), &engine);
    if let Some(silent) = death {
        let led = engine.leader(1).expect("somebody leads");
        sale = sale.with_death(20 * SECOND, led, silent);
    }
    play(&mut engine, &mut sale);
    (engine, sale)
}

/// A run is its seed: every count and every percentile of every window. Another seed is another run.
#[test]
fn a_run_is_repeated_from_its_seed() {
    let (one, _) = small_sale(1, Some(true));
    let (again, _) = small_sale(1, Some(true));
    assert_eq!(one.stats, again.stats);
    assert_eq!(one.events(), again.events());
    let (other, _) = small_sale(2, Some(true));
    assert_ne!(one.stats, other.stats);
}

/// Whoever came was answered or waits; everybody who joined has one place; seats are never made nor lost, and
/// the house is sold to the last seat, also when a node dies under way.
#[test]
fn nothing_is_lost_and_nothing_is_sold_twice() {
    for death in [None, Some(false), Some(true)] {
        let (engine, sale) = small_sale(3, death);
        let (begun, answered, open) = engine.account();
        assert_eq!(begun, answered + open);
        assert_eq!(sale.joined(), Plan::small().buyers);
        assert_eq!(
            engine.stats.sum(0..usize::MAX).answered(Class::Join),
            sale.joined()
        );
        assert!(sale.sold_out_at().is_some(), "{:?}", sale.stock());
        assert_eq!(sale.stock(), (0, 0, Plan::small().seats));
        assert_eq!(engine.stats.sum(0..usize::MAX).sold, Plan::small().seats);
    }
}

/// In every second: seats sold so far are at most the stock, and cores work at most all of the time (a piece
/// of work counts where it begins, so a second may have a little more).
#[test]
fn no_second_has_more_than_there_is() {
    let (engine, _) = small_sale(4, None);
    let mut sold = 0;
    for window in engine.stats.windows() {
        sold += window.sold;
        assert!(sold <= Plan::small().seats);
        assert!(
            window
                .cpu
                .iter()
                .all(|cpu| *cpu <= 2 * SECOND + 20 * MILLISECOND)
        );
    }
}

/// The closed loop answers no more than cores over the least that a request costs, and a client is always
/// either waiting or asking: Little's law with a population.
#[test]
fn throughput_never_exceeds_cores_over_cost() {
    let costs = Costs::kept();
    for clients in [1, 16, 256, 2_000] {
        let cluster = Cluster::on_one_machine(3, 2, 1);
        let mut engine = Engine::new(&costs, &cluster, SECOND, 1);
        engine.run(&mut Closed::new(clients, Doors::Leader), 2 * SECOND - 1);
        let seen = engine.stats.sum(1..2);
        let answered = seen.answered(Class::Reserve) as f64;
        let door = costs.door.reserve_us.ns() + costs.generator.request_us.ns();
        let least = door as f64 + costs.log_ns_per_command(3, 1_024);
        let most = 2.0 * 1e9 / least;
        assert!(answered <= most * 1.001, "{clients}: {answered} of {most}");
        let population = seen.time(Class::Reserve) / 1e9;
        assert!(
            population <= f64::from(clients) * 1.02,
            "{clients}: {population} waited"
        );
    }
}

/// Little's law: the mean number of requests in the cluster is their rate times their mean time in it.
#[test]
fn littles_law_holds() {
    let rates = Rates {
        reserves: 2_000.0,
        ..Rates::none(2)
    };
    let cluster = Cluster::spread(3, 1, 2, 3);
    let mut engine = Engine::new(&Costs::kept(), &cluster, 10 * SECOND, 5);
    let mut load = Steady::new(rates, MILLISECOND);
    engine.run(&mut load, 0);
    let (step, steps) = (173 * MICROSECOND, 50_000);
    let mut inside = 0;
    for at in 1..=steps {
        engine.go_on(&mut load, at * step);
        inside += engine.account().2;
    }
    let seen = engine.stats.sum(0..usize::MAX);
    let counted = inside as f64 / steps as f64;
    let timed = seen.time(Class::Reserve) / (step * steps) as f64;
    let ratio = timed / counted;
    assert!((0.97..1.03).contains(&ratio), "{timed} against {counted}");
}

/// Polls and joins come as one piece of work a slot and node. One by one (slots so short that hardly ever two
/// fall into one) and in slots of 1 or 2 ms, cores are as busy and reservations as fast.
#[test]
fn slots_change_nothing_that_matters() {
    let cluster = Cluster::spread(3, 4, 4, 3);
    let seen = |slot| {
        let engine = steady(&cluster, busy(), slot, 6);
        let seen = engine.stats.sum(1..3);
        let cpu: Nanos = seen.cpu.iter().sum();
        let percentile = |class, at| seen.percentile(class, at) as f64;
        [
            cpu as f64,
            seen.answered(Class::Poll) as f64,
            seen.answered(Class::Join) as f64,
            percentile(Class::Reserve, 50.0),
            percentile(Class::Reserve, 99.0),
            percentile(Class::Join, 50.0),
        ]
    };
    let single = seen(50 * MICROSECOND);
    for slot in [MILLISECOND, 2 * MILLISECOND] {
        let slots = seen(slot);
        for (at, tolerance) in [0.05, 0.02, 0.05, 0.1, 0.15, 0.3].into_iter().enumerate() {
            let ratio = slots[at] / single[at];
            assert!(
                (ratio - 1.0).abs() < tolerance,
                "{slot}, {at}: {slots:?}, {single:?}"
            );
        }
    }
}

/// Every node receives every entry, voter or not: the same reservations cost a cluster of more nodes more.
#[test]
fn every_node_pays_for_every_entry() {
    let rates = Rates {
        reserves: 1_000.0,
        ..Rates::none(1)
    };
    let cpu = |nodes| {
        let engine = steady(
            &Cluster::spread(nodes, 8, 1, 3),
            rates.clone(),
            MILLISECOND,
            7,
        );
        let seen = engine.stats.sum(1..3);
        (seen.cpu.iter().sum::<Nanos>() as f64, seen.entries as f64)
    };
    let ((three, few), (nine, many)) = (cpu(3), cpu(9));
    assert!(
        (few / many - 1.0).abs() < 0.2,
        "about as many entries: {few}, {many}"
    );
    assert!(nine > 2.0 * three, "{nine} against {three}");
}

/// A shard whose leader's process ended is led by another voter after the pause, and whoever waited is
/// answered; without a majority nobody leads it.
#[test]
fn a_shard_outlives_a_minority_of_its_voters() {
    let cluster = Cluster::spread(5, 4, 1, 3);
    let voters = cluster.places[0].voters.clone();
    let leader = cluster.places[0].leader;
    let others = voters.iter().copied().filter(|node| *node != leader);
    let others: Vec<usize> = others.collect();
    let rates = Rates {
        reserves: 200.0,
        ..Rates::none(1)
    };
    let load = Steady::new(rates, MILLISECOND);
    let mut load = load
        .with_death(SECOND, leader, false)
        .with_death(5 * SECOND, others[0], false);
    let mut engine = Engine::new(&Costs::kept(), &cluster, SECOND / 4, 8);
    engine.run(&mut load, 4 * SECOND);
    let led = engine.leader(0).expect("a majority is there");
    assert!(others.contains(&led));
    let windows = engine.stats.windows();
    let answered = |at: usize| windows[at].answered(Class::Reserve);
    assert_eq!(answered(4), 0, "the pause");
    assert!(answered(5) > answered(2), "then those who waited, at once");
    assert!((30..80).contains(&answered(12)), "{}", answered(12));
    engine.go_on(&mut load, 8 * SECOND);
    let late = engine.stats.sum(28..32).answered(Class::Reserve);
    assert_eq!(late, 0, "one of three voters is no majority");
}
