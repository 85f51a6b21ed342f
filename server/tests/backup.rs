//! Backups of a real cluster in this process: taken in a rush, verified, restored, sold on from.

#![allow(
    clippy::disallowed_methods,
    reason = "clients beside a cluster: real time"
)]

mod backup_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::payments::SandboxGateway;
use backup_support::{Nodes, Rush, SHARDS, Sale, Shop, call, configs, open_event};
use raft_node::platform::Platform;
use serde_json::{Value, json};
use server::audit_client::provider::Payment;
use server::audit_client::{audit_nodes, fetch};
use server::backup::chain::Chain;
use server::backup::create::create;
use server::backup::manifest::{self, Manifest};
use server::backup::reconcile::{Verdict, reconcile};
use server::backup::restore::restore;
use server::backup::{Point, cut};
use server::demo::door::Doors;
use server::demo::opening;
use server::dice::Dice;
use server::http_client::{Connection, Request, bearer};
use server::node::admin::TrailView;
use server::node::config::Config;
use sha2::{Digest, Sha256};

const SOON: Duration = Duration::from_secs(20);

/// Files of a new cluster that goes on with the keys of `old`.
fn successor(root: &Path, nodes: u64, old: &Config, shop: &Shop) -> Vec<Config> {
    let mut files = configs(root, nodes, shop.address);
    for file in &mut files {
        file.lineage = Some(old.lineage());
    }
    files
}

/// Every paid order and its tickets, as the replicas of one node have them.
async fn paid(nodes: &Nodes) -> BTreeMap<String, Vec<String>> {
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
    let before: Vec<_> = rush
        .sales()
        .into_iter()
        .filter(|sale| sale.paid_at < began)
        .collect();
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

        if number == 0 {
            give_back(&files[0], &before, &all, &shop).await;
        }
        let new = Nodes::start(files).await;
        new.await_ready().await;
        // The record of what was done goes on where the old cluster's ended.
        let mut admin = Connection::new(new.admins()[0]);
        let trail = admin.call(&Request::get("/admin/trail"), SOON).await;
        let trail: TrailView = serde_json::from_slice(trail.unwrap().body).unwrap();
        let actions: Vec<_> = trail.records.iter().map(|r| r.action.as_str()).collect();
        assert_eq!(actions[..2], ["cluster.init", "event.create"], "{trail:?}");
        let restored = trail.records.last().unwrap();
        assert_eq!(restored.action, "cluster.restore", "{trail:?}");
        assert_eq!(restored.by, "command line");
        assert!(
            restored
                .about
                .contains(&created.manifest.cluster_id.to_string())
        );
        let paid = paid(&new).await;
        for sale in &before {
            assert_eq!(paid.get(&sale.order), Some(&sale.tickets), "{sale:?}");
        }
        assert!(paid.len() <= all.len());
        let rush = Rush::begin(&new, &event, 4, 100 + number as u64).await;
        rush.until(20).await;
        rush.end().await;
        if number == 0 {
            nothing_is_under_way(&new).await;
            let again = reconcile(&new.configs[0], true).await.unwrap_err();
            assert!(again.to_string().contains("runs already"), "{again}");
        }
        // The other two are clones, whose provider serves the first as well.
        let provider = (number == 0).then_some(shop.address);
        let findings = audit_nodes(&new.admins(), provider, SOON).await.unwrap();
        assert!(findings.all_held(), "{:?}", findings.lines());
        new.stop().await;
    }
}

/// Money taken after the cut goes back before the new cluster begins: first it is only told.
async fn give_back(file: &Config, before: &[Sale], all: &[Sale], shop: &Shop) {
    let charges = |payments: Vec<Payment>| -> usize {
        let charges = payments
            .iter()
            .filter(|payment| payment.is_charge() || payment.is_open());
        charges.count()
    };
    let held = charges(fetch::payments(shop.address).await.unwrap());
    let told = reconcile(file, false).await.unwrap();
    let strays = told.count(|verdict| matches!(verdict, Verdict::Undo(_)));
    // Whatever was paid before is kept; of the rest some were within the cut or under way at it.
    assert!(
        strays > 0 && strays <= all.len() - before.len() + 12,
        "{strays}"
    );
    assert_eq!(
        told.count(|verdict| matches!(verdict, Verdict::Look(_))),
        0,
        "{told:?}"
    );
    assert_eq!(
        charges(fetch::payments(shop.address).await.unwrap()),
        held,
        "only told"
    );
    let done = reconcile(file, true).await.unwrap();
    assert_eq!(done.count(|verdict| *verdict == Verdict::Undone), strays);
    assert_eq!(
        charges(fetch::payments(shop.address).await.unwrap()),
        held - strays
    );
    let again = reconcile(file, true).await.unwrap();
    assert_eq!((again.payments.len(), again.ours), (0, done.ours));
}

/// Waits until no payment and no message is owed.
async fn nothing_is_under_way(nodes: &Nodes) {
    let start = Instant::now();
    loop {
        let mut owed = 0;
        for group in 1..=SHARDS {
            let path = format!("/admin/audit?group={group}");
            let request = Request::get(&path);
            let (status, view) = call(&mut Connection::new(nodes.admins()[0]), &request).await;
            assert_eq!(status, 200);
            owed += view["owed"].as_u64().unwrap();
        }
        if owed == 0 {
            return;
        }
        assert!(start.elapsed() < 2 * SOON, "{owed} still owed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A configuration with the lineage of a backup.
fn all_of(dir: &Path, shop: &Shop) -> Config {
    let chain = Chain::open(dir).unwrap();
    let mut config = configs(dir, 1, shop.address).remove(0);
    config.lineage = Some(chain.newest().manifest.lineage);
    config
}

/// A backup of a node that sold for a while, with the whole log in it, and an incremental one.
async fn two_backups(root: &Path, shop: &Shop, sales: usize) -> (Config, PathBuf, PathBuf) {
    let mut files = configs(&root.join("old"), 1, shop.address);
    files[0].raft.snapshot_every_entries = 100_000;
    let old = Nodes::found(files).await;
    let event = open_event(&old).await.event;
    let rush = Rush::begin(&old, &event, sales.min(12), 7).await;
    rush.until(sales).await;
    let (full, later) = (root.join("full"), root.join("later"));
    create(&full, &old.admin_names(), None).await.unwrap();
    rush.until(2 * sales).await;
    let made = create(&later, &old.admin_names(), Some(&full))
        .await
        .unwrap();
    assert_eq!(made.full_because, None);
    assert!(
        made.manifest
            .groups
            .iter()
            .all(|group| group.snapshot.is_none())
    );
    rush.end().await;
    for group in &made.manifest.groups {
        let live = old.digests.at(group.group, group.index);
        assert_eq!(live.as_ref(), Some(&group.digest), "group {}", group.group);
    }
    let config = old.configs[0].clone();
    old.stop().await;
    (config, full, later)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Spoils one file of a backup; says what was done to it.
fn spoil(dir: &Path, dice: &mut Dice) -> String {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let path = &files[dice.index(files.len())];
    let mut bytes = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let what = if dice.percent(50) {
        let bit = dice.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        format!("bit {bit} of {name}")
    } else {
        let length = dice.index(bytes.len());
        bytes.truncate(length);
        format!("{name} cut to {length}")
    };
    std::fs::write(path, bytes).unwrap();
    what
}

/// Goal: nothing that was damaged, cut short, mixed up or meant for somebody else is restored, and
/// nothing is written on the way to that. Then the points that can be restored, and that a cut which
/// was not closed is not consistent while a closed one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_damaged_is_refused_and_any_moment_of_the_log_is_a_consistent_cut_once_closed() {
    let root = tempfile::tempdir().unwrap();
    let shop = Shop::open().await;
    let (old, full, later) = two_backups(root.path(), &shop, 50).await;
    let files = successor(&root.path().join("new"), 1, &old, &shop);
    let place = &files[0].data_dir;
    let mut dice = Dice::seeded(4);

    // 100 spoiled backups, of either kind; the name of the part stands in the refusal.
    for round in 0..100 {
        let (whole, name) = if round % 2 == 0 {
            (&full, "full")
        } else {
            (&later, "later")
        };
        let spoiled = root.path().join(format!("spoiled-{round}"));
        copy(&full, &spoiled.join("full"));
        copy(whole, &spoiled.join(name));
        let what = spoil(&spoiled.join(name), &mut dice);
        let refused = restore(&spoiled.join(name), &files, None).await;
        let refused = refused.err().unwrap_or_else(|| panic!("{what}: restored"));
        let file = what.split(' ').find(|word| word.contains('.')).unwrap();
        let named = refused.to_string().contains(file) || file.starts_with("manifest");
        assert!(named, "{what}: {refused}");
        assert!(!place.exists(), "{what}: something was written");
        std::fs::remove_dir_all(&spoiled).unwrap();
    }

    // The same behind the back of the manifest: its hashes are those of the damaged part.
    for round in 0..40 {
        let spoiled = root.path().join("forged");
        copy(&full, &spoiled);
        let (mut manifest, _) = Manifest::read(&spoiled).unwrap();
        let group = dice.index(manifest.groups.len());
        let path = spoiled.join(&manifest.groups[group].log.file);
        let mut bytes = std::fs::read(&path).unwrap();
        let bit = dice.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        manifest.groups[group].log.sha256 = sha256(&bytes);
        std::fs::write(&path, bytes).unwrap();
        for name in [manifest::FILE, manifest::HASH_FILE] {
            std::fs::remove_file(spoiled.join(name)).unwrap();
        }
        manifest.write(&spoiled).unwrap();
        let refused = restore(&spoiled, &files, None).await;
        assert!(
            refused.is_err(),
            "round {round}: bit {bit} of {}",
            path.display()
        );
        assert!(!place.exists());
        std::fs::remove_dir_all(&spoiled).unwrap();
    }

    // Parts that are missing, too many, or each other's; a manifest that never came.
    let mixed = root.path().join("mixed");
    let log = |group| mixed.join(manifest::log_file(group));
    let cases: [(&str, &dyn Fn()); 5] = [
        ("is missing", &|| std::fs::remove_file(log(2)).unwrap()),
        ("does not belong", &|| {
            std::fs::write(mixed.join("x"), b"").unwrap()
        }),
        ("SHA-256", &|| {
            std::fs::rename(log(1), mixed.join("x")).unwrap();
            std::fs::copy(log(2), log(1)).unwrap();
            std::fs::rename(mixed.join("x"), log(2)).unwrap();
        }),
        ("cut short", &|| {
            std::fs::remove_file(mixed.join(manifest::HASH_FILE)).unwrap();
        }),
        ("cut short", &|| {
            std::fs::remove_file(mixed.join(manifest::FILE)).unwrap();
        }),
    ];
    for (reason, spoil) in cases {
        copy(&full, &mixed);
        spoil();
        let refused = restore(&mixed, &files, None).await.unwrap_err().to_string();
        let other = "bytes, and should have";
        assert!(
            refused.contains(reason) || refused.contains(other),
            "{reason}: {refused}"
        );
        assert!(!place.exists());
        std::fs::remove_dir_all(&mixed).unwrap();
    }
    copy(&later, &mixed);
    std::fs::rename(&full, root.path().join("away")).unwrap();
    let refused = restore(&mixed, &files, None).await.unwrap_err().to_string();
    assert!(refused.contains("is not there"), "{refused}");
    std::fs::rename(root.path().join("away"), &full).unwrap();

    // Files of the wrong cluster.
    type Change = fn(&mut Config, &Config);
    let cases: [(&str, Change); 4] = [
        ("cluster_id", |file, old| file.cluster_id = old.cluster_id),
        ("lineage", |file, _| file.lineage = None),
        ("shards", |file, _| file.shards += 1),
        ("not empty", |file, old| {
            file.data_dir = old.data_dir.join("wal")
        }),
    ];
    for (reason, change) in cases {
        let mut files = files.clone();
        change(&mut files[0], &old);
        let refused = restore(&full, &files, None).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{reason}: {refused}");
        assert!(!place.exists());
    }
    let mut onto_live = files.clone();
    onto_live[0].data_dir = old.data_dir.clone();
    let refused = restore(&full, &onto_live, None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("a node's data directory already"),
        "{refused}"
    );
    let refused = create(&full, &[], None).await.unwrap_err().to_string();
    assert!(refused.contains("there is a backup already"), "{refused}");

    // Cuts through a conversation, and the same closed.
    let chain = Chain::open(&later).unwrap();
    let all = chain.all_entries().unwrap();
    let (mut naive_bad, rounds) = (0, 25);
    for _ in 0..rounds {
        let mut world = chain.base().unwrap();
        let mut ahead = BTreeMap::new();
        // Some moment, and every group at it but for a few entries.
        let moment = dice.below(1_000) as usize;
        for (&group, entries) in &all {
            let upto = entries.len() * moment / 1_000 + dice.index(6);
            let upto = upto.min(entries.len());
            for entry in &entries[..upto] {
                world.apply(group, entry).unwrap();
            }
            ahead.insert(group, entries[upto..].to_vec());
        }
        naive_bad += usize::from(!cut::unmet(&world.replicas).is_empty());
        let left = cut::close(&mut world, &ahead).unwrap();
        assert_eq!(left, [], "unmet in a closed cut");
        assert_eq!(world.broken(), None);
    }
    assert!(
        naive_bad > rounds / 2,
        "only {naive_bad} of {rounds} cuts were bad"
    );

    // A point on the way, and one that never was.
    let last = &chain.newest().manifest.groups[1];
    let at = Point {
        group: 1,
        index: last.index / 2,
    };
    let refused_or_done = restore(&later, &files, Some(at)).await;
    let point = match refused_or_done {
        Ok(restored) => restored[1].index,
        Err(refused) => {
            let text = refused.to_string();
            let next = text.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(next > at.index, "{text}");
            let at = Point { index: next, ..at };
            restore(&later, &files, Some(at)).await.unwrap()[1].index
        }
    };
    assert!(point < last.index);
    let far = Point {
        group: 1,
        index: last.index + 1,
    };
    std::fs::remove_dir_all(place).unwrap();
    let refused = restore(&later, &files, Some(far))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("can be restored at entries 0 to"),
        "{refused}"
    );
    assert!(!place.exists());

    // And the end of the incremental one is where the cluster was.
    restore(&later, &files, None).await.unwrap();
    let new = Nodes::start(files.clone()).await;
    new.await_ready().await;
    new.stop().await;

    // A node that is told another lineage than its cluster's state has stops.
    let mut astray = files;
    astray[0].lineage = None;
    let platform = Platform::os(&astray[0].data_dir).unwrap();
    let gateway = SandboxGateway::new(&astray[0].payments.url, SOON).unwrap();
    let node = server::node::run(astray[0].clone(), platform, Arc::new(gateway)).await;
    let stopped = tokio::time::timeout(SOON, node.unwrap().serve(std::future::pending()));
    let stopped = stopped.await.expect("it stops").unwrap_err().to_string();
    assert!(stopped.contains("lineage"), "{stopped}");
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The backup that release 0.1.0 made is read for ever: what its state comes to is in its manifest.
/// `USHER_GOLDEN=DIR` makes one more, in DIR.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_an_older_release_comes_to_the_state_it_was_made_of() {
    if let Some(dir) = std::env::var_os("USHER_GOLDEN") {
        let (root, shop) = (tempfile::tempdir().unwrap(), Shop::open().await);
        let (_, full, later) = two_backups(root.path(), &shop, 4).await;
        copy(&full, &Path::new(&dir).join("full"));
        copy(&later, &Path::new(&dir).join("later"));
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/backup-v1/later");
    let chain = Chain::open(&golden).unwrap();
    assert_eq!(chain.links().len(), 2);
    let world = chain.load().unwrap();
    let sold = |shard: u16| {
        world.replicas.ledgers[&ledger::ShardId(shard)].look(|ledger, _, _| ledger.tickets().len())
    };
    assert!((1..=SHARDS).map(sold).sum::<usize>() > 0);

    // A group that is further than what the others will have (a snapshot that is newer than the
    // answers to the second question, once) leaves a need that nothing meets, and that is seen.
    let mut ahead_of_all = chain.base().unwrap();
    for entry in &chain.all_entries().unwrap()[&1] {
        ahead_of_all.apply(1, entry).unwrap();
    }
    let left = cut::close(&mut ahead_of_all, &BTreeMap::new()).unwrap();
    assert!(left.iter().any(cut::Need::is_strict), "{left:?}");
}

/// A buyer who keeps their token, and what they ask for.
struct Buyer {
    bearer: String,
}

impl Buyer {
    async fn new(nodes: &Nodes) -> Self {
        let doors = Doors::new(&nodes.doors(), 1);
        let token = opening::token(&doors, "a faithful buyer", "buyer").await;
        Self {
            bearer: bearer(&token.unwrap()),
        }
    }

    async fn post(&self, nodes: &Nodes, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let request = Request::post(path, body.as_bytes()).with_headers(&self.bearer);
        call(&mut Connection::new(nodes.doors()[0]), &request).await
    }

    async fn reserve(&self, nodes: &Nodes, event: &str, row: u32) -> String {
        let seats = [format!("S0-{row}-1"), format!("S5-{row}-1")];
        let body = json!({"event_id": event, "seat_ids": seats});
        let (status, answer) = self.post(nodes, "/api/v1/seats/reserve", &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["order_id"].as_str().unwrap().to_owned()
    }

    async fn pay(&self, nodes: &Nodes, order: &str) -> (u16, Value) {
        let path = format!("/api/v1/orders/{order}/pay");
        self.post(nodes, &path, &json!({"payment_method": "pm_ok"}))
            .await
    }

    /// Asks until the order is paid.
    async fn get_paid(&self, nodes: &Nodes, order: &str) {
        let start = Instant::now();
        loop {
            let (status, answer) = self.pay(nodes, order).await;
            if status == 200 {
                return;
            }
            assert!(start.elapsed() < 2 * SOON, "{status} {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn dial(shop: &Shop, faults: &str) {
    let request = Request {
        method: "PUT",
        path: "/v1/faults",
        headers: "",
        body: faults.as_bytes(),
    };
    let (status, _) = call(&mut Connection::new(shop.address), &request).await;
    assert_eq!(status, 200);
}

/// Goal: nobody is charged twice, and nobody gets seats for money that went back, whatever the old
/// cluster did after the cut. Method: one order whose payment is in doubt at the cut, one that is paid
/// after it, one that is paid and refunded after it; all three are paid again in the new cluster,
/// by the same buyer with the same token, without anybody having reconciled anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_was_under_way_or_came_after_the_cut_is_asked_for_again_under_its_old_key() {
    let root = tempfile::tempdir().unwrap();
    let shop = Shop::open().await;
    let old = Nodes::found(configs(&root.path().join("old"), 1, shop.address)).await;
    let opened = open_event(&old).await;
    let buyer = Buyer::new(&old).await;
    let mut orders = Vec::new();
    for row in 1..=4 {
        orders.push(buyer.reserve(&old, &opened.event, row).await);
    }
    let [sold, doubtful, later, refunded] = &orders[..] else {
        panic!("four orders")
    };
    buyer.get_paid(&old, sold).await;
    let ticket_keys = Request::get("/.well-known/usher-ticket-keys.json");
    let (_, keys) = call(&mut Connection::new(old.doors()[0]), &ticket_keys).await;

    dial(&shop, r#"{"delay_ms": 15000}"#).await;
    let (status, _) = buyer.pay(&old, doubtful).await;
    assert_eq!(status, 202, "in doubt");
    let dir = root.path().join("backup");
    create(&dir, &old.admin_names(), None).await.unwrap();
    dial(&shop, r#"{"delay_ms": 0}"#).await;
    buyer.get_paid(&old, later).await;
    buyer.get_paid(&old, refunded).await;
    buyer.get_paid(&old, doubtful).await;
    let organizer = Buyer {
        bearer: opened.organizer,
    };
    let path = format!("/api/v1/orders/{refunded}/refund");
    assert_eq!(organizer.post(&old, &path, &json!({})).await.0, 202);
    nothing_is_under_way(&old).await;
    let (seller, charged) = (
        old.configs[0].clone(),
        fetch::payments(shop.address).await.unwrap(),
    );
    assert_eq!(
        charged.iter().filter(|payment| payment.is_charge()).count(),
        3
    );
    old.stop().await;

    let files = successor(&root.path().join("new"), 1, &seller, &shop);
    restore(&dir, &files, None).await.unwrap();
    let new = Nodes::start(files).await;
    new.await_ready().await;
    let (_, same) = call(&mut Connection::new(new.doors()[0]), &ticket_keys).await;
    assert_eq!(
        keys, same,
        "tickets sold before are checked with the same keys"
    );
    for order in &orders {
        buyer.get_paid(&new, order).await;
    }
    nothing_is_under_way(&new).await;
    let payments = fetch::payments(shop.address).await.unwrap();
    for order in &orders {
        let of = payments.iter().filter(|payment| payment.order == *order);
        let (charges, rest): (Vec<_>, Vec<_>) = of.partition(|payment| payment.is_charge());
        assert_eq!(charges.len(), 1, "{order}: {charges:?} {rest:?}");
        assert_eq!(
            rest.len(),
            usize::from(order == refunded),
            "{order}: {rest:?}"
        );
    }
    let findings = audit_nodes(&new.admins(), Some(shop.address), SOON)
        .await
        .unwrap();
    assert!(findings.all_held(), "{:?}", findings.lines());
    new.stop().await;
}

/// The commands of a section of the operator's handbook, block by block.
fn commands(section: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let from = page.find(section).expect("the section is there");
    let section = &page[from + section.len()..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let blocks = section.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block[..block.find("```").unwrap()].lines());
    lines.map(str::to_owned).collect()
}

/// Goal: what the handbook says works as it is typed. Method: its commands are read from the page and
/// run with the real binary; only the address of the cluster is put in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handbooks_commands_do_what_it_says() {
    let root = tempfile::tempdir().unwrap();
    let shop = Shop::open().await;
    let old = Nodes::found(configs(&root.path().join("old"), 3, shop.address)).await;
    let event = open_event(&old).await.event;
    let mut rush = Some(Rush::begin(&old, &event, 6, 9).await);
    rush.as_ref().unwrap().until(30).await;
    let files = successor(&root.path().join("new"), 3, &old.configs[0], &shop);
    std::fs::create_dir(root.path().join("new")).unwrap();
    std::fs::create_dir(root.path().join("backups")).unwrap();
    for file in &files {
        let path = root.path().join(format!("new/node-{}.toml", file.node_id));
        std::fs::write(path, toml::to_string(file).unwrap()).unwrap();
    }
    let (admin, mut old) = (old.admin_names()[0].clone(), Some(old));
    let usher = Path::new(env!("CARGO_BIN_EXE_usher"));
    let (mut children, mut said) = (Vec::new(), String::new());
    for line in commands("## Backup and restore") {
        let line = line.replace("127.0.0.1:8091", &admin);
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], "usher", "{line}");
        let mut command = tokio::process::Command::new(usher);
        command
            .args(&words[1..])
            .current_dir(root.path())
            .kill_on_drop(true);
        if words[1] == "start" {
            let quiet = std::process::Stdio::null;
            children.push(command.stdout(quiet()).stderr(quiet()).spawn().unwrap());
            continue;
        }
        if words[2] == "restore" {
            if let Some(rush) = rush.take() {
                rush.until(rush.sales().len() + 5).await;
                rush.end().await;
            }
            old.take().unwrap().stop().await;
        }
        let done = command.output().await.unwrap();
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        // What is only told has still to be done.
        let expected = i32::from(words[2] == "reconcile" && !words.contains(&"--apply"));
        assert_eq!(done.status.code(), Some(expected), "{line}\n{told}");
        said.push_str(&told);
    }
    for words in [
        "incremental",
        "whole, consistent, and restorable",
        "given back",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let start = Instant::now();
    for file in &files {
        let ready = Request::get("/readyz");
        loop {
            let (status, said) = call(&mut Connection::new(file.http), &ready).await;
            if status == 200 {
                break;
            }
            assert!(start.elapsed() < 2 * SOON, "node {}: {said}", file.node_id);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let admins: Vec<_> = files.iter().map(|file| file.admin).collect();
    let findings = audit_nodes(&admins, None, SOON).await.unwrap();
    assert!(findings.all_held(), "{:?}", findings.lines());
    for mut child in children {
        child.kill().await.unwrap();
    }
}
