//! Goal: a request whose caller wants it followed is told of to the collector that the settings name,
//! from the door that took it to the leader that committed it, by whichever nodes those are.
//!
//! Method: three real processes and a collector that keeps whatever it is sent.

#![allow(
    clippy::disallowed_methods,
    reason = "a collector beside a cluster: real time"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::routing::post;
use serde_json::{Value, json};
use server::demo::children::{Cluster, Plan};
use server::demo::door::Doors;
use server::demo::opening;
use server::http_client::{Connection, Request, bearer};

const USHER: &str = env!("CARGO_BIN_EXE_usher");
const PATIENCE: Duration = Duration::from_secs(30);
const CAUSE: &str = "00f067aa0ba902b7";

/// A span, and the node that sent it.
type Span = (String, Value);

/// Takes spans as a collector does; where it listens.
async fn collector(kept: Arc<Mutex<Vec<Span>>>) -> String {
    let keep = move |Json(message): Json<Value>| async move {
        for of_node in message["resourceSpans"].as_array().expect("resources") {
            let told = of_node["resource"]["attributes"]
                .as_array()
                .expect("a list");
            let named = told
                .iter()
                .find(|told| told["key"] == "service.instance.id");
            let node = named.expect("a name")["value"]["stringValue"].to_string();
            for span in of_node["scopeSpans"][0]["spans"].as_array().expect("spans") {
                kept.lock().unwrap().push((node.clone(), span.clone()));
            }
        }
        Json(json!({}))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = axum::Router::new().route("/v1/traces", post(keep));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_followed_over_the_nodes_that_it_concerns() {
    let kept = Arc::default();
    let address = collector(Arc::clone(&kept)).await;
    let dir = tempfile::tempdir().expect("a directory");
    let plan = Plan {
        nodes: 3,
        shards: 1,
        dir: dir.path().to_owned(),
        first_port: None,
    };
    let mut cluster = Cluster::lay_out(&plan, USHER.into()).expect("a cluster");
    cluster.write_configs().expect("files");
    for index in 0..3 {
        let setting = format!("telemetry.otlp={address}");
        let words = ["--set".to_owned(), setting];
        cluster.start_node_with(index, &words).expect("a node");
    }
    cluster.begin().await.expect("they are ready");
    let sections = json!([{ "name": "A", "rows": 1, "seats_per_row": 10, "price": 1_000 }]);
    let event = opening::open_already("Followed", "Here", 600, (4, 10), sections);
    let opened = opening::create(&cluster.doors(), &event)
        .await
        .expect("an event");
    let doors = Doors::new(&cluster.doors(), 1);
    let token = opening::token(&doors, "somebody", "buyer")
        .await
        .expect("a token");
    for (number, door) in cluster.doors().into_iter().enumerate() {
        let body =
            json!({ "event_id": opened.event, "best_available": { "count": 1 } }).to_string();
        let trace = format!("{:032x}", number + 1);
        let headers = format!("{}traceparent: 00-{trace}-{CAUSE}-01\r\n", bearer(&token));
        let request =
            Request::post("/api/v1/seats/reserve", body.as_bytes()).with_headers(&headers);
        let mut connection = Connection::new(door);
        let start = Instant::now();
        loop {
            let reply = connection
                .call(&request, PATIENCE)
                .await
                .expect("an answer");
            if reply.status == 201 {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{}", reply.status);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    let mut leaders = BTreeSet::new();
    for number in 1..=3 {
        let trace = format!("{number:032x}");
        let granted = |spans: &[Span]| {
            let of_trace = spans.iter().filter(|(_, span)| span["traceId"] == trace);
            let of_trace: Vec<Span> = of_trace.cloned().collect();
            let answered =
                json!({ "key": "http.response.status_code", "value": { "intValue": "201" } });
            let door = of_trace.iter().find(|(_, span)| {
                let told = span["attributes"].as_array().expect("a list");
                told.contains(&answered)
            });
            let door = door.cloned()?;
            let caused = |span: &Value| span["parentSpanId"] == door.1["spanId"];
            let commit = of_trace.into_iter().find(|(_, span)| caused(span))?;
            Some((door, commit))
        };
        let start = Instant::now();
        let (door, commit) = loop {
            let found = granted(&kept.lock().unwrap());
            if let Some(found) = found {
                break found;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{trace}: {:?}",
                kept.lock().unwrap()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(door.0, format!("\"node-{number}\""));
        assert_eq!(door.1["name"], "reserve");
        assert_eq!(door.1["parentSpanId"], CAUSE);
        assert_eq!(commit.1["name"], "commit");
        leaders.insert(commit.0);
    }
    assert_eq!(
        leaders.len(),
        1,
        "one leader committed all of them: {leaders:?}"
    );
}
