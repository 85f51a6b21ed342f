//! Goal: of a cluster that lost two of its three nodes for good, the third makes a new one: what it had
//! is there, the sale goes on, and the old cluster is let in by nobody.
//!
//! Method: real processes, the commands as `docs/operations.md` has them. The two nodes are killed when
//! the third has everything, so nothing may be missing; what is missing when it had not is the business
//! of `server/src/recover/settle.rs` and of the tests there.

#![allow(
    clippy::disallowed_methods,
    reason = "operators beside a cluster: real time"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::demo::children::{Cluster, Plan};
use server::demo::door::Doors;
use server::demo::opening;
use server::http_client::{Connection, Pool, Request, bearer};

const USHER: &str = env!("CARGO_BIN_EXE_usher");
const PATIENCE: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(60);

/// What a command said, and its exit code.
async fn usher(words: &[&str]) -> (i32, String) {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    let told = words.join(" ");
    let done = tokio::task::spawn_blocking(move || Command::new(USHER).args(&words).output());
    let output = done.await.expect("it runs").expect("usher starts");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    eprintln!("$ usher {told}\n{said}");
    (output.status.code().expect("it exits"), said)
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

/// Reserves two seats in two shards or one, and pays; the order's id and its buyer's headers.
async fn buy(door: SocketAddr, event: &str, who: &str) -> (String, String) {
    let token = opening::token(&Doors::new(&[door], 1), who, "buyer")
        .await
        .expect("a token");
    let headers = format!("{}Idempotency-Key: {who}\r\n", bearer(&token));
    let body = json!({ "event_id": event, "best_available": { "count": 2 } }).to_string();
    let reserve = Request::post("/api/v1/seats/reserve", body.as_bytes()).with_headers(&headers);
    let start = Instant::now();
    let order = loop {
        let (status, answer) = call(door, &reserve).await;
        if matches!(status, 200 | 201) {
            break answer["order_id"].as_str().expect("its id").to_owned();
        }
        assert!(start.elapsed() < SOON, "{who}: {status} {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let path = format!("/api/v1/orders/{order}/pay");
    let headers = bearer(&token);
    let pay = Request::post(&path, br#"{"payment_method":"pm_ok"}"#).with_headers(&headers);
    loop {
        let (status, answer) = call(door, &pay).await;
        if status == 200 && answer["status"] == "paid" {
            return (order, headers);
        }
        assert!(start.elapsed() < SOON, "{who}: {status} {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A node outside the harness, which dies with this test.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(config: &Path) -> Node {
    let log = std::fs::File::create(config.with_extension("log")).expect("a log");
    let child = Command::new(USHER)
        .args(["start", "--exit-with-parent", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Node(child.expect("usher starts"))
}

async fn await_ready(door: SocketAddr) {
    let start = Instant::now();
    loop {
        let (status, said) = call(door, &Request::get("/readyz")).await;
        if status == 200 {
            return;
        }
        assert!(start.elapsed() < SOON, "{status} {said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_three_nodes_makes_a_new_cluster_of_what_it_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let plan = Plan {
        nodes: 3,
        shards: 2,
        dir: dir.path().to_owned(),
        first_port: None,
    };
    let started = Cluster::start_program(&plan, USHER.into()).await;
    let mut cluster = started.expect("they are ready");
    let doors = cluster.doors();
    let sections: Vec<Value> = (0..4)
        .map(|number| json!({ "name": format!("S{number}"), "rows": 10, "seats_per_row": 20, "price": 1_000 }))
        .collect();
    let event = json!({
        "name": "The last one", "venue": "Here", "opens_at": "2020-01-01T00:00:00Z", "currency": "EUR",
        "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 8, "queue": null, "spread": 2,
        "sections": sections,
    });
    let opened = opening::create(&doors, &event).await.expect("an event");
    let mut orders = Vec::new();
    for number in 0..12 {
        orders.push(buy(doors[number % 3], &opened.event, &format!("early-{number}")).await);
    }

    // While it runs, and while a majority is there, nothing is recovered.
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (one, two) = (
        file("node-1.toml"),
        cluster.nodes[1].dir.display().to_string(),
    );
    let (code, said) = usher(&["recover", "--config", &one, "--dry-run"]).await;
    assert!(
        code == 1 && said.contains("in use by process"),
        "{code} {said}"
    );
    // Everybody has everything: messages and marks of what is committed arrive within a moment.
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.kill_nodes(&[1, 2]);
    cluster.kill_node(0);
    let whole = ["recover", "--config", &one, "--also", &two, "--dry-run"];
    let (code, said) = usher(&whole).await;
    assert!(
        code == 1 && said.contains("are a majority of every group"),
        "{code} {said}"
    );
    std::fs::remove_dir_all(&two).expect("node 2's disk is lost");

    // A dry run tells, and changes nothing; consent has to be typed.
    let (code, said) = usher(&["recover", "--config", &one, "--dry-run"]).await;
    assert!(
        code == 0 && said.contains("WHAT MAY BE LOST"),
        "{code} {said}"
    );
    let consent = "--i-accept-that-answers-may-be-lost";
    let other = "0190b1a0-0000-7000-8000-00000000000f";
    let (code, said) = usher(&["recover", "--config", &one, consent, other]).await;
    assert!(code == 2 && said.contains("Type its id"), "{code} {said}");
    let data = cluster.nodes[0].dir.clone();
    let kept = data.with_file_name("node-1.before-recovery");
    assert!(
        data.join("wal").exists() && !kept.exists(),
        "nothing was changed"
    );

    let text = std::fs::read_to_string(&one).expect("node 1's file");
    let old: toml::Table = text.parse().expect("TOML");
    let cluster_id = old["cluster_id"].as_str().expect("an id").to_owned();
    let (code, said) = usher(&["recover", "--config", &one, consent, &cluster_id]).await;
    assert_eq!(code, 0, "{said}");
    assert!(kept.join("wal").exists() && data.join("recovery.json").exists());
    let (code, said) = usher(&["recover", "--config", &one, consent, &cluster_id]).await;
    assert!(code == 2, "not twice: {said}");

    let recovered = dir.path().join("node-1.recovered.toml");
    let (code, said) = usher(&[
        "backup",
        "reconcile",
        "--config",
        &recovered.display().to_string(),
    ])
    .await;
    assert_eq!(code, 0, "no money moved for what is lost: {said}");
    let node = start(&recovered);
    await_ready(doors[0]).await;

    // Whoever comes back of the old cluster has another id, and nobody to elect it.
    let old_three = start(&dir.path().join("node-3.toml"));
    // Nothing that the survivor had is lost, and the sale goes on.
    for (order, headers) in &orders {
        let path = format!("/api/v1/orders/{order}?consistency=linearizable");
        let (status, body) = call(doors[0], &Request::get(&path).with_headers(headers)).await;
        assert_eq!((status, &body["status"]), (200, &json!("paid")), "{body}");
    }
    for number in 0..4 {
        buy(doors[0], &opened.event, &format!("late-{number}")).await;
    }
    let admin = Pool::new(cluster.nodes[0].admin, 1);
    let answer = admin.call(&Request::get("/admin/status"), PATIENCE).await;
    let status: Value = serde_json::from_slice(&answer.expect("an answer").body).expect("JSON");
    assert_ne!(status["cluster_id"], json!(cluster_id));
    for group in status["groups"].as_array().expect("groups") {
        assert_eq!(
            (&group["voters"], &group["leader"]),
            (&json!([1]), &json!(1))
        );
    }
    let begun = Instant::now();
    let said = loop {
        let (ready, said) = call(doors[2], &Request::get("/readyz")).await;
        assert_ne!(ready, 200, "{said}");
        if ready == 503 || begun.elapsed() > SOON {
            break said;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let missing = said["missing"].to_string();
    assert!(
        missing.contains("leader") || missing.contains("fresh"),
        "{said}"
    );
    drop(old_three);
    drop(node);
    let mut told = false;
    for _ in 0..100 {
        let (code, said) = usher(&["audit", &data.display().to_string()]).await;
        told = code == 0;
        if told || !said.contains("in use") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(told, "the promises hold for what was recovered");
}
