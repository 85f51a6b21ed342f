//! A real node with secrets that are known: what it writes to its log, and what operators are shown,
//! has none of them in it; and whoever changes something is on record.

#![allow(
    clippy::disallowed_methods,
    reason = "drives processes from outside, in real time"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use server::demo::children::{Cluster, Plan};
use server::http_client::{Pool, Request, bearer};
use server::node::admin::Least;

const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e7aaaa";
const WEBHOOK: &str = "whsec_nobody_may_read_this";

fn usher(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command.args(words).output().unwrap()
}

fn told(words: &[&str]) -> String {
    let done = usher(words);
    assert!(done.status.success(), "{words:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// A node with secrets that are known, up and initialized.
struct Known {
    root: tempfile::TempDir,
    cluster: Cluster,
    config: String,
}

impl Known {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let plan = Plan {
            nodes: 1,
            shards: 1,
            dir: root.path().to_owned(),
            first_port: None,
        };
        let mut cluster = Cluster::lay_out(&plan, env!("CARGO_BIN_EXE_usher").into()).unwrap();
        cluster.write_configs().unwrap();
        let config = root.path().join("node-1.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let mut file: toml::Table = toml::from_str(&text).unwrap();
        file.insert("secret".to_owned(), SECRET.into());
        let payments = file["payments"].as_table_mut().unwrap();
        payments.insert("webhook_secret".to_owned(), WEBHOOK.into());
        std::fs::write(&config, toml::to_string(&file).unwrap()).unwrap();
        cluster.start_node(0).unwrap();
        cluster
            .await_probe(0, "/livez", "alive", SOON)
            .await
            .unwrap();
        let config = config.display().to_string();
        let mut known = Self {
            root,
            cluster,
            config,
        };
        told(&["init", "--admin", &known.admin()]);
        known.cluster.await_all_ready(SOON).await.unwrap();
        known
    }

    fn node(&self) -> &server::demo::children::Node {
        self.cluster.members().next().unwrap()
    }

    fn admin(&self) -> String {
        self.node().admin.to_string()
    }

    /// A key, as `usher key create` tells it once.
    fn key(&self, role: &str, name: &str) -> Value {
        let to = self.admin();
        let words = [
            "key",
            "create",
            "--role",
            role,
            "--name",
            name,
            "--expires",
            "30d",
        ];
        serde_json::from_str(&told(&[&words[..], &["--json", "--admin", &to]].concat())).unwrap()
    }
}

fn text_of(key: &Value) -> String {
    key["key"].as_str().unwrap().to_owned()
}

/// Every route of operators with every role: those who may only look cannot change, whoever has no
/// business there gets nowhere.
#[tokio::test]
async fn every_route_of_operators_asks_for_the_role_of_its_row() {
    let known = Known::start().await;
    let pool = Pool::new(known.node().admin, 1);
    let shown = [
        ("operator", Some(Least::Change)),
        ("read-only", Some(Least::Look)),
        ("gate", None),
        ("organizer", None),
    ];
    let shown = shown.map(|(role, may)| (role, may, bearer(&text_of(&known.key(role, role)))));
    let stranger = bearer(
        &shown[0].2["Authorization: Bearer ".len()..]
            .trim()
            .replace("usher_", "usher_f"),
    );
    let table = server::node::admin::table();
    assert!(table.len() >= 20, "{}", table.len());
    for (method, path, least) in &table {
        let path = path
            .replace("{node}", "99")
            .replace("{id}", "0000000000000000");
        // It would go on for ever.
        let path = match path.as_str() {
            "/admin/live" => "/admin/live?pictures=0".to_owned(),
            _ => path,
        };
        for (role, may, headers) in &shown {
            let request = Request {
                method: method.as_str(),
                path: &path,
                headers,
                body: if *method == "GET" { b"" } else { b"{}" },
            };
            let answer = pool.call(&request, SOON).await.unwrap();
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            let refused = answer.status == 403 && body.contains("ROLE_MISSING");
            let line = format!("{method} {path} as {role}: {} {body}", answer.status);
            assert_eq!(!refused, *may >= Some(*least), "{line}");
            assert_ne!(answer.status, 405, "{line}");
        }
        let request = Request {
            method: method.as_str(),
            path: &path,
            headers: &stranger,
            body: b"",
        };
        let answer = pool.call(&request, SOON).await.unwrap();
        // Many of them a second are not even told what is wrong.
        assert!(
            matches!(answer.status, 401 | 429),
            "{path}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn no_log_and_no_answer_to_operators_has_a_secret_in_it() {
    let mut known = Known::start().await;
    let to = known.admin();
    let config = known.config.clone();

    let mut shown = vec![
        told(&["config", "print", &config]),
        told(&["config", "check", &config]),
    ];
    assert!(shown[0].contains("secret = \"<redacted>\""), "{}", shown[0]);

    let organizer = known.key("organizer", "Box office");
    let looker = known.key("read-only", "Dashboard");
    let key_of = text_of;
    let door = Pool::new(known.node().http, 1);
    let event = json!({
        "name": "Gala", "venue": "Opera", "opens_at": "2027-06-01T10:00:00Z", "currency": "EUR",
        "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 12, "queue": null,
        "sections": [{"name": "Floor", "capacity": 100, "price": 3000}],
    })
    .to_string();
    let ask = async |key: &str| {
        let headers = bearer(key);
        let request = Request::post("/api/v1/events", event.as_bytes()).with_headers(&headers);
        door.call(&request, SOON).await.unwrap().status
    };
    assert_eq!(ask(&key_of(&organizer)).await, 201);
    assert_eq!(ask(&key_of(&looker)).await, 403);
    let wrong = key_of(&organizer).replace("usher_", "usher_ab");
    assert_eq!(ask(&wrong).await, 401);

    // The holder of a key that may only look is bound by it at the operators' door as well.
    let file = known.root.path().join("looker.key");
    std::fs::write(&file, key_of(&looker)).unwrap();
    let looker_file = file.display().to_string();
    let id = organizer["id"].as_str().unwrap().to_owned();
    let as_looker = ["--api-key-file", &looker_file, "--admin", &to];
    told(&[&["key", "list"][..], &as_looker].concat());
    let refused = usher(&[&["key", "revoke", &id][..], &as_looker].concat());
    assert!(!refused.status.success());
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("ROLE_MISSING"), "{why}");
    assert_eq!(ask(&key_of(&organizer)).await, 201);

    told(&["key", "revoke", &id, "--admin", &to]);
    assert_eq!(ask(&key_of(&organizer)).await, 401);
    let list = told(&["key", "list", "--admin", &to]);
    assert!(
        list.contains("revoked") && list.contains("Dashboard"),
        "{list}"
    );

    let trail = told(&["trail", "--json", "--since", "1h", "--admin", &to]);
    let lines = trail
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let records: Vec<Value> = lines.collect();
    let actions: Vec<_> = records
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect();
    let expected = [
        "cluster.init",
        "key.create",
        "key.create",
        "event.create",
        "event.create",
        "key.revoke",
    ];
    assert_eq!(actions, expected);
    assert_eq!(
        (&records[3]["by"], &records[3]["name"]),
        (&json!("key"), &json!("Box office"))
    );
    assert_eq!(records[5]["by"], "unproven");
    assert!(told(&["trail", "--admin", &to]).contains("by key Box office (organizer)"));

    shown.extend([list, trail, told(&["config", "defaults"])]);
    known.cluster.kill_node(0);
    let mut logs = Vec::new();
    files(known.root.path(), &mut logs);
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    assert!(!logs.is_empty());
    for log in logs {
        shown.push(String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned());
    }
    let secret = |key: &Value| key_of(key).rsplit('_').next().unwrap().to_owned();
    for secret in [SECRET, WEBHOOK, &secret(&organizer), &secret(&looker)] {
        assert!(
            !shown.iter().any(|text| text.contains(secret)),
            "{secret} is told"
        );
    }
}
