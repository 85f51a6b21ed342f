//! Goal: `usher debug bundle` has what it says, says what it has not, and no secret and nobody's name in it.
//!
//! Method: real nodes whose every secret is known, keys of every role used well and badly, a buyer who
//! reserves and pays; then the bundle is unpacked and searched for all of them.

#![allow(
    clippy::disallowed_methods,
    reason = "drives processes from outside, in real time"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use server::demo::children::{Cluster, Plan};
use server::demo::door::Doors;
use server::demo::opening;
use server::http_client::{Pool, Request, bearer};
use server::settings::KNOWN;

const SOON: Duration = Duration::from_secs(30);
/// Each setting that is a secret, and what this node has there.
const PLANTED: [(&str, &str); 2] = [
    (
        "secret",
        "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e7bbbb",
    ),
    ("payments.webhook_secret", "whsec_planted_in_the_settings"),
];
/// What stands in an address, where nobody expects it.
const IN_URL: &str = "planted-password";

fn usher(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command.args(words).output().expect("usher starts")
}

fn told(words: &[&str]) -> String {
    let done = usher(words);
    assert!(done.status.success(), "{words:?}: {done:?}");
    String::from_utf8(done.stdout).expect("text")
}

/// The files of an archive, by name.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let packed = std::fs::File::open(path).expect("an archive");
    let mut plain = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(packed);
    reader.read_to_end(&mut plain).expect("gzip");
    let (mut files, mut rest) = (BTreeMap::new(), &plain[..]);
    while rest[0] != 0 {
        let (header, behind) = rest.split_at(512);
        let name = header[..100]
            .split(|byte| *byte == 0)
            .next()
            .expect("a name");
        let octal = std::str::from_utf8(&header[124..135]).expect("digits");
        let length = usize::from_str_radix(octal, 8).expect("a length");
        let text = String::from_utf8_lossy(&behind[..length]).into_owned();
        files.insert(String::from_utf8_lossy(name).into_owned(), text);
        rest = &behind[length.next_multiple_of(512)..];
    }
    files
}

/// One node with all of it planted, up and initialized.
async fn planted(dir: &Path) -> Cluster {
    let plan = Plan {
        nodes: 1,
        shards: 1,
        dir: dir.to_owned(),
        first_port: None,
    };
    let mut cluster =
        Cluster::lay_out(&plan, env!("CARGO_BIN_EXE_usher").into()).expect("laid out");
    cluster.write_configs().expect("files");
    let config = dir.join("node-1.toml");
    let text = std::fs::read_to_string(&config).expect("a file");
    let mut file: toml::Table = toml::from_str(&text).expect("TOML");
    for (key, value) in PLANTED {
        match key.split_once('.') {
            None => file.insert(key.to_owned(), value.into()),
            Some((section, name)) => {
                let section = file[section].as_table_mut().expect("a section");
                section.insert(name.to_owned(), value.into())
            }
        };
    }
    let payments = file["payments"].as_table_mut().expect("a section");
    let url = payments["url"].as_str().expect("an address");
    let url = url.replacen("http://", &format!("http://anna:{IN_URL}@"), 1);
    payments.insert("url".to_owned(), url.into());
    std::fs::write(&config, toml::to_string(&file).expect("TOML")).expect("written");
    cluster.start_node(0).expect("a node");
    let alive = cluster.await_probe(0, "/livez", "alive", SOON);
    alive.await.expect("alive");
    told(&["init", "--admin", &cluster.admins()[0].to_string()]);
    cluster.await_all_ready(SOON).await.expect("ready");
    cluster
}

/// Somebody buys, as far as it goes without a provider; all that nobody else is to know of it.
async fn somebody_buys(cluster: &Cluster) -> Vec<String> {
    let doors = cluster.doors();
    let event = json!({
        "name": "Gala", "venue": "Opera", "opens_at": "2020-01-01T00:00:00Z", "currency": "EUR",
        "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 8,
        "queue": {"admit_per_minute": 60_000},
        "sections": [{"name": "S", "rows": 4, "seats_per_row": 10, "price": 1_000}],
    });
    let opened = opening::create(&doors, &event).await.expect("an event");
    let subject = "planted-buyer@example.org";
    let token = opening::token(&Doors::new(&doors, 1), subject, "buyer").await;
    let token = token.expect("a token");
    let pool = Pool::new(doors[0], 1);
    let ask = async |path: &str, body: Value| -> (u16, Value) {
        let headers = bearer(&token);
        let body = body.to_string();
        let request = Request::post(path, body.as_bytes()).with_headers(&headers);
        let answer = pool.call(&request, SOON).await.expect("an answer");
        (
            answer.status,
            serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        )
    };
    let join = format!("/api/v1/queue/join?event_id={}", opened.event);
    let (status, joined) = ask(&join, json!({})).await;
    assert!(status < 300, "{joined}");
    let place = joined["queue_token"].as_str().expect("a token").to_owned();
    let wanted = json!({
        "event_id": opened.event, "best_available": {"count": 2}, "queue_token": place,
    });
    let mut held = Value::Null;
    for _ in 0..200 {
        let (status, answer) = ask("/api/v1/seats/reserve", wanted.clone()).await;
        held = answer;
        if status == 201 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let order = held["order_id"]
        .as_str()
        .unwrap_or_else(|| panic!("{held}"));
    let method = "pm_planted_card_4242";
    let pay = format!("/api/v1/orders/{order}/pay");
    let (status, _) = ask(&pay, json!({"payment_method": method})).await;
    assert!(status < 500 || status == 503, "{status}");
    [subject, &token, &place, method]
        .map(str::to_owned)
        .to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_planted_is_in_a_bundle_and_everything_else_is() {
    // A setting that becomes a secret has to be planted here as well.
    let secret = KNOWN.iter().filter(|key| key.secret).map(|key| key.path);
    assert!(secret.eq(PLANTED.map(|(key, _)| key)));
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = planted(dir.path()).await;
    let to = cluster.admins()[0].to_string();

    let mut hidden: Vec<String> = PLANTED.map(|(_, value)| value.to_owned()).to_vec();
    hidden.push(IN_URL.to_owned());
    let door = Pool::new(cluster.doors()[0], 1);
    let operators = Pool::new(cluster.admins()[0], 1);
    for role in ["organizer", "operator", "gate", "read-only"] {
        let made = told(&[
            "key", "create", "--role", role, "--name", role, "--json", "--admin", &to,
        ]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let key = made["key"].as_str().expect("a key").to_owned();
        // Used well, used where it opens nothing, used wrongly, and told where none belongs.
        let wrong = key.replace("usher_", "usher_ab");
        for shown in [&key, &wrong] {
            let headers = bearer(shown);
            for (pool, path) in [
                (&door, "/api/v1/orders"),
                (&operators, "/admin/status"),
                (&operators, "/admin/members/99/undrain"),
                (&operators, &*format!("/admin/{shown}")),
            ] {
                let request = Request::post(path, b"{}").with_headers(&headers);
                pool.call(&request, SOON).await.expect("an answer");
            }
        }
        hidden.push(key.rsplit('_').next().expect("a secret").to_owned());
        hidden.push(key);
    }
    hidden.extend(somebody_buys(&cluster).await);

    let out = dir.path().join("bundle.tar.gz");
    let path = out.display().to_string();
    told(&["debug", "bundle", "--out", &path, "--admin", &to]);
    let files = unpacked(&out);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "README.txt",
        "node-1/digests.json",
        "node-1/files.txt",
        "node-1/log.txt",
        "node-1/members.json",
        "node-1/metrics.txt",
        "node-1/process.json",
        "node-1/settings.toml",
        "node-1/status.json",
        "node-1/trail.json",
        "node-1/version.json",
    ];
    assert_eq!(names, expected.map(|name| format!("usher-debug/{name}")));
    for secret in &hidden {
        for (name, text) in &files {
            assert!(!text.contains(secret.as_str()), "{secret} is in {name}");
        }
    }
    let file = |name: &str| &files[&format!("usher-debug/node-1/{name}")];
    assert!(file("settings.toml").contains("secret = \"<redacted>\""));
    assert!(file("settings.toml").contains("heartbeat_ms = "));
    assert!(file("log.txt").contains("serving") && file("log.txt").contains("an operator asked"));
    assert!(file("trail.json").contains("key.create"));
    assert!(file("metrics.txt").contains("usher_raft_term{group=\"0\"}"));
    assert!(file("files.txt").contains("identity"));
    let process: Value = serde_json::from_str(file("process.json")).expect("JSON");
    for fact in ["threads", "resident_bytes", "open_files", "uptime_s"] {
        assert!(
            process[fact].as_f64().is_some_and(|number| number > 0.0),
            "{fact}: {process}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_is_named_and_without_anybody_there_is_no_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = planted(dir.path()).await;
    let to = cluster.admins()[0].to_string();
    // Nobody listens at a port that was given back.
    let given_back = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = given_back.local_addr().expect("its address").to_string();
    drop(given_back);
    let bundle = |name: &str, admin: &str| {
        let out = dir.path().join(name);
        let path = out.display().to_string();
        let done = usher(&["debug", "bundle", "--out", &path, "--admin", admin]);
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (out, done.status.code(), said)
    };

    let (out, code, said) = bundle("part.tar.gz", &format!("{to},{nobody}"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&nobody), "{said}");
    let readme = unpacked(&out)
        .remove("usher-debug/README.txt")
        .expect("it is there");
    assert!(
        readme.contains(&format!("{nobody}: everything")),
        "{readme}"
    );

    // Not over what is there, and not where nothing can be.
    let before = std::fs::read(&out).expect("a file");
    let (_, code, said) = bundle("part.tar.gz", &to);
    assert!(
        code == Some(1) && said.contains("part.tar.gz: File exists"),
        "{code:?} {said}"
    );
    assert_eq!(std::fs::read(&out).expect("a file"), before);
    let (_, code, said) = bundle("nowhere/all.tar.gz", &to);
    assert!(
        code == Some(1) && said.contains("all.tar.gz: No such file"),
        "{code:?} {said}"
    );

    let (out, code, said) = bundle("none.tar.gz", &nobody);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("no node answered") && !out.exists(), "{said}");
    let (_, code, _) = bundle("none.tar.gz", "no address");
    assert_eq!(code, Some(2));
}
