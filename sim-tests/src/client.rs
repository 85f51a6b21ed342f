//! A client: JSON into a node's router and back, with a deadline, and with loss on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use ledger::{Command, Outcome, ShardId};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::seed::Stream;
use crate::world::{Answer, PROPOSE, World};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

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
}

/// Somebody with a connection to the cluster.
pub struct Client {
    world: Arc<World>,
    chance: Stream,
    /// Sent as `Authorization: Bearer`.
    pub token: String,
}

impl Client {
    /// A client called `name`, with a development token of this role.
    pub async fn sign_in(world: Arc<World>, name: &str, role: &str) -> Self {
        let chance = Stream::new(world.scenario.entropy, name);
        let mut client = Self {
            world,
            chance,
            token: String::new(),
        };
        let body = serde_json::json!({ "subject": name, "role": role });
        loop {
            if let Reply::Answered(200, token) =
                client.call("POST", "/dev/token", None, &body).await
            {
                client.token = token["token"]
                    .as_str()
                    .expect("a token is a string")
                    .to_owned();
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
    pub fn world(&self) -> &World {
        &self.world
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
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let request = request
            .header("content-type", "application/json")
            .body(Full::new(bytes))
            .expect("a well formed request");
        match self.exchange(request).await {
            Some(answer) => {
                let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                Reply::Answered(answer.status, body)
            }
            None => Reply::Unknown,
        }
    }

    /// Proposes a command as a door would that dies on the next line, once; its outcome.
    pub async fn propose(&self, shard: ShardId, command: &Command) -> Option<Outcome> {
        let request = Request::post(format!("{PROPOSE}/{}", shard.0))
            .body(Full::new(proto::encode_command(command)))
            .expect("a well formed request");
        let answer = self.exchange(request).await?;
        (answer.status == 200)
            .then(|| proto::decode_outcome(&answer.body).ok())
            .flatten()
    }

    /// A request to a random node and its answer, if one comes.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let Some(alive) = self.world.somebody(self.chance.next()) else {
            // Connection refused; a real client would find out as quickly.
            self.pause(1, 20).await;
            return None;
        };
        let (reply, answer) = oneshot::channel();
        alive.inbox.send((request, reply)).await.ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
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
