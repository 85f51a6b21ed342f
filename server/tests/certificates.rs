//! Real nodes with certificates, made and used as an operator would: `usher cert`, `[tls]`,
//! `--tls-...`. Who has none, or another's, gets nowhere on either guarded port; and authority and
//! certificates are exchanged while people buy, who notice nothing.

#![allow(
    clippy::disallowed_methods,
    reason = "drives processes from outside, in real time"
)]

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use server::demo::children::{Cluster, Plan};
use server::demo::door::Doors;
use server::demo::opening;
use server::http_client::{Pool, Request, bearer};

const SOON: Duration = Duration::from_secs(30);
/// Twice as long as a node needs to see that a file was replaced.
const NOTICED: Duration = Duration::from_secs(11);

fn usher() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_usher"))
}

/// A cluster with certificates, its authority, and what operators have.
struct Guarded {
    cluster: Cluster,
    root: tempfile::TempDir,
    cluster_id: String,
}

impl Guarded {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let plan = Plan {
            nodes: 3,
            shards: 1,
            dir: root.path().join("cluster"),
            first_port: None,
        };
        let cluster = Cluster::lay_out(&plan, usher()).unwrap();
        cluster.write_configs().unwrap();
        let mut guarded = Self {
            cluster_id: String::new(),
            root,
            cluster,
        };
        let config = guarded.config(1);
        let line = config.lines().find(|line| line.starts_with("cluster_id"));
        guarded.cluster_id = line.unwrap().split('"').nth(1).unwrap().to_owned();
        guarded.make_certificates("first", &guarded.cluster_id);
        guarded.put_in_place("first", &["first"]);
        for node in 1..=3 {
            let in_use = guarded.in_use(node);
            let tls = format!(
                "\n[tls]\nca = {:?}\ncert = {:?}\nkey = {:?}\n",
                in_use.join("ca.pem"),
                in_use.join("cert.pem"),
                in_use.join("key.pem")
            );
            let path = guarded.config_path(node);
            std::fs::write(path, guarded.config(node) + &tls).unwrap();
            guarded.cluster.start_node(node - 1).unwrap();
        }
        for index in 0..3 {
            let alive = guarded.cluster.await_probe(index, "/livez", "alive", SOON);
            alive.await.unwrap();
        }
        let done = guarded.ask("first", "anna", 1, &["init"]);
        assert!(done.status.success(), "{done:?}");
        guarded.cluster.await_all_ready(SOON).await.unwrap();
        guarded
    }

    fn config_path(&self, node: usize) -> PathBuf {
        self.root.path().join(format!("cluster/node-{node}.toml"))
    }

    fn config(&self, node: usize) -> String {
        std::fs::read_to_string(self.config_path(node)).unwrap()
    }

    fn in_use(&self, node: usize) -> PathBuf {
        self.root.path().join(format!("in-use-{node}"))
    }

    fn certs(&self, authority: &str) -> PathBuf {
        self.root.path().join(authority)
    }

    /// An authority, a certificate a node, an operator and somebody who may look.
    fn make_certificates(&self, authority: &str, cluster_id: &str) {
        let make = |words: &str| {
            let mut command = Command::new(usher());
            command.arg("cert").args(words.split_whitespace());
            let done = command.arg("--dir").arg(self.certs(authority)).output();
            let done = done.unwrap();
            assert!(done.status.success(), "{words}: {done:?}");
        };
        make("create-ca");
        for node in 1..=3 {
            make(&format!(
                "create-node --cluster-id {cluster_id} --node {node} --host 127.0.0.1"
            ));
        }
        for (role, name) in [("operator", "anna"), ("reader", "prometheus")] {
            make(&format!(
                "create-client --cluster-id {cluster_id} --role {role} --name {name}"
            ));
        }
    }

    /// Gives every node the certificate that one authority signed, and those it is to trust.
    fn put_in_place(&self, signer: &str, trusted: &[&str]) {
        for node in 1..=3 {
            let desk = self.in_use(node);
            std::fs::create_dir_all(&desk).unwrap();
            let read = |authority: &str, file: &str| {
                std::fs::read_to_string(self.certs(authority).join(file)).unwrap()
            };
            let ca: String = trusted.iter().map(|name| read(name, "ca.pem")).collect();
            replace(&desk.join("ca.pem"), &ca);
            replace(
                &desk.join("key.pem"),
                &read(signer, &format!("node-{node}.key")),
            );
            replace(
                &desk.join("cert.pem"),
                &read(signer, &format!("node-{node}.pem")),
            );
        }
    }

    /// A command of somebody's, to one node.
    fn ask(&self, authority: &str, who: &str, node: usize, words: &[&str]) -> Output {
        let certs = self.certs(authority);
        let mut command = Command::new(usher());
        command
            .args(words)
            .args(["--admin", &self.cluster.nodes[node - 1].admin.to_string()])
            .arg("--tls-ca")
            .arg(certs.join("ca.pem"))
            .arg("--tls-cert")
            .arg(certs.join(format!("{who}.pem")))
            .arg("--tls-key")
            .arg(certs.join(format!("{who}.key")));
        command.output().unwrap()
    }
}

/// As careful people replace files: whole or not at all.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Speaks plainly; whoever answers is not guarded.
fn hangs_up(address: SocketAddr, hello: &[u8]) {
    use std::io::Write;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(hello).unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.len() < 16, "no more than an alert: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whom_the_authority_vouches_for_gets_in_and_only_as_far_as_the_role_goes() {
    let guarded = Guarded::start().await;
    let status = ["cluster", "status"];
    for who in ["anna", "prometheus"] {
        let done = guarded.ask("first", who, 2, &status);
        assert!(done.status.success(), "{who}: {done:?}");
    }
    // To look is not to change.
    let done = guarded.ask("first", "prometheus", 1, &["init"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(says(&done).contains("ROLE_MISSING"), "{}", says(&done));
    // What was granted is on record, under the name in the certificate; when those end is a metric.
    let done = guarded.ask("first", "prometheus", 1, &["trail"]);
    let init = "cluster.init      1 shards  by certificate anna (operator)";
    assert!(
        String::from_utf8_lossy(&done.stdout).contains(init),
        "{done:?}"
    );
    let metrics = Pool::new(guarded.cluster.doors()[0], 1);
    let metrics = metrics.call(&Request::get("/metrics"), SOON).await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let ends = metrics
        .lines()
        .filter(|line| line.starts_with("usher_certificate_expires_seconds{"));
    assert_eq!(ends.count(), 2, "{metrics}");
    // A node's certificate has no role, and neither has one for another cluster.
    let done = guarded.ask("first", "node-2", 1, &status);
    assert!(says(&done).contains("ROLE_MISSING"), "{}", says(&done));
    let other = uuid::Uuid::from_u128(7).to_string();
    let mut command = Command::new(usher());
    let words = format!("cert create-client --cluster-id {other} --role operator --name eve --dir");
    command
        .args(words.split_whitespace())
        .arg(guarded.certs("first"));
    assert!(command.output().unwrap().status.success());
    let done = guarded.ask("first", "eve", 1, &status);
    assert!(says(&done).contains("ROLE_MISSING"), "{}", says(&done));
    // Another authority's word counts for nothing, to either side.
    guarded.make_certificates("strangers", &guarded.cluster_id);
    let done = guarded.ask("strangers", "anna", 1, &status);
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    std::fs::copy(
        guarded.certs("first").join("ca.pem"),
        guarded.certs("strangers").join("ca.pem"),
    )
    .unwrap();
    let done = guarded.ask("strangers", "anna", 1, &status);
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    // No certificate at all, on both ports.
    let admin = guarded.cluster.nodes[0].admin.to_string();
    let mut command = Command::new(usher());
    let done = command
        .args(["cluster", "status", "--admin", &admin])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    hangs_up(
        guarded.cluster.nodes[0].admin,
        b"GET /admin/status HTTP/1.1\r\n\r\n",
    );
    hangs_up(
        guarded.cluster.nodes[0].peer,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    );
    guarded.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_does_not_start_with_the_certificate_of_another() {
    let mut guarded = Guarded::start().await;
    guarded.cluster.kill_node(2);
    for file in ["cert.pem", "key.pem"] {
        std::fs::copy(guarded.in_use(1).join(file), guarded.in_use(3).join(file)).unwrap();
    }
    let config = guarded.config_path(3);
    let done = Command::new(usher())
        .args(["start", "--config"])
        .arg(config)
        .output();
    let done = done.unwrap();
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(
        says(&done).contains("not a certificate of `node-3."),
        "{}",
        says(&done)
    );
    guarded.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn authority_and_certificates_are_exchanged_while_people_buy() {
    let mut guarded = Guarded::start().await;
    let doors = guarded.cluster.doors();
    let event = json!({
        "name": "Exchange", "venue": "Here", "opens_at": "2020-01-01T00:00:00Z", "currency": "EUR",
        "hold_seconds": 600, "max_per_order": 4, "max_per_buyer": 65_535, "queue": null,
        "sections": [{"name": "Floor", "capacity": 100_000, "price": 1_000}],
    });
    let opened = opening::create(&doors, &event).await.unwrap();
    let token = opening::token(&Doors::new(&doors, 1), "buyer-1", "buyer")
        .await
        .unwrap();
    let (stop, sold) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let buyers = doors.iter().enumerate().map(|(number, door)| {
        let pool = Pool::new(*door, 1);
        let body = json!({
            "event_id": opened.event, "general_admission": [{"section": "Floor", "count": 1}],
        });
        let (body, who) = (body.to_string(), bearer(&token));
        let (stop, sold) = (stop.clone(), sold.clone());
        tokio::spawn(async move {
            let mut refused = Vec::new();
            for turn in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let headers = format!("{who}Idempotency-Key: {number}-{turn}\r\n");
                let path = "/api/v1/seats/reserve";
                let request = Request::post(path, body.as_bytes()).with_headers(&headers);
                match pool.call(&request, SOON).await {
                    Ok(answer) if answer.status == 201 => {
                        sold.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(answer) => refused.push(format!("{}: {}", answer.status, answer.problem())),
                    Err(error) => refused.push(error.to_string()),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            refused
        })
    });
    let buyers: Vec<_> = buyers.collect();

    guarded.make_certificates("second", &guarded.cluster_id);
    let status = ["cluster", "status"];
    // Each step is taken by all nodes before the next one is.
    guarded.put_in_place("first", &["first", "second"]);
    tokio::time::sleep(NOTICED).await;
    guarded.put_in_place("second", &["first", "second"]);
    tokio::time::sleep(NOTICED).await;
    guarded.put_in_place("second", &["second"]);
    tokio::time::sleep(NOTICED).await;
    // Those of the first authority are strangers now.
    assert!(guarded.ask("second", "anna", 1, &status).status.success());
    assert_eq!(
        guarded.ask("first", "anna", 1, &status).status.code(),
        Some(3)
    );
    stop.store(true, Ordering::Relaxed);
    for buyer in buyers {
        assert_eq!(buyer.await.unwrap(), Vec::<String>::new());
    }
    assert!(sold.load(Ordering::Relaxed) > 100, "{sold:?}");

    // And links made from nothing find each other.
    guarded.cluster.kill_nodes(&[0, 1, 2]);
    for index in 0..3 {
        guarded.cluster.start_node(index).unwrap();
    }
    guarded.cluster.await_all_ready(SOON).await.unwrap();
    guarded.cluster.stop().await;
}
