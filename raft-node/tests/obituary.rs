//! Goal: where the leader's process has ended its followers do not wait for its lease, and each group
//! goes on under one of those who are left.
//!
//! Method: three toy nodes with real sockets, as in `three_nodes.rs`, and election time-outs so long that
//! nobody would stand for election within the test.

mod toy;

use std::sync::Arc;
use std::time::Duration;

use toy::{Adjust, Cluster, commit, eventually};

const NEVER_MS: u64 = 600_000;
const GROUPS: [u32; 4] = [0, 1, 2, 3];

/// Nodes of which the first was made leader of everything, and which would not stand for election by
/// themselves for ten minutes.
async fn patient() -> Cluster {
    let adjust: Adjust = Arc::new(|config| {
        config.heartbeat_ms = 200;
        config.election_min_ms = NEVER_MS;
        config.election_max_ms = NEVER_MS + 1;
        config.append_timeout_ms = 1_000;
    });
    let cluster = Cluster::start(3, GROUPS.to_vec(), adjust).await;
    for group in GROUPS {
        // The first election may have come before the links.
        while cluster.status(1, group).leader.is_none() {
            cluster.nodes[&1].stand(group).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        commit(&cluster.client(1), group, "before").await;
    }
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_led_is_led_by_the_others_without_waiting_and_spread_over_them() {
    let mut cluster = patient().await;
    let dead = cluster.leader(0).await;
    let led: Vec<u32> = {
        let led = GROUPS.into_iter();
        led.filter(|group| cluster.status(dead, *group).leader == Some(dead))
            .collect()
    };
    assert_eq!(led.len(), GROUPS.len(), "who initialized leads everything");
    cluster.kill(dead);
    let other = *cluster.nodes.keys().next().expect("two are left");
    for group in led {
        commit(&cluster.client(other), group, "after").await;
    }
    let mut leaders = Vec::new();
    for group in GROUPS {
        leaders.push(cluster.leader(group).await);
        cluster.converge(group).await;
    }
    leaders.sort_unstable();
    leaders.dedup();
    assert_eq!(leaders.len(), 2, "both lead something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_dies_costs_nobody_its_office() {
    let mut cluster = patient().await;
    let leader = cluster.leader(1).await;
    let term = cluster.status(leader, 1).term;
    let follower = (1..=3).find(|node| *node != leader).expect("a follower");
    cluster.kill(follower);
    for number in 0..20 {
        commit(&cluster.client(leader), 1, &format!("on {number}")).await;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    cluster.open(follower).await;
    eventually("it is back", || {
        let caught = cluster.status(follower, 1).applied >= cluster.status(leader, 1).applied;
        caught.then_some(())
    })
    .await;
    assert_eq!(cluster.status(leader, 1).term, term);
}
