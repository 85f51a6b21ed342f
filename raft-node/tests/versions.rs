//! Goal: a release meets what a newer one wrote by stopping, with the reason, and by refusing to start;
//! it never goes on as something else than its peers.
//!
//! Method: toy nodes with real sockets, as in `three_nodes.rs`; [`toy::NEWER`] is what their machine
//! does not understand.

mod toy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raft_node::platform::Platform;
use raft_node::storage::StorageError;
use raft_node::{Machine, Node, NodeConfig, StartError};
use toy::{Adjust, Cluster, NEWER, Toy, commit};

const SOON: Duration = Duration::from_secs(10);

fn plain() -> Adjust {
    Arc::new(|_| {})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_stops_at_an_entry_that_means_nothing_to_it_and_says_why() {
    let cluster = Cluster::start(1, vec![0], plain()).await;
    commit(&cluster.client(1), 0, "before").await;
    let before = cluster.converge(0).await;
    let client = cluster.client(1);
    let newer = client.propose(0, Bytes::from(NEWER), SOON).await;
    assert!(newer.is_err(), "nobody can say what it did");
    let failure = cluster.nodes[&1].failed().await;
    assert!(failure.reason.contains(NEWER), "{failure:?}");
    let after = cluster.status(1, 0);
    assert_eq!(after.digest, before.digest, "and it changed nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_tells_what_it_supports_also_when_it_does_not_lead() {
    let adjust: Adjust = Arc::new(|config| {
        config.supports = 10 + config.node_id as u32;
        config.release = format!("{}.0", config.node_id);
    });
    let cluster = Cluster::start(3, vec![0], adjust).await;
    commit(&cluster.client(1), 0, "something").await;
    let client = cluster.client(2);
    for node in 1..=3_u64 {
        let said = client.describe_at(node, 0, SOON).await.unwrap();
        assert_eq!(said.supports, 10 + node as u32);
        assert_eq!(said.release, format!("{node}.0"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_needs_a_newer_release_is_refused_by_an_older_one_and_left_alone() {
    let adjust: Adjust = Arc::new(|config| config.supports = 3);
    let mut cluster = Cluster::start(1, vec![0], adjust).await;
    let first = commit(&cluster.client(1), 0, "kept").await;
    cluster.nodes[&1].needs_version(3).await.unwrap();
    // What is needed never becomes less.
    cluster.nodes[&1].needs_version(2).await.unwrap();
    cluster.nodes[&1].shutdown().await;
    cluster.kill(1);

    let start = |supports| {
        let platform = Platform::os(&cluster.directory(1)).unwrap();
        let machine: Box<dyn Machine> = Box::new(Toy::default());
        let config = NodeConfig {
            supports,
            ..cluster.config(1)
        };
        Node::start(config, platform, BTreeMap::from([(0, machine)]), Vec::new())
    };
    match start(2).await.err() {
        Some(StartError::Storage(StorageError::NewerCluster { needs, supports })) => {
            assert_eq!((needs, supports), (3, 2));
        }
        other => panic!("{other:?}"),
    }
    cluster.open(1).await;
    // A toy answers where it first saw a command.
    assert_eq!(commit(&cluster.client(1), 0, "kept").await, first);
}
