//! Goal: nodes whose disks are really full refuse new demand by name, go on showing what there is, lose
//! nothing that was answered, and sell again by themselves once there is room.
//!
//! Method: real processes, each with its data on a small memory file system of its own (`unshare
//! --mount`), which is filled through `/proc/PID/root` and emptied again. Where the system allows no
//! such thing to whoever runs this, it says so and tests nothing; `raft-node/tests/unwell.rs` does the
//! same on simulated disks everywhere.

#![allow(
    clippy::disallowed_methods,
    reason = "an operator beside a cluster: real time"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::demo::children::{Cluster, Plan};
use server::demo::opening;
use server::http_client::{Connection, Request, bearer};

const USHER: &str = env!("CARGO_BIN_EXE_usher");
const PATIENCE: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(60);
/// Room for a few segments of the log.
const DISK_MIB: u32 = 160;

/// How to get a file system of one's own, if there is a way.
fn unshare() -> Option<&'static str> {
    let ways = ["--mount", "--user --map-root-user --mount"];
    ways.into_iter().find(|way| {
        let dir = tempfile::tempdir().expect("a directory");
        let script = format!("unshare {way} mount -t tmpfs -o size=1m tmpfs \"$0\"");
        let tried = Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg(dir.path())
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}

/// A program that is `usher` on a small disk of its own.
fn on_a_small_disk(way: &str, dir: &Path, node: &Path) -> PathBuf {
    let name = node.file_name().expect("a name").to_string_lossy();
    let path = dir.join(format!("usher-of-{name}"));
    let text = format!(
        "#!/bin/sh\nmkdir -p '{node}'\nexec unshare {way} sh -c 'mount -t tmpfs -o size={DISK_MIB}m tmpfs \
         \"{node}\" && exec \"{USHER}\" \"$@\"' usher \"$@\"\n",
        node = node.display()
    );
    std::fs::write(&path, text).expect("a script");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("it may be run");
    path
}

/// The node's disk as the node sees it.
fn filler(cluster: &Cluster, index: usize) -> PathBuf {
    let node = &cluster.nodes[index];
    let pid = node.pid().expect("it runs");
    let inside = node.dir.strip_prefix("/").expect("an absolute path");
    Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(inside)
        .join("filler")
}

/// Until nothing fits any more.
fn fill(cluster: &Cluster, index: usize) {
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(filler(cluster, index));
    let file = file.as_mut().expect("a file");
    for size in [1 << 20, 4_096] {
        loop {
            match file.write(&vec![0; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn make_room(cluster: &Cluster, index: usize) {
    std::fs::remove_file(filler(cluster, index)).expect("it was there");
}

struct Buyer {
    event: String,
    bearer: String,
    asked: u32,
}

impl Buyer {
    /// Asks for one more seat; the status and the body.
    async fn reserve(&mut self, door: SocketAddr) -> (u16, Value) {
        self.asked += 1;
        let body = json!({"event_id": self.event, "best_available": {"count": 1}}).to_string();
        let headers = format!("{}Idempotency-Key: seat-{}\r\n", self.bearer, self.asked);
        let request =
            Request::post("/api/v1/seats/reserve", body.as_bytes()).with_headers(&headers);
        call(door, &request).await
    }

    /// Asks until it is granted.
    async fn is_granted_one(&mut self, door: SocketAddr) {
        let start = Instant::now();
        loop {
            let (status, body) = self.reserve(door).await;
            if status == 201 {
                return;
            }
            assert!(start.elapsed() < SOON, "{status} {body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn held(&self, door: SocketAddr) -> u64 {
        let path = format!("/api/v1/events/{}", self.event);
        let (status, event) = call(door, &Request::get(&path)).await;
        assert_eq!(status, 200, "{event}");
        event["counts"]["held"].as_u64().expect("counts")
    }
}

async fn call(door: SocketAddr, request: &Request<'_>) -> (u16, Value) {
    let mut connection = Connection::new(door);
    match connection.call(request, PATIENCE).await {
        Ok(reply) => (
            reply.status,
            serde_json::from_slice(reply.body).unwrap_or_default(),
        ),
        Err(error) => (0, Value::String(error.to_string())),
    }
}

async fn missing(door: SocketAddr) -> BTreeSet<String> {
    let (_, ready) = call(door, &Request::get("/readyz")).await;
    let missing = ready["missing"].as_array().cloned().unwrap_or_default();
    let words = missing.iter().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

async fn leads_something(admin: SocketAddr) -> bool {
    let (_, status) = call(admin, &Request::get("/admin/status")).await;
    let groups = status["groups"].as_array().expect("groups").clone();
    groups.iter().any(|group| group["role"] == "leader")
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < SOON, "{what}: not within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disks_stop_new_demand_and_nothing_else_and_room_brings_it_back() {
    let Some(way) = unshare() else {
        eprintln!("NOT TESTED: whoever runs this may not mount a file system of their own");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let plan = Plan {
        nodes: 3,
        shards: 2,
        dir: dir.path().to_owned(),
        first_port: None,
    };
    let mut cluster = Cluster::lay_out(&plan, USHER.into()).expect("a cluster");
    cluster.write_configs().expect("files");
    for index in 0..3 {
        let node = &mut cluster.nodes[index];
        node.program = Some(on_a_small_disk(way, dir.path(), &node.dir));
        cluster.start_node(index).expect("a node");
    }
    cluster.begin().await.expect("they are ready");
    let (doors, admins) = (cluster.doors(), cluster.admins());
    let sections = json!([{ "name": "A", "rows": 20, "seats_per_row": 50, "price": 1_000 }]);
    let event = opening::open_already("Full house", "Here", 3_600, (8, 1_000), sections);
    let opened = opening::create(&doors, &event).await.expect("an event");
    let every = server::demo::door::Doors::new(&doors, 1);
    let token = opening::token(&every, "somebody", "buyer").await;
    let mut buyer = Buyer {
        event: opened.event,
        bearer: bearer(&token.expect("a token")),
        asked: 0,
    };
    let mut granted = 0;
    while granted < 20 {
        let (status, body) = buyer.reserve(doors[granted % 3]).await;
        assert_eq!(status, 201, "{body}");
        granted += 1;
    }

    // One of three: it leads nothing, says so, and the others sell.
    fill(&cluster, 0);
    eventually("the full one hands over", async || {
        !leads_something(admins[0]).await && missing(doors[0]).await.contains("disk")
    })
    .await;
    buyer.is_granted_one(doors[1]).await;
    granted += 1;
    assert!(buyer.held(doors[0]).await >= 20, "it shows what there is");

    // All three.
    fill(&cluster, 1);
    fill(&cluster, 2);
    let start = Instant::now();
    let mut refusals = 0;
    while refusals < 20 {
        let (status, body) = buyer.reserve(doors[refusals % 3]).await;
        match status {
            201 => granted += 1,
            503 if body["error"] == "DISK_FULL" => refusals += 1,
            // The answer of one that found its disk full while it was under way.
            503 | 504 => {}
            _ => panic!("{status} {body}"),
        }
        assert!(start.elapsed() < SOON, "refused by name: {status} {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.check_running().expect("nobody ends");
    for &door in &doors {
        assert!(buyer.held(door).await >= 20, "it shows what there is");
        assert!(missing(door).await.contains("disk"));
    }

    (0..3).for_each(|index| make_room(&cluster, index));
    eventually("all are ready again", async || {
        let mut ready = 0;
        for &door in &doors {
            ready += usize::from(missing(door).await.is_empty());
        }
        ready == 3
    })
    .await;
    // Nodes ask each other how they are once a second.
    buyer.is_granted_one(doors[0]).await;
    granted += 1;
    // What had no answer may have happened; what was granted has.
    eventually("everybody sees what was granted", async || {
        let mut least = u64::MAX;
        for &door in &doors {
            least = least.min(buyer.held(door).await);
        }
        least >= granted as u64
    })
    .await;
    cluster.check_running().expect("nobody ends");
}
