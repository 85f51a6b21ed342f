//! Goal: a node that is told to stop (SIGTERM) hands over what it leads, ends with 0, and keeps nobody
//! waiting: not those who sell on, nor whoever supervises it.
//!
//! Method: real processes; a stream of seat changes and a kept-alive connection are open all the while.

#![allow(
    clippy::disallowed_methods,
    reason = "clients beside a cluster: real time"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::demo::children::{Cluster, Plan};
use server::demo::opening;
use server::http_client::{Connection, Request};

const USHER: &str = env!("CARGO_BIN_EXE_usher");
const PATIENCE: Duration = Duration::from_secs(10);

/// A node outside the harness, which dies with this test.
struct First(Child);

impl Drop for First {
    fn drop(&mut self) {
        // It has ended, if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_stop_hands_over_first_and_ends_soon() {
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
    // Outside the harness, to be asked for its exit code.
    let log = std::fs::File::create(dir.path().join("first.log")).expect("a log");
    let first = Command::new(USHER)
        .args(["start", "--exit-with-parent", "--config"])
        .arg(dir.path().join("node-1.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let mut first = First(first.expect("usher starts"));
    cluster.begin().await.expect("they are ready");
    let event = json!({
        "name": "Last call", "venue": "Here", "opens_at": "2020-01-01T00:00:00Z", "currency": "EUR",
        "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 8, "queue": null, "spread": 2,
        "sections": [{ "name": "A", "rows": 10, "seats_per_row": 10, "price": 1_000 }],
    });
    let opened = opening::create(&cluster.doors(), &event)
        .await
        .expect("an event");
    let admins = cluster.admins();
    for group in 0..3 {
        let body = json!({ "group": group, "to": 1 }).to_string();
        let request = Request::post("/admin/move-leader", body.as_bytes());
        let mut connection = Connection::new(admins[1]);
        connection
            .call(&request, PATIENCE)
            .await
            .expect("an answer");
    }
    let start = Instant::now();
    while leaders(&status(admins[1]).await) != [1, 1, 1] {
        assert!(start.elapsed() < PATIENCE, "node 1 leads everything");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let door = cluster.doors()[0];
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

    let told = Instant::now();
    let kill = Command::new("kill").arg(first.0.id().to_string()).status();
    assert!(kill.expect("it runs").success());
    let mut ended = None;
    while ended.is_none() && told.elapsed() < PATIENCE {
        ended = first.0.try_wait().expect("asked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eprintln!("it took {:?}", told.elapsed());
    let ended = ended.expect("it does not wait for those who listen or are silent");
    assert!(ended.success(), "{ended}");
    let log = std::fs::read_to_string(dir.path().join("first.log")).expect("its log");
    assert!(!log.contains("cut off"), "{log}");
    let now = leaders(&status(admins[1]).await);
    assert!(
        now.iter().all(|leader| [2, 3].contains(leader)),
        "handed over, not waited for: {now:?}"
    );
}
