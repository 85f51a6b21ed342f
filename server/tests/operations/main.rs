//! Goal: what `docs/operations.md` tells operators to type does what it says.
//!
//! Method: the commands are read from the document and typed, procedure by procedure, into a shell,
//! beside a cluster of real processes that is as the procedure finds it. Only addresses differ. A
//! procedure that no test knows fails `every_procedure_is_tried`.

#![allow(
    clippy::disallowed_methods,
    reason = "operators beside a cluster: real time"
)]

mod document;
mod scene;

use std::collections::BTreeSet;

use document::{Procedure, procedures};
use scene::Scene;

const DOCUMENT: &str = include_str!("../../../docs/operations.md");
/// Every procedure, in the order of the document.
const TRIED: [&str; 15] = [
    "Settings",
    "Begin a cluster",
    "See who is there",
    "Add a node",
    "Survive more failures",
    "Take a node out of service for a while",
    "Remove a node",
    "Replace a node",
    "Move a leader",
    "Upgrade",
    "Report a problem",
    "A majority is lost",
    "Take one",
    "Look at them",
    "Restore",
];

#[test]
fn every_procedure_is_tried() {
    let found = procedures(DOCUMENT);
    let found: Vec<&str> = found.iter().map(|found| &*found.heading).collect();
    assert_eq!(found, TRIED);
}

/// Somebody is woken at night, and the document has to know why.
#[test]
fn every_alarm_has_its_line_and_no_line_is_about_an_alarm_that_is_none() {
    let rules = include_str!("../../../deploy/prometheus/alerts.yml").lines();
    let named = rules.filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alarms: BTreeSet<&str> = named.collect();
    let rows = DOCUMENT.lines().filter(|line| line.starts_with('|'));
    let told = rows.filter_map(|row| row.split('`').nth(1));
    let told: BTreeSet<&str> = told.filter(|name| name.starts_with("Usher")).collect();
    assert!(alarms.len() > 15);
    assert_eq!(told, alarms);
}

fn commands(heading: &str) -> Vec<String> {
    let found = procedures(DOCUMENT).into_iter();
    let of = |found: &Procedure| found.heading == heading;
    let mut found = found.filter(of);
    found.next().expect("the document has it").commands
}

async fn follow(scene: &mut Scene, heading: &str) {
    for command in commands(heading) {
        scene.run_here(&command).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_made_and_looked_at() {
    let mut scene = Scene::of(1).await;
    let typed = commands(TRIED[0]);
    let (make, look) = typed.split_first().expect("it has commands");
    scene.run_here(make).await;
    scene.fill_in("node.toml");
    for command in look {
        scene.run_here(command).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_begun_and_its_leaders_are_spread() {
    let mut scene = Scene::before(3);
    for command in commands(TRIED[1]) {
        if command == "usher init" {
            scene.all_alive().await;
        }
        scene.run_here(&command).await;
    }
    let leads = scene.counts("leads").await;
    assert_eq!(leads, [(1, 1), (2, 1), (3, 1)]);
    scene.run_here("usher init").await;
    scene.all_ready().await;
    assert_eq!(scene.view("/admin/members").await["placement"], 2, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_there_is_seen_and_reported_and_a_node_is_added() {
    let mut scene = Scene::of(3).await;
    follow(&mut scene, TRIED[2]).await;
    follow(&mut scene, TRIED[10]).await;
    assert!(scene.dir.path().join("bundle.tar.gz").exists());
    scene.prepare(4);
    follow(&mut scene, TRIED[3]).await;
    let votes = scene.counts("votes").await;
    assert_eq!(votes.len(), 4);
    assert!(votes.iter().all(|(_, votes)| *votes > 0), "{votes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_vote_and_survive_more() {
    let mut scene = Scene::of(3).await;
    scene.joined(4).await;
    scene.joined(5).await;
    follow(&mut scene, TRIED[4]).await;
    let votes = scene.counts("votes").await;
    assert!(votes.iter().all(|(_, votes)| *votes == 3), "{votes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_taken_out_of_service_and_later_for_ever() {
    let mut scene = Scene::of(3).await;
    scene.joined(4).await;
    follow(&mut scene, TRIED[5]).await;
    let votes = scene.counts("votes").await;
    assert!(votes[2].1 > 0, "it votes again: {votes:?}");
    follow(&mut scene, TRIED[6]).await;
    assert_eq!(scene.view("/admin/members").await["gone"][0], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_replaced() {
    let mut scene = Scene::of(3).await;
    scene.prepare(4);
    follow(&mut scene, TRIED[7]).await;
    assert_eq!(scene.counts("votes").await, [(1, 3), (2, 3), (4, 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_moved_and_an_upgrade_is_finished() {
    let mut scene = Scene::of(4).await;
    follow(&mut scene, TRIED[8]).await;
    let mut leader = 0;
    for _ in 0..100 {
        let members = scene.view("/admin/members").await;
        leader = members["groups"][2]["leader"].as_u64().unwrap_or(0);
        if leader == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(leader, 4);
    follow(&mut scene, TRIED[9]).await;
    let version = scene.view("/admin/version").await["version"].as_u64();
    assert_eq!(version, Some(cluster::version::NEWEST.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_lost_majority_becomes_a_cluster() {
    let mut scene = Scene::of(3).await;
    let event = scene.sell().await;
    scene.stop_all();
    scene.lose(&[2, 3]);
    for command in commands(TRIED[11]) {
        if command.contains("--join") {
            // The new file is there now; a third voter joins like the second.
            scene.all_ready().await;
            scene.prepare_after("node-1.recovered.toml", 5);
            scene
                .run_here("usher start --join --config node-5.toml")
                .await;
            scene.prepare_after("node-1.recovered.toml", 4);
        }
        scene.run_here(&command).await;
    }
    assert_eq!(scene.held(&event).await, 2);
    let votes = scene.counts("votes").await;
    assert_eq!(
        votes.iter().filter(|(_, votes)| *votes == 3).count(),
        3,
        "{votes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_backed_up_and_restored_into_a_new_one() {
    let mut scene = Scene::of(3).await;
    let event = scene.sell().await;
    follow(&mut scene, TRIED[12]).await;
    follow(&mut scene, TRIED[13]).await;
    scene.prepare_heirs();
    scene.stop_all();
    follow(&mut scene, TRIED[14]).await;
    scene.all_ready().await;
    assert_eq!(scene.held(&event).await, 2);
}
