//! Goal: the account of what is safe in `miniature/` bites. Method: each planted bug of the area
//! "members" has to be caught by it. Bugs can be planted with `--cfg madsim` alone:
//! `RUSTFLAGS="--cfg madsim" cargo test --target-dir target-sim --profile sim -p cluster`.

#![cfg(madsim)]

mod miniature;

use miniature::{World, event, map};
use probes::Bug;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[test]
fn every_planted_bug_of_members_is_caught() {
    let bugs = Bug::ALL.iter().copied();
    for bug in bugs.filter(|bug| bug.area() == "members") {
        probes::plant(bug);
        let mut runner = TestRunner::new(Config {
            cases: 3_000,
            failure_persistence: None,
            ..Config::default()
        });
        let runs = (map(), prop::collection::vec(event(), 0..120));
        let found = runner.run(&runs, |(voters, events)| {
            let mut world = World::new(&voters);
            for event in &events {
                world.happen(event).map_err(TestCaseError::fail)?;
            }
            world.settle().map_err(TestCaseError::fail)
        });
        assert!(found.is_err(), "{} was not caught", bug.name());
    }
}
