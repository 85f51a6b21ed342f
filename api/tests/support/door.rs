//! The door in front of it, and a client that knocks on it without a network.

use std::sync::Arc;
use std::time::Duration;

use api::backend::Backend;
use api::payments::{PaymentTerms, serve_payments};
use api::{ApiConfig, AppState};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use ledger::ShardId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::{LocalBackend, ScriptedGateway};

pub const CLUSTER: &str = "test-cluster";
pub const SHARDS: u16 = 3;

pub struct Door {
    pub backend: Arc<LocalBackend>,
    pub gateway: Arc<ScriptedGateway>,
    pub state: AppState,
    router: Router,
    running: Vec<JoinHandle<()>>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    /// The body, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The problem's code.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The body, which must have come with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&self.bytes)
        );
        self.json()
    }

    /// Checks a refusal.
    #[track_caller]
    pub fn refused(self, status: u16, error: &str) -> Value {
        assert_eq!(
            (self.status.as_u16(), self.error().as_str()),
            (status, error),
            "{}",
            self.json()
        );
        self.json()
    }

    pub fn header(&self, name: &str) -> String {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    }
}

impl Door {
    /// A door with its courier and payment workers running.
    pub async fn open() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, with other settings.
    pub async fn with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        let backend = LocalBackend::new(SHARDS);
        let gateway = ScriptedGateway::new();
        let mut config = ApiConfig::from_secret(CLUSTER, b"a secret of the cluster", true);
        config.limits.pay_wait = Duration::from_secs(3);
        change(&mut config);
        let state = AppState::new(backend.clone(), config, "sandbox").expect("good keys");
        let mut running = vec![tokio::spawn(backend.clone().courier())];
        for shard in 1..=SHARDS {
            let (backend, gateway) = (backend.clone(), gateway.clone());
            let metrics = state.metrics.clone();
            running.push(tokio::spawn(serve_payments(
                backend,
                gateway,
                ShardId(shard),
                PaymentTerms {
                    cluster: CLUSTER.to_owned(),
                    calls_max: 64,
                    restored: false,
                },
                metrics,
            )));
        }
        Self {
            router: api::router(state.clone()),
            backend,
            gateway,
            state,
            running,
        }
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.stream(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .expect("bodies here do not break")
            .to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    /// Sends a request whose answer may never end.
    pub async fn stream(&self, request: Request<Body>) -> http::Response<Body> {
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("the router does not fail")
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(
            request("GET", path, token)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(with_json("POST", path, token, &body)).await
    }

    pub async fn keyed(&self, path: &str, token: &str, key: &str, body: Value) -> Answer {
        let mut request = with_json("POST", path, token, &body);
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().expect("a key"));
        self.send(request).await
    }

    /// A person's token.
    pub async fn token(&self, subject: &str, role: &str) -> String {
        let body = json!({"subject": subject, "role": role});
        let answer = self.post("/dev/token", "", body).await.expect(200);
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Creates an event and opens its sale; its id.
    pub async fn event(&self, change: impl FnOnce(&mut Value)) -> String {
        let organizer = self.token("olga", "organizer").await;
        let mut event = example();
        change(&mut event);
        let created = self
            .post("/api/v1/events", &organizer, event)
            .await
            .expect(201);
        let id = created["event_id"].as_str().expect("an id").to_owned();
        self.open_sale(&id, &organizer).await;
        id
    }

    /// Opens an event's sale.
    pub async fn open_sale(&self, event: &str, organizer: &str) {
        let path = format!("/api/v1/events/{event}/sale");
        let open = json!({"action": "open"});
        let request = with_json("PATCH", &path, organizer, &open);
        self.send(request).await.expect(200);
    }

    /// Joins and waits until admitted; the queue token.
    pub async fn admitted(&self, event: &str, token: &str) -> String {
        let path = format!("/api/v1/queue/join?event_id={event}");
        let joined = self.post(&path, token, Value::Null).await.expect(200);
        let queue_token = joined["queue_token"].as_str().expect("a token").to_owned();
        for _ in 0..400 {
            let status = self
                .get("/api/v1/queue/status", &queue_token)
                .await
                .expect(200);
            if status["status"] == "admitted" {
                return queue_token;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not admitted");
    }

    /// The time behind the door.
    pub fn now_s(&self) -> u64 {
        self.backend.now().0 / 1_000
    }
}

/// A small event: numbered seats cheap and dear, a standing area, no waiting room.
pub fn example() -> Value {
    json!({
        "name": "Gala", "venue": "Opera", "opens_at": "2027-06-01T10:00:00Z", "currency": "EUR",
        "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 12, "queue": null,
        "spread": 4095,
        "sections": [
            {"name": "A", "rows": 10, "seats_per_row": 20, "price": 9000, "tier": 0,
                "blocked": ["A-1-1"], "accessible": ["A-10-1", "A-10-2"]},
            {"name": "B-left", "rows": 20, "seats_per_row": 30, "price": 5000, "tier": 1},
            {"name": "C", "rows": 5, "seats_per_row": 10, "price": 5000, "tier": 1},
            {"name": "Floor", "capacity": 100, "price": 3000, "tier": 2},
        ],
    })
}

pub fn request(method: &str, path: &str, token: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if token.is_empty() {
        request
    } else {
        request.header("authorization", format!("Bearer {token}"))
    }
}

pub fn with_json(method: &str, path: &str, token: &str, body: &Value) -> Request<Body> {
    let request = request(method, path, token).header("content-type", "application/json");
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    request.body(Body::from(text)).expect("a request")
}
