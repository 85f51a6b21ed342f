//! Backups of a real cluster in this process: taken in a rush, verified, restored, sold on from.

mod backup_support;

use std::path::Path;
use std::time::Instant;

use backup_support::{Nodes, Rush, SHARDS, Shop, configs, open_event};
use server::audit_client::{audit_nodes, fetch};
use server::backup::chain::Chain;
use server::backup::create::create;
use server::backup::restore::restore;
use server::node::config::Config;

/// Files of a new cluster that goes on with the keys of `old`.
fn successor(root: &Path, nodes: u64, old: &Config, shop: &Shop) -> Vec<Config> {
    let mut files = configs(root, nodes, shop.address);
    for file in &mut files {
        file.lineage = Some(old.lineage());
    }
    files
}

/// Every paid order and its tickets, as the replicas of one node have them.
async fn paid(nodes: &Nodes) -> std::collections::BTreeMap<String, Vec<String>> {
    let replica = fetch::replica(nodes.admins()[0]).await.unwrap();
    let orders = replica.groups.into_iter().flat_map(|group| group.orders);
    orders
        .filter(|order| order.is_paid())
        .map(|order| (order.order_id, order.tickets))
        .collect()
}

/// Goal: what was acknowledged before a backup began is in it; it is the very state the cluster had
/// at those indexes; a new cluster of any size goes on from it. Method: people buy across shards all
/// the while; witnesses in every node note the digest of every state it was ever in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_in_a_rush_is_the_cluster_at_its_cut_and_sells_on_in_a_new_one() {
    let root = tempfile::tempdir().unwrap();
    let shop = Shop::open().await;
    let old = Nodes::found(configs(&root.path().join("old"), 3, shop.address)).await;
    let event = open_event(&old).await.event;
    let rush = Rush::begin(&old, &event, 12, 1).await;
    rush.until(150).await;

    let (dir, began) = (root.path().join("backup"), Instant::now());
    let created = create(&dir, &old.admin_names(), None).await.unwrap();
    let before: Vec<_> = rush.sales().into_iter().filter(|sale| sale.paid_at < began).collect();
    rush.until(before.len() + 60).await;
    let all = rush.end().await;

    for group in &created.manifest.groups {
        let live = old.digests.at(group.group, group.index);
        assert_eq!(live.as_ref(), Some(&group.digest), "group {}", group.group);
    }
    let snapshots = created.manifest.groups.iter();
    assert!(
        snapshots.filter(|group| group.snapshot.is_some()).count() > 0,
        "no group had a snapshot: the test shows less than it should"
    );
    old.stop().await;
    Chain::open(&dir).unwrap().load().unwrap();

    for (number, size) in [3, 1, 5].into_iter().enumerate() {
        let root = root.path().join(format!("new-{size}"));
        let files = successor(&root, size, &all_of(&dir, &shop), &shop);
        let restored = restore(&dir, &files, None).await.unwrap();
        for (made, told) in restored.iter().zip(&created.manifest.groups) {
            assert_eq!((made.index, &made.digest), (told.index, &told.digest));
        }
        assert_eq!(restored.len(), usize::from(SHARDS) + 1);

        let new = Nodes::start(files).await;
        new.await_ready().await;
        let paid = paid(&new).await;
        for sale in &before {
            assert_eq!(paid.get(&sale.order), Some(&sale.tickets), "{sale:?}");
        }
        assert!(paid.len() <= all.len());
        let rush = Rush::begin(&new, &event, 4, 100 + number as u64).await;
        rush.until(20).await;
        rush.end().await;
        let patience = std::time::Duration::from_secs(20);
        let findings = audit_nodes(&new.admins(), None, patience).await.unwrap();
        assert!(findings.all_held(), "{:?}", findings.lines());
        new.stop().await;
    }
}

/// A configuration with the lineage of a backup.
fn all_of(dir: &Path, shop: &Shop) -> Config {
    let chain = Chain::open(dir).unwrap();
    let mut config = configs(dir, 1, shop.address).remove(0);
    config.lineage = Some(chain.newest().manifest.lineage);
    config
}
