//! The sandbox provider over HTTP, as a seller meets it: repeats, faults, webhooks, its ledger.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use server::http_client::{Connection, Error, Request};
use server::sandbox::{Options, Provider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(10);

struct Running {
    address: SocketAddr,
    task: JoinHandle<()>,
}

async fn start(webhooks: Vec<String>, ledger: Option<&std::path::Path>) -> Running {
    let listen = "127.0.0.1:0".parse().unwrap();
    let ledger = ledger.map(Into::into);
    let options = Options {
        listen,
        webhooks,
        secret: "whsec_test".to_owned(),
        ledger,
    };
    let provider = Provider::bind(options).await.unwrap();
    Running {
        address: provider.address(),
        task: tokio::spawn(provider.serve()),
    }
}

impl Running {
    async fn try_call(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<(u16, Value), Error> {
        let headers = match key {
            "" => String::new(),
            key => format!("Idempotency-Key: {key}\r\n"),
        };
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = Request {
            method,
            path,
            headers: &headers,
            body: &body,
        };
        let mut connection = Connection::new(self.address);
        let reply = connection.call(&request, SOON).await?;
        Ok((reply.status, serde_json::from_slice(reply.body).unwrap()))
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        self.try_call("POST", path, key, &body).await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.try_call("GET", path, "", &Value::Null).await.unwrap()
    }

    async fn faults(&self, faults: Value) {
        let (status, _) = self
            .try_call("PUT", "/v1/faults", "", &faults)
            .await
            .unwrap();
        assert_eq!(status, 200);
    }
}

fn wish(order: &str, amount: u64) -> Value {
    json!({"order": order, "amount": amount, "currency": "EUR", "method": "pm_ok", "capture": false})
}

#[tokio::test]
async fn a_payment_goes_its_way_and_every_repeat_gets_the_stored_answer() {
    let provider = start(vec![], None).await;
    let (status, first) = provider.post("/v1/payments", "k1", wish("o1", 500)).await;
    assert_eq!((status, &first["status"]), (200, &json!("authorized")));
    assert_eq!(
        provider.post("/v1/payments", "k1", wish("o1", 500)).await,
        (200, first.clone())
    );
    let (status, other) = provider.post("/v1/payments", "k1", wish("o1", 501)).await;
    assert_eq!((status, &other["error"]), (400, &json!("key_reused")));
    assert_eq!(
        provider.post("/v1/payments", "", wish("o1", 1)).await.0,
        400
    );

    let capture = format!("/v1/payments/{}/capture", first["id"].as_str().unwrap());
    let (status, captured) = provider.post(&capture, "k2", Value::Null).await;
    assert_eq!((status, &captured["status"]), (200, &json!("captured")));
    assert_eq!(
        provider.post(&capture, "k2", Value::Null).await,
        (200, captured)
    );
    assert_eq!(provider.post(&capture, "k3", Value::Null).await.0, 409);
    let cancel = capture.replace("capture", "cancel");
    let (status, refused) = provider.post(&cancel, "k4", Value::Null).await;
    assert_eq!(
        (status, &refused["error"]),
        (409, &json!("not_cancellable"))
    );

    let (_, ledger) = provider.get("/v1/ledger").await;
    assert_eq!(ledger["payments"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["payments"][0]["captured_amount"], 500);
    let refund = capture.replace("capture", "refund");
    assert_eq!(provider.post(&refund, "k5", Value::Null).await.0, 200);
    let (_, ledger) = provider.get("/v1/ledger").await;
    assert_eq!(ledger["payments"][0]["refunded_amount"], 500);
    provider.task.abort();
}

#[tokio::test]
async fn a_declined_card_is_402_for_ever_and_its_payment_is_found_by_key_and_order() {
    let provider = start(vec![], None).await;
    let declined = json!({"order": "o", "amount": 5, "currency": "EUR", "method": "pm_decline"});
    let answer = provider.post("/v1/payments", "k", declined.clone()).await;
    assert_eq!((answer.0, &answer.1["error"]), (402, &json!("declined")));
    assert_eq!(provider.post("/v1/payments", "k", declined).await, answer);
    for query in ["key=k", "order=o"] {
        let (_, found) = provider.get(&format!("/v1/payments?{query}")).await;
        assert_eq!(found["payments"][0]["status"], "declined", "{query}");
    }
    let (status, none) = provider.get("/v1/payments?key=other").await;
    assert_eq!((status, &none["payments"]), (200, &json!([])));
    provider.task.abort();
}

#[tokio::test]
async fn while_a_key_is_under_way_a_second_call_and_a_look_up_are_told_to_wait() {
    let provider = start(vec![], None).await;
    provider.faults(json!({"delay_ms": 400})).await;
    let slow = provider.post("/v1/payments", "k", wish("o", 5));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let second = provider.post("/v1/payments", "k", wish("o", 5)).await;
        assert_eq!((second.0, &second.1["error"]), (409, &json!("key_in_use")));
        assert_eq!(provider.get("/v1/payments?key=k").await.0, 409);
    };
    let (first, ()) = tokio::join!(slow, meanwhile);
    assert_eq!(first.0, 200);
    provider.task.abort();
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_money_was_reserved_and_a_stored_500_stays_one() {
    let provider = start(vec![], None).await;
    provider.faults(json!({"lost_answer_percent": 100})).await;
    let lost = provider
        .try_call("POST", "/v1/payments", "k1", &wish("o", 5))
        .await;
    assert!(
        matches!(lost, Err(Error::Closed | Error::Broken { .. })),
        "{lost:?}"
    );
    provider
        .faults(json!({"lost_answer_percent": 0, "error_percent": 100}))
        .await;
    let (status, repeated) = provider.post("/v1/payments", "k1", wish("o", 5)).await;
    assert_eq!((status, &repeated["status"]), (200, &json!("authorized")));

    let capture = format!("/v1/payments/{}/capture", repeated["id"].as_str().unwrap());
    assert_eq!(provider.post(&capture, "k2", Value::Null).await.0, 500);
    provider.faults(json!({"error_percent": 0})).await;
    assert_eq!(provider.post(&capture, "k2", Value::Null).await.0, 500);
    let (_, found) = provider.get("/v1/payments?key=k1").await;
    assert_eq!(
        found["payments"][0]["status"], "captured",
        "a stored failure may have succeeded"
    );
    provider.task.abort();
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_key_half_done() {
    let provider = start(vec![], None).await;
    provider.faults(json!({"delay_ms": 200})).await;
    let body = wish("o", 5).to_string();
    let request =
        Request::post("/v1/payments", body.as_bytes()).with_headers("Idempotency-Key: k\r\n");
    let mut connection = Connection::new(provider.address);
    connection
        .call(&request, Duration::from_millis(50))
        .await
        .unwrap_err();
    drop(connection);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        provider.post("/v1/payments", "k", wish("o", 5)).await.0,
        200
    );
    provider.task.abort();
}

#[tokio::test]
async fn the_ledger_outlives_the_provider_and_a_torn_last_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let provider = start(vec![], Some(&path)).await;
    let answer = provider.post("/v1/payments", "k1", wish("o1", 5)).await;
    provider.post("/v1/payments", "k2", wish("o2", 6)).await;
    let (_, before) = provider.get("/v1/ledger").await;
    provider.task.abort();
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"key\":\"k3\",\"rec");
    std::fs::write(&path, &text).unwrap();

    let provider = start(vec![], Some(&path)).await;
    assert_eq!(provider.get("/v1/ledger").await.1, before);
    assert_eq!(
        provider.post("/v1/payments", "k1", wish("o1", 5)).await,
        answer
    );
    provider.post("/v1/payments", "k3", wish("o3", 7)).await;
    provider.task.abort();

    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("{\"key\"", "{\"kay\"", 1)).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = Options {
        listen,
        webhooks: vec![],
        secret: String::new(),
        ledger: Some(path),
    };
    let error = Provider::bind(options)
        .await
        .err()
        .expect("damage before valid lines");
    assert!(error.to_string().contains("line 1"), "{error}");
}

/// Takes requests, answers each with the next status (the last one for ever), tells the bodies.
async fn seller(
    statuses: &'static [u16],
) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tx, rx) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut count = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let size = stream.read(&mut bytes).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..size]).into_owned();
            let status = statuses[count.min(statuses.len() - 1)];
            count += 1;
            let answer =
                format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = tx.send(text);
        }
    });
    (address, rx)
}

#[tokio::test]
async fn webhooks_are_signed_repeated_until_taken_and_doubled_on_demand() {
    use hmac::{Hmac, KeyInit, Mac};
    let (address, mut rx) = seller(&[503, 200]).await;
    let provider = start(
        vec![format!("http://{address}/webhooks/payments/sandbox")],
        None,
    )
    .await;
    provider
        .faults(json!({"duplicate_webhook_percent": 100}))
        .await;
    let body =
        json!({"order": "o1", "amount": 5, "currency": "EUR", "method": "pm_ok", "attempt": 2});
    provider.post("/v1/payments", "k1", body).await;

    let start = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let text = tokio::time::timeout(SOON, rx.recv())
            .await
            .unwrap()
            .unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let line = head
            .lines()
            .find(|line| line.starts_with("Usher-Signature"))
            .unwrap();
        let (time, tag) = line.split_once("t=").unwrap().1.split_once(",v1=").unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"whsec_test").unwrap();
        mac.update(format!("{time}.{body}").as_bytes());
        assert_eq!(tag, server::dice::hex(&mac.finalize().into_bytes()));
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["type"], "authorized");
        assert_eq!(
            (&body["order"], &body["attempt"]),
            (&json!("o1"), &json!(2))
        );
        assert_eq!(
            (&body["step"], &body["key"]),
            (&json!("authorize"), &json!("k1"))
        );
        ids.push(body["id"].clone());
    }
    assert!(start.elapsed() < SOON);
    ids.dedup();
    assert_eq!(ids.len(), 1, "repeats and doubles of an event share its id");
    provider.task.abort();
}
