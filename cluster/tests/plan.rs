//! Goal: from any map, with any nodes up, every prefix of a plan is safe, plans end, and what is
//! wanted is reached once everybody is there.
//!
//! Method: a cluster in miniature (`miniature/`) that knows the truth. Each step of the plan is judged by an account
//! of its own of what is safe, then done, half done (a change of voters cut short) or not done at all;
//! between steps nodes come, go and fall behind, and operators change their mind.

mod miniature;

use std::collections::{BTreeMap, BTreeSet};

use cluster::members::{NodeRecord, NodeState, Placement, Registry, Wish, Zones};
use cluster::plan::{balance, next, rehearse};
use miniature::{BOUNDS, Event, World, event, map, peer, zone};
use proptest::prelude::*;

fn even(counts: impl Iterator<Item = usize>) -> bool {
    let counts: Vec<usize> = counts.collect();
    counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn every_step_is_safe_whatever_happens_and_plans_come_to_an_end(
        voters in map(),
        events in prop::collection::vec(event(), 0..120),
    ) {
        let mut world = World::new(&voters);
        for event in &events {
            world.happen(event).map_err(TestCaseError::fail)?;
        }
        world.settle().map_err(TestCaseError::fail)?;

        let registry = world.registry();
        let placement = registry.placement();
        for (group, seen) in &world.truth {
            let seen = seen.as_ref().unwrap();
            prop_assert_eq!(seen.configs.len(), 1);
            prop_assert_eq!(seen.configs[0].len(), usize::from(placement.replication));
            prop_assert_eq!(&seen.configs[0], &placement.groups[group].voters);
            let members: BTreeSet<u64> = registry.nodes().map(|(node, _)| node).collect();
            let replicas: BTreeSet<u64> = seen.replicas.keys().copied().collect();
            prop_assert_eq!(&replicas, &members, "every node keeps every group");
            for voter in &seen.configs[0] {
                prop_assert_eq!(registry.state(*voter), Some(NodeState::Member));
            }
        }
        prop_assert!(registry.nodes().all(|(_, record)| record.state != NodeState::Leaving));
    }

    #[test]
    fn a_rehearsal_ends_where_the_cluster_ends(voters in map(), drained in 1..=5_u64) {
        let mut world = World::new(&voters);
        world.settle().map_err(TestCaseError::fail)?;
        world.happen(&Event::Add(6, 0)).map_err(TestCaseError::fail)?;
        world.happen(&Event::Remove(drained)).map_err(TestCaseError::fail)?;
        let rehearsal = rehearse(world.registry().clone(), world.seen(), BOUNDS);
        prop_assert!(rehearsal.blocked.is_empty());
        for step in &rehearsal.steps {
            world.judge(step).map_err(TestCaseError::fail)?;
            world.apply(step, false);
        }
        let plan = next(world.registry(), &world.seen(), BOUNDS);
        prop_assert!(plan.is_finished());
    }

    #[test]
    fn a_balance_is_even_over_nodes_and_zones_and_moves_nothing_twice(
        voters in prop::collection::vec(prop::collection::btree_set(1..=6_u64, 1..=6), 2..=12),
        zones in 1..=3_u64,
        replication in 1..=5_u8,
    ) {
        // Zones of equal size: six nodes in one, two or three of them.
        let nodes = (1..=6).map(|node| {
            let record = NodeRecord {
                peer: peer(node),
                zone: zone(1 + (node % zones) as usize),
                state: NodeState::Member,
            };
            (node, record)
        });
        let registry = Registry::from_parts(nodes.collect(), BTreeSet::new(), Placement::default());
        let wishes = voters.into_iter().map(|voters| Wish { voters, leader: None });
        let base: BTreeMap<u32, Wish> = (0..).zip(wishes).collect();
        let load = BTreeMap::from([(1, 100), (3, 90)]);
        let groups = balance(&registry, replication, &base, &load).unwrap();

        let of_zones = Zones::of(&registry);
        let best = of_zones.crowding_min(&registry.members(), replication.into());
        for wish in groups.values() {
            prop_assert_eq!(wish.voters.len(), usize::from(replication));
            prop_assert_eq!(of_zones.crowding(&wish.voters), best);
            prop_assert!(wish.voters.contains(&wish.leader.unwrap()));
        }
        let votes = |node: &u64| groups.values().filter(|w| w.voters.contains(node)).count();
        let leads = |node: &u64| groups.values().filter(|w| w.leader == Some(*node)).count();
        // A group's odd voter may be in either of two zones; else shares are even.
        if zones == 1 || u64::from(replication) % zones == 0 {
            prop_assert!(even((1..=6).map(|node| votes(&node))));
            prop_assert!(even((1..=6).map(|node| leads(&node))));
        }
        let again = balance(&registry, replication, &groups, &load).unwrap();
        prop_assert_eq!(again, groups, "what is balanced stays");
    }
}
