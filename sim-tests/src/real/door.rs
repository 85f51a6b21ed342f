//! The cluster's doors over HTTP: what the simulator's router is to its people.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use raft_node::platform::Clock;
use server::http_client::{self, Connection};

use crate::door::{Answer, Door};

/// How long anybody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The doors of all nodes.
pub struct Doors {
    nodes: Vec<Node>,
    clock: Arc<dyn Clock>,
    began: Duration,
    yes: AtomicU64,
    unknown: AtomicU64,
}

struct Node {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

impl Doors {
    /// The doors at these addresses.
    pub fn new(addresses: Vec<SocketAddr>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let node = |address| Node {
            address,
            idle: Mutex::default(),
        };
        Arc::new(Self {
            nodes: addresses.into_iter().map(node).collect(),
            began: clock.monotonic(),
            clock,
            yes: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
        })
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.began)
    }

    /// The wall clock.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Reservations and payments that were answered with a "yes".
    pub fn yes(&self) -> u64 {
        self.yes.load(Ordering::Relaxed)
    }

    /// Requests without an answer.
    pub fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    async fn call(&self, at: u64, request: &Request<Bytes>) -> Option<Answer> {
        let node = &self.nodes[(at % self.nodes.len() as u64) as usize];
        let headers: String = request
            .headers()
            .iter()
            .filter(|(name, _)| *name != http::header::CONTENT_TYPE)
            .filter_map(|(name, value)| Some(format!("{name}: {}\r\n", value.to_str().ok()?)))
            .collect();
        let path = request.uri().path_and_query()?.as_str();
        let words = http_client::Request {
            method: request.method().as_str(),
            path,
            headers: &headers,
            body: request.body(),
        };
        let idle = node.idle().pop();
        let mut connection = idle.unwrap_or_else(|| Connection::new(node.address));
        let answer = connection.call(&words, PATIENCE).await.map(|reply| Answer {
            status: reply.status,
            headers: read_headers(reply.head),
            body: Bytes::copy_from_slice(reply.body),
        });
        match answer {
            Ok(answer) => {
                node.idle().push(connection);
                Some(answer)
            }
            Err(error) => {
                // It died, or was restarted: the other connections are as dead as this one.
                node.idle().clear();
                if error.unsent() {
                    tokio::time::sleep(Duration::from_millis(1 + at % 20)).await;
                }
                None
            }
        }
    }
}

impl Node {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("nobody panics holding it")
    }
}

fn read_headers(head: &[u8]) -> HeaderMap {
    let head = String::from_utf8_lossy(head);
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines
        .filter_map(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        })
        .collect()
}

/// The doors, for the people of one sale: keys that are unique among them are made unique among
/// all sales.
pub struct SaleDoor {
    /// The doors.
    pub doors: Arc<Doors>,
    /// The sale's number.
    pub sale: u64,
}

impl Door for SaleDoor {
    async fn exchange(&self, at: u64, mut request: Request<Bytes>) -> Option<Answer> {
        const KEY: &str = "idempotency-key";
        if let Some(key) = request.headers().get(KEY).and_then(|key| key.to_str().ok()) {
            let key = HeaderValue::from_str(&format!("{}-{key}", self.sale));
            let key = key.expect("a number and a key are a key");
            request.headers_mut().insert(KEY, key);
        }
        let answer = self.doors.call(at, &request).await;
        let path = request.uri().path();
        let asked_for_yes = path.ends_with("/reserve") || path.ends_with("/pay");
        match &answer {
            None => _ = self.doors.unknown.fetch_add(1, Ordering::Relaxed),
            Some(Answer {
                status: 200 | 201, ..
            }) if asked_for_yes && request.method() == Method::POST => {
                self.doors.yes.fetch_add(1, Ordering::Relaxed);
            }
            Some(_) => {}
        }
        answer
    }

    fn nodes(&self) -> u64 {
        self.doors.nodes.len() as u64
    }

    fn now_ms(&self) -> u64 {
        self.doors.now_ms()
    }

    fn elapsed(&self) -> Duration {
        self.doors.elapsed()
    }
}
