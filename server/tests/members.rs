//! Goal: a cluster grows from three nodes to five and shrinks to four while people reserve, and no
//! reservation that was granted is lost.
//!
//! Method: real processes, the commands as an operator types them, and buyers who go on all the while.
//! A buyer who hears "503" or nothing asks again with the same key, as buyers do. In the end every
//! granted order is asked for by its buyer, and `usher audit` compares the replicas.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use server::demo::children::ports::free_address;
use server::demo::children::{Cluster, Plan};
use server::demo::door::Doors;
use server::demo::opening;
use server::http_client::{Pool, Request, bearer};

const USHER: &str = env!("CARGO_BIN_EXE_usher");
const PATIENCE: Duration = Duration::from_secs(10);

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

async fn done(words: &[&str]) -> String {
    let (code, said) = usher(words).await;
    assert_eq!(code, 0, "{words:?}: {said}");
    said
}

async fn members(admin: &str) -> Value {
    let address: SocketAddr = admin.parse().expect("an address");
    let pool = Pool::new(address, 1);
    let request = Request::get("/admin/members");
    let answer = pool.call(&request, PATIENCE).await.expect("an answer");
    serde_json::from_slice(&answer.body).expect("members")
}

/// A number of every node, by id.
fn counts(members: &Value, what: &str) -> Vec<(u64, u64)> {
    let nodes = members["nodes"].as_array().expect("nodes");
    let count = |node: &Value| (node["id"].as_u64().unwrap(), node[what].as_u64().unwrap());
    nodes.iter().map(count).collect()
}

/// A node that joins, and dies with this test.
struct Joiner {
    child: Child,
    http: SocketAddr,
    admin: SocketAddr,
}

impl Drop for Joiner {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a joiner's file after a member's and starts it.
fn join(dir: &Path, id: u64, contact: u64, change: impl FnOnce(&mut toml::Table)) -> Joiner {
    let addresses = [(); 3].map(|()| free_address().expect("a free port"));
    let text = std::fs::read_to_string(dir.join("node-1.toml")).expect("node 1's file");
    let mut config: toml::Table = text.parse().expect("TOML");
    let data = dir.join(format!("node-{id}"));
    std::fs::create_dir_all(&data).expect("a directory");
    config.insert("node_id".into(), toml::Value::Integer(id as i64));
    config.insert("data_dir".into(), data.display().to_string().into());
    for (name, address) in ["http", "peer", "admin"].iter().zip(&addresses) {
        config.insert((*name).into(), address.to_string().into());
    }
    let peers = config["peers"].as_array().expect("peers").clone();
    let known = peers
        .into_iter()
        .find(|peer| peer["id"].as_integer() == Some(contact as i64));
    let mut me = toml::Table::new();
    me.insert("id".into(), toml::Value::Integer(id as i64));
    me.insert("addr".into(), addresses[1].to_string().into());
    let peers = vec![known.expect("the contact is a member"), me.into()];
    config.insert("peers".into(), peers.into());
    change(&mut config);
    let file: PathBuf = dir.join(format!("node-{id}.toml"));
    std::fs::write(&file, config.to_string()).expect("a file");
    let log = std::fs::File::create(dir.join(format!("node-{id}.log"))).expect("a log");
    let child = Command::new(USHER)
        .args(["start", "--join", "--exit-with-parent", "--config"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Joiner {
        child: child.expect("usher starts"),
        http: addresses[0],
        admin: addresses[2],
    }
}

/// Reserves until told to stop; every order that was granted, with its buyer's token.
async fn buy(
    doors: Vec<SocketAddr>,
    event: String,
    who: u64,
    stop: Arc<AtomicBool>,
) -> Vec<(String, String)> {
    let tokens = Doors::new(&doors, 1);
    let pools: Vec<Pool> = doors.iter().map(|door| Pool::new(*door, 1)).collect();
    let mut granted = Vec::new();
    for number in 0_usize.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let subject = format!("buyer-{who}-{number}");
        let Ok(token) = opening::token(&tokens, &subject, "buyer").await else {
            continue;
        };
        let headers = format!("{}Idempotency-Key: {subject}\r\n", bearer(&token));
        let body = json!({ "event_id": event, "best_available": { "count": 2 } }).to_string();
        let request = Request::post("/api/v1/seats/reserve", body.as_bytes());
        let request = request.with_headers(&headers);
        // The same request, at one door after the other, until it is answered for good.
        for at in 0_usize.. {
            let answer = pools[(number + at) % pools.len()]
                .call(&request, PATIENCE)
                .await;
            match answer {
                Ok(answer) if matches!(answer.status, 200 | 201) => {
                    let order: Value = serde_json::from_slice(&answer.body).expect("an order");
                    let order = order["order_id"].as_str().expect("its id").to_owned();
                    granted.push((order, headers.clone()));
                    break;
                }
                Ok(answer) if matches!(answer.status, 409 | 429 | 500 | 503 | 504) && at < 200 => {}
                Err(_) if at < 200 => {}
                other => panic!("{subject}: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    granted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_to_five_and_shrinks_to_four_while_people_reserve() {
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
    let admins: Vec<String> = cluster.admins().iter().map(ToString::to_string).collect();
    done(&["cluster", "watch", "--admin", &admins[1]]).await;

    let sections: Vec<Value> = (0..4)
        .map(|number| json!({ "name": format!("S{number}"), "rows": 100, "seats_per_row": 100, "price": 1_000 }))
        .collect();
    let event = json!({
        "name": "Moving house",
        "venue": "Here and there",
        "opens_at": "2020-01-01T00:00:00Z",
        "currency": "EUR",
        "hold_seconds": 600,
        "max_per_order": 8,
        "max_per_buyer": 8,
        "queue": null,
        "spread": 2,
        "sections": sections,
    });
    let opened = opening::create(&doors, &event).await.expect("an event");
    let stop = Arc::new(AtomicBool::new(false));
    // Node 1 is the one that leaves; those who stay sell on.
    let buyers: Vec<_> = (0..4)
        .map(|who| {
            tokio::spawn(buy(
                doors[1..].to_vec(),
                opened.event.clone(),
                who,
                stop.clone(),
            ))
        })
        .collect();

    // Two nodes more, which the operator names to nobody: each finds the cluster through one contact.
    let mut joiners = [
        join(dir.path(), 4, 1, |_| {}),
        join(dir.path(), 5, 2, |_| {}),
    ];
    for _ in 0..200 {
        if counts(&members(&admins[2]).await, "replicas").len() == 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    done(&["cluster", "watch", "--admin", &admins[2]]).await;
    // Who joined may hear of the others a moment after they have heard of it.
    for joiner in &joiners {
        let admin = joiner.admin.to_string();
        for _ in 0..200 {
            let seen = members(&admin).await;
            if seen["nodes"]
                .as_array()
                .is_some_and(|nodes| nodes.len() == 5)
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let joined = members(&joiners[1].admin.to_string()).await;
    assert_eq!(
        counts(&joined, "replicas"),
        [(1, 3), (2, 3), (3, 3), (4, 3), (5, 3)]
    );
    assert_eq!(
        counts(&joined, "votes"),
        [(1, 3), (2, 3), (3, 3), (4, 0), (5, 0)]
    );

    // A dry run says what the real one then does, and changes nothing.
    let admin4 = joiners[0].admin.to_string();
    let planned = done(&["cluster", "rebalance", "--dry-run", "--admin", &admin4]).await;
    assert!(planned.contains("vote"), "{planned}");
    assert_eq!(
        counts(&members(&admins[0]).await, "votes"),
        counts(&joined, "votes")
    );
    done(&[
        "cluster",
        "rebalance",
        "--wait",
        "--timeout",
        "120",
        "--admin",
        &admin4,
    ])
    .await;
    let balanced = members(&admins[0]).await;
    let votes = counts(&balanced, "votes");
    assert_eq!(
        votes.iter().map(|(_, votes)| votes).sum::<u64>(),
        9,
        "{votes:?}"
    );
    assert!(
        votes.iter().all(|(_, votes)| (1..=2).contains(votes)),
        "{votes:?}"
    );
    assert!(
        counts(&balanced, "leads")
            .iter()
            .all(|(_, leads)| *leads <= 1),
        "{balanced}"
    );

    // One is drained, says so to load balancers, and leaves.
    done(&[
        "cluster",
        "drain",
        "1",
        "--wait",
        "--timeout",
        "120",
        "--admin",
        &admins[1],
    ])
    .await;
    let drained = members(&admins[1]).await;
    assert_eq!(counts(&drained, "votes")[0], (1, 0));
    assert_eq!(counts(&drained, "leads")[0], (1, 0));
    let ready = Pool::new(doors[0], 1);
    let ready = ready
        .call(&Request::get("/readyz"), PATIENCE)
        .await
        .expect("an answer");
    assert_eq!(ready.status, 503);
    done(&[
        "cluster",
        "remove",
        "1",
        "--wait",
        "--timeout",
        "120",
        "--admin",
        &admins[1],
    ])
    .await;
    cluster.kill_node(0);
    let left = members(&admins[1]).await;
    assert_eq!(left["gone"], json!([1]));
    assert_eq!(counts(&left, "replicas"), [(2, 3), (3, 3), (4, 3), (5, 3)]);

    // What must not be is refused, with the reason, and changes nothing.
    let (code, said) = usher(&[
        "cluster",
        "add",
        "1",
        "--peer",
        "127.0.0.1:9",
        "--admin",
        &admins[1],
    ])
    .await;
    assert!(
        code == 1 && said.contains("NODE_WAS_REMOVED"),
        "{code} {said}"
    );
    let (code, said) = usher(&[
        "cluster",
        "rebalance",
        "--replicas",
        "5",
        "--admin",
        &admins[1],
    ])
    .await;
    assert!(code == 1 && said.contains("TOO_FEW_NODES"), "{code} {said}");
    let (code, said) = usher(&["cluster", "remove", "77", "--admin", &admins[1]]).await;
    assert!(code == 1 && said.contains("NODE_UNKNOWN"), "{code} {said}");
    let mut foreign = join(dir.path(), 6, 2, |config| {
        config.insert(
            "cluster_id".into(),
            "0190b1a0-0000-7000-8000-00000000000f".into(),
        );
    });
    // Not `wait`, which would close its standard input and so end it.
    let mut ended = None;
    for _ in 0..200 {
        ended = foreign.child.try_wait().expect("asked");
        if ended.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ended = ended.expect("it gives up");
    let log = std::fs::read_to_string(dir.path().join("node-6.log")).expect("its log");
    assert!(!ended.success() && log.contains("another cluster"), "{log}");

    stop.store(true, Ordering::SeqCst);
    let mut orders = 0;
    let last = Pool::new(joiners[1].http, 1);
    for buyer in buyers {
        for (order, headers) in buyer.await.expect("a buyer") {
            let path = format!("/api/v1/orders/{order}?consistency=linearizable");
            let request = Request::get(&path).with_headers(&headers);
            let answer = last.call(&request, PATIENCE).await.expect("an answer");
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{order}: {body}");
            assert!(body.contains("held"), "{order}: {body}");
            orders += 1;
        }
    }
    assert!(orders > 20, "people did reserve: {orders}");
    eprintln!("{orders} orders were granted");
    let (two, three, five) = (&admins[1], &admins[2], joiners[1].admin.to_string());
    done(&["audit", two, three, &admin4, &five]).await;
    for joiner in &mut joiners {
        assert!(
            joiner.child.try_wait().expect("asked").is_none(),
            "it still runs"
        );
    }
}
