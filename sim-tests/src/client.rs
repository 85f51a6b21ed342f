//! A client: JSON through a [`Door`] and back. Every exchange goes into the history with the
//! moments it began and ended, because checkers judge answers by what was over before they were
//! asked for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::door::Door;
use crate::history::{History, Op};
use crate::seed::Stream;

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status and a body.
    Answered(u16, Value),
    /// No answer: it may have happened or not.
    Unknown,
}

impl Reply {
    /// The stable code of a problem, or the status.
    pub fn code(&self) -> String {
        match self {
            Self::Unknown => "unknown".to_owned(),
            Self::Answered(status, body) => body["error"]
                .as_str()
                .map_or_else(|| status.to_string(), str::to_owned),
        }
    }

    /// Whether the answer is a body with this text somewhere in it.
    pub fn says(&self, text: &str) -> bool {
        matches!(self, Self::Answered(_, body) if body.to_string().contains(text))
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Sent as `Authorization: Bearer`, unless empty.
    pub token: &'a str,
    /// GET, POST, ...
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// The idempotency key.
    pub key: Option<&'a str>,
    /// More headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; `Null` for none.
    pub body: &'a Value,
}

/// Somebody with a connection to the cluster.
pub struct Client<D> {
    door: Arc<D>,
    history: Arc<History>,
    chance: Stream,
    name: String,
    /// Sent as `Authorization: Bearer`.
    pub token: String,
}

impl<D: Door> Client<D> {
    /// A client called `name` that is nobody yet.
    pub fn new(door: Arc<D>, history: Arc<History>, entropy: u64, name: &str) -> Self {
        Self {
            door,
            history,
            chance: Stream::new(entropy, name),
            name: name.to_owned(),
            token: String::new(),
        }
    }

    /// The same with a development token of this role; insists until there is one.
    pub async fn sign_in(
        door: Arc<D>,
        history: Arc<History>,
        entropy: u64,
        name: &str,
        role: &str,
    ) -> Self {
        let mut client = Self::new(door, history, entropy, name);
        let body = serde_json::json!({ "subject": name, "role": role });
        loop {
            let reply = client.call("POST", "/dev/token", None, &body).await;
            if let Reply::Answered(200, token) = reply {
                let token = token["token"].as_str().expect("a token is a string");
                client.token = token.to_owned();
                return client;
            }
            client.pause(50, 200).await;
        }
    }

    /// Waits a while.
    pub async fn pause(&self, low_ms: u64, high_ms: u64) {
        let ms = self.chance.between(low_ms, high_ms);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// The world it lives in.
    pub fn door(&self) -> &Arc<D> {
        &self.door
    }

    /// Who it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it writes down what it asks and hears.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// This client's own chance.
    pub fn chance(&self) -> &Stream {
        &self.chance
    }

    /// Asks a random node, once.
    pub async fn call(&self, method: &str, path: &str, key: Option<&str>, body: &Value) -> Reply {
        self.call_as(&self.token, method, path, key, body).await
    }

    /// The same with another token.
    pub async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Reply {
        let ask = Ask {
            token,
            method,
            path,
            key,
            headers: &[],
            body,
        };
        self.ask(&ask).await.0
    }

    /// Asks one node, named by number, once.
    pub async fn call_at(
        &self,
        at: u64,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Reply {
        let ask = Ask {
            token: &self.token,
            method,
            path,
            key,
            headers: &[],
            body,
        };
        self.ask_at(at, &ask).await.0
    }

    /// The whole request to a random node, and the ETag of its answer.
    pub async fn ask(&self, ask: &Ask<'_>) -> (Reply, Option<String>) {
        self.ask_at(self.chance.next(), ask).await
    }

    async fn ask_at(&self, at: u64, ask: &Ask<'_>) -> (Reply, Option<String>) {
        let mut request = Request::builder().method(ask.method).uri(ask.path);
        if !ask.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", ask.token));
        }
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        let bytes = if ask.body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(ask.body.to_string())
        };
        let request = request
            .header("content-type", "application/json")
            .body(bytes)
            .expect("a well formed request");
        let invoked = self.door.elapsed();
        let answer = self.door.exchange(at, request).await;
        let tag = answer.as_ref().and_then(|answer| {
            let tag = answer.headers.get("etag")?;
            tag.to_str().ok().map(str::to_owned)
        });
        let reply = answer.map_or(Reply::Unknown, |answer| {
            let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
            Reply::Answered(answer.status, body)
        });
        self.history.op(Op {
            who: self.name.clone(),
            token: ask.token.to_owned(),
            invoked,
            returned: self.door.elapsed(),
            method: ask.method.to_owned(),
            path: ask.path.to_owned(),
            key: ask.key.map(str::to_owned),
            body: ask.body.clone(),
            reply: reply.clone(),
        });
        (reply, tag)
    }

    /// Asks until there is an answer that a retry would not change, at most `tries` times.
    /// Safe for every request that carries an idempotency key or is idempotent by itself.
    pub async fn insist(
        &self,
        tries: u32,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Reply {
        let mut last = Reply::Unknown;
        for _ in 0..tries {
            last = self.call(method, path, key, body).await;
            match &last {
                Reply::Answered(500.., _) | Reply::Answered(429, _) | Reply::Unknown => {}
                Reply::Answered(..) => return last,
            }
            self.pause(100, 800).await;
        }
        last
    }
}
