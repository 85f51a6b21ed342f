//! Goal: a node that is told to stop (SIGTERM) hands over what it leads, ends with 0, and keeps nobody
//! waiting: not those who sell on, nor whoever supervises it.
//!
//! Method: real processes; a stream of seat changes and a kept-alive connection are open all the while.

#![allow(
    clippy::disallowed_methods,
    reason = "an operator beside a cluster: real time"
)]
#![allow(
    clippy::zombie_processes,
    reason = "it ends with this one (--exit-with-parent), and what it ends with is what is tested"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::demo::children::{Cluster, Plan};
use server::demo::opening;
use server::http_client::{Connection, Request};

const USHER: &str = env!("CARGO_BIN_EXE_usher");
const PATIENCE: Duration = Duration::from_secs(10);

async fn status(admin: std::net::SocketAddr) -> Value {
    let mut connection = Connection::new(admin);
    let reply = connection
        .call(&Request::get("/admin/status"), PATIENCE)
        .await;
    serde_json::from_slice(reply.expect("an answer").body).expect("JSON")
}

fn leaders(status: &Value) -> Vec<u64> {
    let groups = status["groups"].as_array().expect("groups");
    groups
        .iter()
        .map(|group| group["leader"].as_u64().unwrap_or(0))
        .collect()
}

/// Three nodes; the first is started by hand, to be asked for its exit code.
struct Scene {
    dir: tempfile::TempDir,
    cluster: Cluster,
}

impl Scene {
    async fn begin() -> (Self, Child) {
        let dir = tempfile::tempdir().expect("a directory");
        let plan = Plan {
            nodes: 3,
            shards: 2,
            dir: dir.path().to_owned(),
            first_port: None,
        };
        let mut cluster = Cluster::lay_out(&plan, USHER.into()).expect("a cluster");
        cluster.write_configs().expect("files");
        for index in 1..3 {
            cluster.start_node(index).expect("a node");
        }
        let mut scene = Self { dir, cluster };
        let first = scene.start_first();
        scene.cluster.begin().await.expect("they are ready");
        (scene, first)
    }

    fn start_first(&self) -> Child {
        let log = std::fs::File::create(self.dir.path().join("first.log")).expect("a log");
        Command::new(USHER)
            .args(["start", "--exit-with-parent", "--config"])
            .arg(self.dir.path().join("node-1.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("usher starts")
    }

    /// Tells an operator's wish to the second node.
    async fn ask(&self, path: &str, body: &Value) -> u16 {
        let body = body.to_string();
        let mut connection = Connection::new(self.cluster.admins()[1]);
        let request = Request::post(path, body.as_bytes());
        let reply = connection.call(&request, PATIENCE).await;
        reply.expect("an answer").status
    }

    /// Who leads each group, as the second node sees it.
    async fn leaders(&self) -> Vec<u64> {
        leaders(&status(self.cluster.admins()[1]).await)
    }

    async fn until(&self, what: &str, within: Duration, wanted: impl Fn(&[u64]) -> bool) {
        let start = Instant::now();
        loop {
            let now = self.leaders().await;
            if wanted(&now) {
                return;
            }
            assert!(start.elapsed() < within, "{what}: {now:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// SIGTERM, and what the process ends with.
async fn stop(process: &mut Child) -> ExitStatus {
    let told = Instant::now();
    let kill = Command::new("kill").arg(process.id().to_string()).status();
    assert!(kill.expect("it runs").success());
    loop {
        if let Some(ended) = process.try_wait().expect("asked") {
            eprintln!("it took {:?}", told.elapsed());
            return ended;
        }
        let waited = told.elapsed();
        assert!(
            waited < PATIENCE,
            "it waits for those who listen or are silent"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_stop_hands_over_first_and_ends_soon() {
    let (scene, mut first) = Scene::begin().await;
    let event = json!({
        "name": "Last call", "venue": "Here", "opens_at": "2020-01-01T00:00:00Z", "currency": "EUR",
        "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 8, "queue": null, "spread": 2,
        "sections": [{ "name": "A", "rows": 10, "seats_per_row": 10, "price": 1_000 }],
    });
    let opened = opening::create(&scene.cluster.doors(), &event)
        .await
        .expect("an event");
    for group in 0..3 {
        let to_first = json!({ "group": group, "to": 1 });
        scene.ask("/admin/move-leader", &to_first).await;
    }
    scene
        .until("node 1 leads everything", PATIENCE, |now| now == [1, 1, 1])
        .await;

    let door = scene.cluster.doors()[0];
    let mut stream = TcpStream::connect(door).expect("a connection");
    write!(
        stream,
        "GET /api/v1/events/{}/seats HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
        opened.event
    )
    .expect("sent");
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 200");
    let mut idle = Connection::new(door);
    let livez = idle
        .call(&Request::get("/livez"), PATIENCE)
        .await
        .expect("an answer");
    assert_eq!(livez.status, 200);

    let ended = stop(&mut first).await;
    assert!(ended.success(), "{ended}");
    let log = std::fs::read_to_string(scene.dir.path().join("first.log")).expect("its log");
    assert!(!log.contains("cut off"), "{log}");
    let now = scene.leaders().await;
    assert!(
        now.iter().all(|leader| [2, 3].contains(leader)),
        "handed over, not waited for: {now:?}"
    );
}

/// Where leaders were spread, each rolling restart used to leave them on the nodes that were restarted
/// first, until an operator spread them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_restarted_leads_its_group_again() {
    let (scene, mut first) = Scene::begin().await;
    let spread = |now: &[u64]| {
        let mut now = now.to_vec();
        now.sort_unstable();
        now == [1, 2, 3]
    };
    let start = Instant::now();
    while scene.ask("/admin/rebalance", &json!({})).await != 200 {
        assert!(start.elapsed() < PATIENCE, "its members are registered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.until("spread", PATIENCE, spread).await;
    let before = scene.leaders().await;

    let ended = stop(&mut first).await;
    assert!(ended.success(), "{ended}");
    let now = scene.leaders().await;
    assert!(!now.contains(&1), "nobody handed it back: {now:?}");
    let _first = scene.start_first();
    let within = Duration::from_secs(40);
    scene
        .until("each leads its own again", within, |now| now == before)
        .await;
}
