//! Goal: the operators' page shows one picture to all who watch, changes what it says, and is nobody
//! else's tool.
//!
//! Method: a node in this process, asked through its routers as a browser asks; once through its listener,
//! to see streams end with it.

use std::net::SocketAddr;
use std::sync::Arc;

use api::payments::SandboxGateway;
use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use futures::StreamExt;
use http_body_util::BodyExt;
use raft_node::platform::Platform;
use serde_json::{Value, json};
use server::demo::children::ports::free_address;
use server::node::Server;
use server::node::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

const OWN: &str = "127.0.0.1:8091";
const PROVIDER: &str = "http://127.0.0.1:9";

/// A node that is initialized, in its own directory.
struct Alone {
    server: Server,
    /// Its operators' routes: one for all, as at its listener.
    operators: Router,
    admin: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Alone {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let [http, peer, admin] = [(); 3].map(|()| free_address().expect("a free port"));
        let file = format!(
            "cluster_id = \"0190b1a0-0000-7000-8000-000000000001\"\nnode_id = 1\ndata_dir = {:?}\n\
             http = \"{http}\"\npeer = \"{peer}\"\nadmin = \"{admin}\"\nadmin_names = [\"ops.example\"]\n\
             shards = 2\ndev = true\npeers = [{{ id = 1, addr = \"{peer}\" }}]\n\
             [payments]\ngateway = \"sandbox\"\nurl = \"{PROVIDER}\"\nwebhook_secret = \"whsec_0123\"\n",
            dir.path()
        );
        let config: Config = toml::from_str(&file).expect("a good file");
        let platform = Platform::os(&config.data_dir).expect("a platform");
        let gateway = SandboxGateway::new(PROVIDER, std::time::Duration::from_secs(1));
        let gateway = Arc::new(gateway.expect("a gateway"));
        let server = server::node::run(config, platform, gateway).await;
        let server = server.expect("a node");
        let alone = Self {
            operators: server.admin_router(),
            server,
            admin,
            _dir: dir,
        };
        let init = alone.operator(Method::POST, "/admin/init", "").await;
        assert_eq!(init.status(), StatusCode::OK);
        alone
    }

    /// What the page asks.
    async fn operator(&self, method: Method, path: &str, body: &str) -> Response {
        let headers = [("host", OWN), ("sec-fetch-site", "same-origin")];
        ask(self.operators.clone(), method, path, &headers, body).await
    }

    /// An event that sells, with a waiting room.
    async fn event(&self, name: &str) -> String {
        let body = json!({"subject": "ann", "role": "organizer"}).to_string();
        let token = self.buyers_door("/dev/token", "", &body).await;
        let bearer = format!("Bearer {}", token["token"].as_str().expect("a token"));
        let event = json!({
            "name": name, "venue": "Globe", "opens_at": "2020-01-01T00:00:00Z", "currency": "EUR",
            "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 8,
            "queue": {"admit_per_minute": 60},
            "sections": [{"name": "S", "rows": 4, "seats_per_row": 10, "price": 1_000}],
        });
        let made = self
            .buyers_door("/api/v1/events", &bearer, &event.to_string())
            .await;
        made["event_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    }

    async fn buyers_door(&self, path: &str, bearer: &str, body: &str) -> Value {
        let headers = [("authorization", bearer)];
        json_of(ask(self.server.router(), Method::POST, path, &headers, body).await).await
    }

    async fn watch(&self) -> Watching {
        let answer = self.operator(Method::GET, "/admin/live", "").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Watching {
            stream: answer.into_body().into_data_stream(),
        }
    }
}

/// An open stream.
struct Watching {
    stream: BodyDataStream,
}

impl Watching {
    /// The next event: its name, and its data as it came.
    async fn next(&mut self) -> Option<(String, String)> {
        let frame = self.stream.next().await?.expect("a frame");
        let text = String::from_utf8(frame.to_vec()).expect("text");
        let text = text.strip_suffix("\n\n").expect("a whole event");
        let (event, data) = text.split_once('\n').expect("two lines");
        let name = event.strip_prefix("event: ").expect("a name").to_owned();
        Some((name, data.strip_prefix("data: ").expect("data").to_owned()))
    }

    /// The next picture that is as wanted.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (name, data) = self.next().await.expect("it goes on");
            let picture: Value = serde_json::from_str(&data).expect("JSON");
            if name == "picture" && wanted(&picture) {
                return picture;
            }
        }
    }
}

async fn ask(
    router: Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let request = Request::builder().method(method).uri(path);
    let request = headers
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
    let request = request.header("content-type", "application/json");
    let request = request
        .body(Body::from(body.to_owned()))
        .expect("a request");
    router.oneshot(request).await.expect("an answer")
}

async fn text_of(answer: Response) -> String {
    let bytes = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

async fn json_of(answer: Response) -> Value {
    serde_json::from_str(&text_of(answer).await).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_whole_and_asks_nobody_else_for_anything() {
    let alone = Alone::start().await;
    let page = alone.operator(Method::GET, "/", "").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(
        policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    let html = text_of(page).await;
    for inline in [
        "<style",
        " style=",
        " onclick=",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!html.contains(inline), "{inline}");
    }
    assert!(html.contains("<noscript>"));
    // Whatever one of its files names is there, and every script is a file.
    let mut named: Vec<String> = quoted(&html, "/page/");
    assert!(
        named.len() >= 3 && html.matches("<script").count() == 1,
        "{named:?}"
    );
    let mut seen = Vec::new();
    while let Some(path) = named.pop() {
        let file = alone.operator(Method::GET, &path, "").await;
        assert_eq!(file.status(), StatusCode::OK, "{path}");
        assert!(file.headers().contains_key("content-security-policy"));
        let text = text_of(file).await;
        assert!(
            !text.contains("innerHTML") && !text.contains("insertAdjacentHTML"),
            "{path}"
        );
        assert!(
            !text.contains("localStorage") && !text.contains("document.cookie"),
            "{path}"
        );
        seen.push(path);
        let imports = quoted(&text, "./")
            .into_iter()
            .map(|name| name.replacen("./", "/page/", 1));
        let new = imports.filter(|path| !seen.contains(path));
        named.extend(new.collect::<Vec<_>>());
        named.sort();
        named.dedup();
    }
    assert!(seen.iter().any(|path| path == "/page/act.js"), "{seen:?}");
}

/// What stands in quotes and begins so.
fn quoted(text: &str, prefix: &str) -> Vec<String> {
    let parts = text.split('"').skip(1).step_by(2);
    parts
        .filter(|part| part.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_watch_see_the_same_pictures_and_they_are_not_too_many() {
    let alone = Alone::start().await;
    let event = alone.event("Hamlet <script>").await;
    let mut one = alone.watch().await;
    let (name, hello) = one.next().await.expect("a greeting");
    assert_eq!(name, "hello");
    assert_eq!(hello, r#"{"changes":true,"who":"unproven"}"#);

    let sees = |picture: &Value| {
        let members = picture["members"]["nodes"].as_array().map_or(0, Vec::len);
        picture["events"]
            .as_array()
            .is_some_and(|events| !events.is_empty())
            && picture["door"]["reserves_per_s"].is_number()
            && members == 1
    };
    let picture = one.until(sees).await;
    let shown = &picture["events"][0];
    assert_eq!(
        (&shown["event_id"], &shown["name"]),
        (&json!(event), &json!("Hamlet <script>"))
    );
    assert_eq!(
        (&shown["sale"], &shown["counts"]["available"]),
        (&json!("open"), &json!(40))
    );
    assert_eq!(shown["queue"]["admit_per_minute"], 60);
    assert_eq!(picture["node"]["node_id"], 1);
    let groups = picture["groups"].as_array().expect("groups");
    assert_eq!(groups.len(), 3);
    for group in groups {
        assert_eq!(
            (&group["leader"], &group["replicas"][0]["votes"]),
            (&json!(1), &json!(true))
        );
    }
    assert_eq!(
        picture["releases"]["nodes"][0]["release"],
        env!("CARGO_PKG_VERSION")
    );

    // Another one is shown the same, byte for byte: it is drawn once.
    let mut other = alone.watch().await;
    other.next().await.expect("a greeting");
    let mut seen = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        seen[0].push(one.next().await.expect("a picture"));
        seen[1].push(other.next().await.expect("a picture"));
    }
    assert!(
        seen[0]
            .iter()
            .filter(|picture| seen[1].contains(picture))
            .count()
            >= 2
    );

    let mut rest = Vec::new();
    let refused = loop {
        let answer = alone.operator(Method::GET, "/admin/live", "").await;
        match answer.status() {
            StatusCode::OK => rest.push(answer),
            _ => break answer,
        }
        assert!(rest.len() < 1_000, "there is no bound");
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json_of(refused).await["error"], "WATCHERS_MAX");
    // Who leaves makes room.
    rest.pop();
    drop((one, other, rest));
    let again = alone
        .operator(Method::GET, "/admin/live?pictures=1", "")
        .await;
    let all = text_of(again).await;
    assert_eq!(all.matches("event: picture\n").count(), 1, "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_does_to_a_sale_is_judged_and_recorded_like_an_organizers() {
    let alone = Alone::start().await;
    let event = alone.event("Hamlet").await;
    let path = format!("/admin/events/{event}/sale");
    let run = async |body: &str| {
        let answer = alone.operator(Method::PATCH, &path, body).await;
        (answer.status().as_u16(), json_of(answer).await)
    };
    let (status, answer) = run(r#"{"action": "pause"}"#).await;
    assert_eq!(
        (status, &answer["sale"]),
        (200, &json!("paused")),
        "{answer}"
    );
    let (status, answer) = run(r#"{"admit_per_minute": 7}"#).await;
    assert_eq!(
        (status, &answer["admit_per_minute"]),
        (200, &json!(7)),
        "{answer}"
    );
    assert_eq!(run(r#"{"action": "close"}"#).await.0, 200);
    // The same rules, told in the same words.
    for (body, error) in [
        (r#"{"action": "open"}"#, "TRANSITION_ILLEGAL"),
        (r#"{"action": "burn"}"#, "FIELD_INVALID"),
        (r#"{"turbo": true}"#, "BODY_INVALID"),
        ("{}", "FIELD_INVALID"),
    ] {
        let (status, answer) = run(body).await;
        assert!((400..500).contains(&status), "{body}: {status}");
        assert_eq!(answer["error"], error, "{body}: {answer}");
    }
    let unknown = "/admin/events/nobody/sale";
    let unknown = alone
        .operator(Method::PATCH, unknown, r#"{"action": "open"}"#)
        .await;
    assert_eq!(json_of(unknown).await["error"], "EVENT_UNKNOWN");

    let trail = alone.operator(Method::GET, "/admin/trail", "").await;
    let trail = json_of(trail).await;
    let records = trail["records"].as_array().expect("records").iter();
    let did = records.map(|record| (record["action"].as_str(), record["by"].as_str()));
    let did: Vec<_> = did
        .map(|(action, by)| (action.unwrap(), by.unwrap()))
        .collect();
    let by_operator = ["sale.pause", "sale.rate", "sale.close"].map(|action| (action, "unproven"));
    let expected = [("cluster.init", "unproven"), ("event.create", "person")];
    assert_eq!(did, [&expected[..], &by_operator[..]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_page_gets_through_to_any_route() {
    let alone = Alone::start().await;
    let foreign: [&[(&str, &str)]; 4] = [
        &[("host", OWN), ("origin", "http://evil.example")],
        &[("host", OWN), ("origin", "null")],
        &[("host", OWN), ("sec-fetch-site", "cross-site")],
        &[("host", "rebound.example:8091")],
    ];
    let table = server::node::admin::table();
    for (method, path, _) in table {
        let path = path
            .replace("{node}", "99")
            .replace("{id}", "0000000000000000");
        for headers in foreign {
            let router = alone.operators.clone();
            let answer = ask(router, method.clone(), &path, headers, "{}").await;
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{method} {path} {headers:?}"
            );
            assert_eq!(json_of(answer).await["error"], "ORIGIN_FOREIGN");
        }
    }
    let ok: [(&str, &[(&str, &str)]); 4] = [
        ("/admin/status", &[("host", "ops.example:8091")]),
        ("/admin/status", &[]),
        (
            "/admin/status",
            &[("host", OWN), ("origin", "http://127.0.0.1:8091")],
        ),
        // What everybody may know, at the public door as well.
        ("/metrics", &[("host", "node-1.monitoring")]),
    ];
    for (path, headers) in ok {
        let answer = ask(alone.operators.clone(), Method::GET, path, headers, "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path} {headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_in_good_order_when_the_node_stops() {
    let alone = Alone::start().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (serves, serving) = tokio::sync::oneshot::channel::<()>();
    let Alone {
        server,
        admin,
        _dir,
        ..
    } = alone;
    let mut serves = Some(serves);
    let tell = std::sync::Mutex::new(move || {
        let first = serves.take().map(|serves| serves.send(()));
        assert!(
            first.is_none_or(|sent| sent.is_ok()),
            "somebody waits for it"
        );
    });
    let running = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        let told = |_| (tell.lock().expect("nobody panics"))();
        server.serve_telling(stop, told).await
    });
    serving.await.expect("it serves");
    let mut connection = tokio::net::TcpStream::connect(admin)
        .await
        .expect("connected");
    let request = format!("GET /admin/live HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    connection
        .write_all(request.as_bytes())
        .await
        .expect("asked");
    let mut answer = vec![0; 64];
    let read = connection.read(&mut answer).await.expect("an answer");
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
    stop.send(()).expect("it listens");
    running.await.expect("it ends").expect("in good order");
    connection.read_to_end(&mut answer).await.expect("the rest");
    // A stream that was cut off has no last chunk.
    assert!(answer.ends_with(b"0\r\n\r\n"));
}
