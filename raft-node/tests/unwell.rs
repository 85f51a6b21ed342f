//! Goal: a node whose disk is full, whose clock is wrong, or whose directory is empty although it
//! should not be, harms nobody, and the first two come back by themselves.
//!
//! Method: three nodes over real sockets, on disks that can be made to have no room and clocks that
//! can be set.

mod toy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use raft_node::health::Cause;
use raft_node::platform::sim_disk::{CrashMode, SimDisk};
use raft_node::platform::{Clock, Platform};
use raft_node::storage::{Level, StorageOptions};
use raft_node::{ProposeError, Role};
use toy::{Cluster, commit, eventually};

/// What stands still for so long is called stuck; four times as long, and its node ends.
const STUCK_AFTER: Duration = Duration::from_millis(1_500);

/// Three nodes on disks of their own, brought into being.
async fn on_disks(
    storage: StorageOptions,
    keep_free_bytes: Option<u64>,
) -> (Cluster, BTreeMap<u64, SimDisk>) {
    let adjust: toy::Adjust = Arc::new(move |config| {
        if let Some(keep) = keep_free_bytes {
            config.keep_free_bytes = keep;
        }
        config.stuck_after_ms = STUCK_AFTER.as_millis() as u64;
    });
    let mut cluster = Cluster::prepare(3, vec![1], adjust, Vec::new());
    let disks: BTreeMap<u64, SimDisk> = (1..=3).map(|node| (node, SimDisk::new(node))).collect();
    let of = disks.clone();
    cluster.machine = Arc::new(move |node, platform: &mut Platform| {
        platform.disk = of[&node].mount();
    });
    cluster.storage = storage;
    for node in 1..=3 {
        cluster.open(node).await;
    }
    cluster.nodes[&1].initialize().await.unwrap();
    cluster.leader(1).await;
    (cluster, disks)
}

fn leave(disk: &SimDisk, bytes: u64) {
    disk.set_quota(Some(disk.used_bytes() + bytes));
}

/// Node 1 has this committed, be it after some tries.
async fn accepts(cluster: &Cluster, command: &'static [u8]) {
    let client = cluster.client(1);
    let accepted = async {
        let propose = || client.propose(1, Bytes::from_static(command), Duration::from_secs(1));
        while propose().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), accepted)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_disk_runs_full_hands_over_to_one_with_room_and_comes_back_by_itself() {
    let (cluster, disks) = on_disks(StorageOptions::default(), None).await;
    let full = cluster.leader(1).await;
    let other = full % 3 + 1;
    commit(&cluster.client(other), 1, "1 before").await;
    // Of some 32 MiB: short of the 2 % that are kept, and far from a quarter of them.
    leave(&disks[&full], 400_000);
    eventually("another leader", || {
        let status = cluster.status(other, 1);
        status.leader.filter(|leader| *leader != full)
    })
    .await;
    let room = cluster.nodes[&full].health().room();
    assert_eq!(room.level(), Level::Short);
    assert!(cluster.nodes[&other].has_room(), "whoever leads has room");
    commit(&cluster.client(full), 1, "2 meanwhile").await;
    // By then everybody has asked how it is.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let back = cluster.nodes[&other].move_leader(1, full).await;
    let back = back.unwrap_err().to_string();
    assert!(back.contains("its disk is full"), "{back}");

    disks[&full].set_quota(None);
    eventually("room", || (room.level() == Level::Ample).then_some(())).await;
    eventually("it may lead again", || {
        cluster.nodes[&full]
            .health()
            .unfit()
            .is_none()
            .then_some(())
    })
    .await;
    cluster.converge(1).await;
}

/// A placement may want node 1 to lead, and it is being stopped: what it handed over was handed back to
/// it while it waited for its last requests, and handed over once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_hands_over_and_nobody_has_it_lead_again() {
    let (cluster, _) = on_disks(StorageOptions::default(), None).await;
    let leaves = cluster.leader(1).await;
    let other = leaves % 3 + 1;
    commit(&cluster.client(other), 1, "1 before").await;
    // By then everybody has asked how it is.
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.nodes[&leaves].hand_over().await;
    let heir = eventually("another leader", || {
        let status = cluster.status(other, 1);
        status.leader.filter(|leader| *leader != leaves)
    })
    .await;
    let back = cluster.nodes[&heir].move_leader(1, leaves).await;
    let back = back.unwrap_err().to_string();
    assert!(back.contains("it is being stopped"), "{back}");
    commit(&cluster.client(leaves), 1, "2 while it stops").await;
    let between = cluster.nodes[&other]
        .move_leader(1, 6 - leaves - heir)
        .await;
    between.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_disk_has_room_new_commands_are_refused_by_name_until_there_is_some_again() {
    let (cluster, disks) = on_disks(StorageOptions::default(), None).await;
    commit(&cluster.client(1), 1, "1 before").await;
    disks.values().for_each(|disk| leave(disk, 2_000));
    let refused = async {
        loop {
            let command = Bytes::from_static(b"2 meanwhile");
            let proposed = cluster
                .client(1)
                .propose(1, command, Duration::from_secs(1))
                .await;
            if proposed == Err(ProposeError::NoRoom) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .unwrap();
    assert!(!cluster.nodes[&1].has_room() || !cluster.nodes[&2].has_room());
    let read = cluster
        .client(2)
        .read_index(1, Duration::from_secs(5))
        .await;
    assert!(read.is_ok(), "reads go on: {read:?}");

    disks.values().for_each(|disk| disk.set_quota(None));
    eventually("room", || cluster.nodes[&1].has_room().then_some(())).await;
    accepts(&cluster, b"3 after").await;
    cluster.converge(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_find_no_room_at_all_wait_for_it_and_nobody_ends() {
    let small = StorageOptions {
        segment_bytes: 4_096,
        segments_before_rewrite: 4,
        ..StorageOptions::default()
    };
    // Nothing is kept free: it runs into the wall.
    let (cluster, disks) = on_disks(small, Some(0)).await;
    disks.values().for_each(|disk| leave(disk, 6_000));
    let mut told = 0;
    let wall = async {
        loop {
            told += 1;
            let command = Bytes::from(format!("{told} {}", "x".repeat(300)));
            // Refused, or unknown: nothing that was promised is at stake.
            let _ = cluster
                .client(1)
                .propose(1, command, Duration::from_millis(500))
                .await;
            let rooms = cluster.nodes.values().map(|node| node.health().room());
            let (waits, scarce) = rooms.fold((0, 0), |(waits, scarce), room| {
                let is_scarce = usize::from(room.level() == Level::Scarce);
                (waits + usize::from(room.waiting() > 0), scarce + is_scarce)
            });
            if waits >= 2 && scarce >= 2 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wall)
        .await
        .expect("they run into it");
    tokio::time::sleep(Duration::from_secs(2)).await;
    for node in cluster.nodes.values() {
        let status = &node.status()[0];
        assert_ne!(status.role, Role::Stopped, "{:?}", status.stopped);
    }

    disks.values().for_each(|disk| disk.set_quota(None));
    eventually("nothing waits", || {
        let mut nodes = cluster.nodes.values();
        nodes
            .all(|node| node.health().room().level() == Level::Ample)
            .then_some(())
    })
    .await;
    accepts(&cluster, b"9999999 after").await;
    cluster.converge(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_never_comes_back_is_called_stuck_and_then_ends_and_the_others_go_on() {
    let (mut cluster, disks) = on_disks(StorageOptions::default(), None).await;
    cluster.nodes[&1].stand(1).await.unwrap();
    eventually("node 1 leads", || {
        (cluster.status(2, 1).leader == Some(1)).then_some(())
    })
    .await;
    disks[&1].hang_syncs(true);
    // A disk that only hangs for a while costs nobody anything.
    let _ = cluster
        .client(2)
        .propose(
            1,
            Bytes::from_static(b"1 meanwhile"),
            Duration::from_secs(1),
        )
        .await;
    disks[&1].hang_syncs(false);
    eventually("it goes on", || {
        cluster.nodes[&1].health().stuck().is_empty().then_some(())
    })
    .await;
    accepts(&cluster, b"2 after").await;

    disks[&1].hang_syncs(true);
    // One is enough: nothing this node writes comes to an end.
    let _ = cluster
        .client(1)
        .propose(
            1,
            Bytes::from_static(b"3 meanwhile"),
            Duration::from_secs(1),
        )
        .await;
    let stuck = eventually("it is called stuck", || {
        let stuck = cluster.nodes[&1].health().stuck();
        stuck.into_iter().find(|stuck| stuck.group.is_none())
    })
    .await;
    assert_eq!(stuck.cause, Cause::Log);
    let failure = tokio::time::timeout(Duration::from_secs(30), cluster.nodes[&1].failed())
        .await
        .expect("it ends");
    assert!(failure.stuck && failure.group.is_none(), "{failure:?}");
    for other in [2, 3] {
        assert!(cluster.nodes[&other].health().stuck().is_empty());
    }

    // What a process does that ends with 4: nothing is closed, and a new one finds a new disk.
    cluster.kill(1);
    let _ = disks[&1].crash(CrashMode::LoseUnsynced);
    disks[&1].hang_syncs(false);
    commit(&cluster.client(2), 1, "4 without it").await;
    cluster.open(1).await;
    cluster.converge(1).await;
}

/// A clock that is set by hand.
struct Off {
    clock: Arc<dyn Clock>,
    ahead_ms: Arc<AtomicI64>,
}

impl Clock for Off {
    fn now_ms(&self) -> u64 {
        let ahead_ms = self.ahead_ms.load(Ordering::SeqCst);
        self.clock.now_ms().saturating_add_signed(ahead_ms)
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_far_from_the_others_hands_over_until_it_is_set_right() {
    let mut cluster = Cluster::prepare(3, vec![1], Arc::new(|_| {}), Vec::new());
    let ahead_ms = Arc::new(AtomicI64::new(0));
    let hand = ahead_ms.clone();
    cluster.machine = Arc::new(move |node, platform: &mut Platform| {
        if node == 1 {
            platform.clock = Arc::new(Off {
                clock: platform.clock.clone(),
                ahead_ms: hand.clone(),
            });
        }
    });
    for node in 1..=3 {
        cluster.open(node).await;
    }
    cluster.nodes[&1].initialize().await.unwrap();
    cluster.leader(1).await;
    cluster.nodes[&1].stand(1).await.unwrap();
    eventually("node 1 leads", || {
        (cluster.status(2, 1).leader == Some(1)).then_some(())
    })
    .await;

    ahead_ms.store(-60_000, Ordering::SeqCst);
    eventually("another leader", || {
        cluster.status(2, 1).leader.filter(|leader| *leader != 1)
    })
    .await;
    assert!(cluster.nodes[&1].health().clock_is_far());
    assert!(
        !cluster.nodes[&2].health().clock_is_far(),
        "most agree with it"
    );
    let seen = eventually("an answer", || {
        let clocks = cluster.nodes[&2].health().clocks();
        clocks
            .get(&1)
            .copied()
            .filter(|clock| clock.ahead_ms < -30_000)
    })
    .await;
    assert!(
        (seen.ahead_ms + 60_000).unsigned_abs() <= seen.error_ms + 50,
        "{seen:?}"
    );

    ahead_ms.store(0, Ordering::SeqCst);
    eventually("it agrees again", || {
        (!cluster.nodes[&1].health().clock_is_far()).then_some(())
    })
    .await;
    commit(&cluster.client(1), 1, "1 after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_is_refused_by_name_under_its_old_id_and_harms_nobody() {
    let mut cluster = Cluster::start(3, vec![0, 1], Arc::new(|_| {})).await;
    for number in 1..=20 {
        commit(&cluster.client(1), 1, &format!("{number} sold")).await;
    }
    cluster.kill(3);
    let lost = cluster.directory.path().join("3");
    for _ in 0..200 {
        if std::fs::remove_dir_all(&lost).is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.open(3).await;
    let failure = tokio::time::timeout(Duration::from_secs(20), cluster.nodes[&3].failed()).await;
    let failure = failure.expect("it ends by itself");
    assert!(
        failure.reason.contains("node 3 votes in this cluster"),
        "{failure:?}"
    );
    let status = cluster.status(3, 1);
    assert_eq!(
        (status.term, status.last_log_index),
        (0, 0),
        "it took part in nothing"
    );
    commit(&cluster.client(1), 1, "21 sold").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_founded_by_a_majority_and_who_was_away_is_no_stranger_later() {
    let mut cluster = Cluster::prepare(3, vec![0], Arc::new(|_| {}), Vec::new());
    cluster.open(1).await;
    let refused = cluster.nodes[&1].initialize().await.unwrap_err();
    assert!(
        refused.to_string().contains("nodes [2, 3] do not answer"),
        "{refused}"
    );
    assert_eq!(cluster.status(1, 0).voters.len(), 0, "nothing was changed");
    cluster.open(2).await;
    cluster.nodes[&1].initialize().await.unwrap();
    commit(&cluster.client(1), 0, "1 two of three").await;
    let mark = |node: u64| {
        let path = cluster.directory.path().join(node.to_string());
        std::fs::read_to_string(path.join("admitted")).unwrap_or_default()
    };
    assert_eq!(
        (mark(1).as_str(), mark(2).as_str()),
        ("admitted\nabsent 3\n", "admitted\n")
    );
    cluster.open(3).await;
    cluster.converge(0).await;
    let mark = |node: u64| {
        let path = cluster.directory.path().join(node.to_string());
        std::fs::read_to_string(path.join("admitted")).unwrap_or_default()
    };
    eventually("everybody was told", || {
        (mark(1) == "admitted\n").then_some(())
    })
    .await;
    assert_eq!(mark(3), "admitted\n");
}
