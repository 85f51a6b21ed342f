//! Nodes that show certificates: who has the right one takes part, everybody else is nobody.

mod certificates;
mod toy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use certificates::{Authority, CLUSTER, Desk};
use raft_node::platform::tls::{Tls, node_name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use toy::{Adjust, Cluster, commit, eventually};

/// Node `i` starts with the `i`th.
fn with(certificates: BTreeMap<u64, Option<Arc<Tls>>>) -> Adjust {
    Arc::new(move |config| config.tls.clone_from(&certificates[&config.node_id]))
}

fn desks(root: &std::path::Path, authority: &Authority) -> BTreeMap<u64, Desk> {
    let desk = |node: u64| {
        let desk = Desk::new(root, &node.to_string());
        desk.trusts(&[authority]);
        desk.has(authority.sign(&node_name(CLUSTER, node), false));
        (node, desk)
    };
    (1..=3).map(desk).collect()
}

#[test]
fn certificates_that_others_would_refuse_are_refused_at_home_first() {
    let root = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let desk = Desk::new(root.path(), "1");
    let name = node_name(CLUSTER, 1);
    desk.trusts(&[&ours]).has(ours.sign(&name, false));
    desk.load_as(1).map(drop).unwrap();

    let refused = |desk: &Desk, says: &str| {
        let error = desk.load_as(1).map(drop).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    };
    desk.has(ours.sign(&node_name(CLUSTER, 2), false));
    refused(&desk, "node-1.");
    desk.has(ours.sign(&node_name(CLUSTER + 1, 1), false));
    refused(&desk, "not a certificate of `node-1.");
    desk.has(ours.sign(&name, true));
    refused(&desk, "expired");
    desk.has(theirs.sign(&name, false));
    refused(&desk, "ca.pem vouches for");
    let (cert, _) = ours.sign(&name, false);
    let (_, key) = ours.sign(&name, false);
    desk.has((cert.clone(), key));
    refused(&desk, "key.pem");
    desk.has((cert, "no PEM".to_owned()));
    refused(&desk, "key.pem");
    desk.has((String::new(), String::new()));
    refused(&desk, "cert.pem: holds no certificate in PEM");
    std::fs::remove_file(desk.files().ca).unwrap();
    refused(&desk, "ca.pem: ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_their_certificates_agree_and_a_caller_without_one_is_hung_up_on() {
    let root = tempfile::tempdir().unwrap();
    let desks = desks(root.path(), &Authority::new("ours"));
    let tls = desks.iter().map(|(n, desk)| (*n, Some(desk.load(*n))));
    let cluster = Cluster::start(3, vec![0], with(tls.collect())).await;
    for node in [1, 2, 3] {
        commit(&cluster.client(node), 0, &format!("by {node}")).await;
    }
    cluster.converge(0).await;

    let mut stream = tokio::net::TcpStream::connect(&cluster.peers[&1])
        .await
        .unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    // A reset is as good as an end.
    let _ = ended.await.expect("hung up on");
    assert!(answer.len() < 16, "no more than an alert: {answer:?}");
}

/// Two nodes of three are as they should be. The third is not, takes no part, and does no harm.
async fn takes_no_part(third: Option<Arc<Tls>>) {
    let root = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let desks = desks(root.path(), &ours);
    let mut tls = BTreeMap::from([1, 2].map(|node| (node, Some(desks[&node].load(node)))));
    tls.insert(3, third);
    let cluster = Cluster::start(3, vec![0], with(tls)).await;
    commit(&cluster.client(1), 0, "without the third").await;
    let index = commit(&cluster.client(2), 0, "and again").await;
    eventually("both have it", || {
        [1, 2]
            .iter()
            .all(|node| cluster.status(*node, 0).applied >= index)
            .then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stranger = cluster.status(3, 0);
    assert_eq!((stranger.last_log_index, stranger.leader), (0, None));
    let terms = [1, 2].map(|node| cluster.status(node, 0).term);
    assert_eq!(terms, [cluster.status(1, 0).term; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_certificates_takes_no_part() {
    takes_no_part(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_another_authority_vouches_for_takes_no_part() {
    let root = tempfile::tempdir().unwrap();
    let theirs = Authority::new("theirs");
    let desk = Desk::new(root.path(), "3");
    desk.trusts(&[&theirs]);
    desk.has(theirs.sign(&node_name(CLUSTER, 3), false));
    takes_no_part(Some(desk.load(3))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_under_the_same_authority_takes_no_part() {
    let root = tempfile::tempdir().unwrap();
    let theirs = Authority::new("shared");
    let desk = Desk::new(root.path(), "3");
    desk.trusts(&[&theirs]);
    let name = node_name(CLUSTER + 1, 3);
    desk.has(theirs.sign(&name, false));
    let tls = Tls::load(desk.files(), &name, &["h2"]).unwrap();
    takes_no_part(Some(Arc::new(tls))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificate_of_one_node_does_not_speak_for_another() {
    let root = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let desks = desks(root.path(), &ours);
    // The third shows the second's, signed by the very authority that everybody trusts.
    let tls = BTreeMap::from([
        (1, Some(desks[&1].load(1))),
        (2, Some(desks[&2].load(2))),
        (3, Some(desks[&2].load(2))),
    ]);
    let cluster = Cluster::start(3, vec![0], with(tls)).await;
    commit(&cluster.client(1), 0, "without the third").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stranger = cluster.status(3, 0);
    assert_eq!((stranger.last_log_index, stranger.leader), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authority_and_certificates_are_exchanged_while_commands_are_committed() {
    let root = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let desks = desks(root.path(), &old);
    let tls: BTreeMap<u64, Arc<Tls>> = desks.iter().map(|(n, d)| (*n, d.load(*n))).collect();
    let some = tls.iter().map(|(n, tls)| (*n, Some(tls.clone())));
    let mut cluster = Cluster::start(3, vec![0], with(some.collect())).await;
    commit(&cluster.client(1), 0, "with the old one").await;

    // A mistake changes nothing, and is told.
    desks[&1].has((String::new(), String::new()));
    assert!(tls[&1].reload().is_err());
    desks[&1].has(old.sign(&node_name(CLUSTER, 1), false));
    assert!(tls[&1].reload().unwrap());
    assert!(!tls[&1].reload().unwrap(), "nothing has changed since");

    let step = |authorities: &[&Authority], signer: Option<&Authority>| {
        for (node, desk) in &desks {
            desk.trusts(authorities);
            if let Some(signer) = signer {
                desk.has(signer.sign(&node_name(CLUSTER, *node), false));
            }
            assert!(tls[node].reload().unwrap());
        }
    };
    // Each step is taken everywhere before the next; after each, somebody has to dial anew.
    step(&[&old, &new], None);
    cluster.kill(2);
    cluster.open(2).await;
    commit(&cluster.client(2), 0, "both are trusted").await;
    step(&[&old, &new], Some(&new));
    cluster.kill(3);
    cluster.open(3).await;
    commit(&cluster.client(3), 0, "the new one signs").await;
    step(&[&new], None);
    cluster.kill(1);
    cluster.open(1).await;
    commit(&cluster.client(1), 0, "only the new one is trusted").await;
    cluster.converge(0).await;
}
