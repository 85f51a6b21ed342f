//! An operator at a desk: makes keys of the API, uses them, revokes them, moves and spreads leaders, while
//! everything goes wrong. What was granted is noted with the request's name, and judged in the end: each stands in
//! the trail, once (`checker/operators_are_on_record`). A node that knows that a key is revoked must
//! refuse it.

use std::sync::Arc;
use std::time::Duration;

use api::auth::key::ApiKey;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Alive, World};
use crate::client::Reply;
use crate::history::{History, Trespass};
use crate::seed::Stream;

/// How long the clerk waits for an answer.
const PATIENCE: Duration = Duration::from_secs(12);
/// Looks whether a node has heard of a revocation.
const LOOKS_MAX: u32 = 40;
/// What spreading leaders is called in the trail.
const SPREAD: &str = "cluster.rebalance";
/// An order that nobody made.
const ORDER: &str = "/api/v1/orders/00000000-0000-4000-8000-000000000000";

/// Works through as many errands as the run is to have.
pub async fn work(world: Arc<World>, history: Arc<History>) {
    let errands = world.scenario.clerk;
    let clerk = Clerk {
        chance: Stream::new(world.scenario.entropy, "clerk"),
        world,
        history,
    };
    if clerk.world.scenario.spread {
        // Refused until the members are registered.
        let done = clerk
            .insist(
                "first",
                SPREAD,
                "POST",
                "/operator/admin/rebalance",
                &json!({}),
            )
            .await;
        if done {
            clerk.world.tally.count("leaders are spread at first");
        }
    }
    let pause = clerk.world.scenario.lasts_ms / (errands + 1);
    for number in 0..errands {
        let ms = clerk.chance.between(pause / 2, pause);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        match clerk.chance.below(100) {
            0..20 => clerk.move_a_leader(number).await,
            20..35 => clerk.spread_leaders(number).await,
            _ => clerk.issue_and_revoke(number).await,
        }
    }
}

struct Clerk {
    chance: Stream,
    world: Arc<World>,
    history: Arc<History>,
}

impl Clerk {
    async fn issue_and_revoke(&self, number: u64) {
        let chance = std::array::from_fn(|_| self.chance.below(256) as u8);
        let key = ApiKey::from_chance(&chance);
        let id = format!("{:016x}", key.id.0);
        let body = json!({
            "id": id, "hash": api::text::hex(&key.hash()), "role": "read-only",
            "name": format!("key {number}"),
        });
        let create = "/operator/admin/keys";
        if !self
            .insist(number, "key.create", "POST", create, &body)
            .await
        {
            return;
        }
        self.world.tally.count("a key is made");
        let revoke = format!("/operator/admin/keys/{id}");
        if !self
            .insist(number, "key.revoke", "DELETE", &revoke, &Value::Null)
            .await
        {
            return;
        }
        let at = self.chance.next();
        for _ in 0..LOOKS_MAX {
            let Some(alive) = self.world.somebody(at) else {
                return;
            };
            let (_, keys) = self.ask(&alive, "GET", create, "", "", &Value::Null).await;
            let mut keys = keys.as_array().into_iter().flatten();
            if keys.any(|known| known["id"] == id.as_str() && known["state"] == "revoked") {
                let shown = format!("Bearer {}", key.text());
                let (status, body) = self
                    .ask(&alive, "GET", ORDER, "", &shown, &Value::Null)
                    .await;
                self.world.tally.count("a revoked key is shown");
                return self.history.trespass(Trespass {
                    who: "clerk".to_owned(),
                    what: "a key that the node knows to be revoked".to_owned(),
                    reply: match status {
                        0 => Reply::Unknown,
                        status => Reply::Answered(status, body),
                    },
                    allowed: &["UNAUTHENTICATED"],
                });
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn move_a_leader(&self, number: u64) {
        let members = self.world.members();
        let group = self.chance.below(u64::from(self.world.scenario.shards) + 1);
        let to = members[self.chance.below(members.len() as u64) as usize] + 1;
        let body = json!({ "group": group, "to": to });
        self.try_once(number, "leader.move", "/operator/admin/move-leader", &body)
            .await;
    }

    async fn spread_leaders(&self, number: u64) {
        self.try_once(number, SPREAD, "/operator/admin/rebalance", &json!({}))
            .await;
        self.world.tally.count("leaders are spread again");
    }

    /// Asks somebody, once: there may be good reasons to refuse.
    async fn try_once(&self, number: u64, action: &str, path: &str, body: &Value) {
        let request = format!("clerk-{number}-{action}");
        if let Some(alive) = self.world.somebody(self.chance.next()) {
            let (status, _) = self.ask(&alive, "POST", path, &request, "", body).await;
            self.noted(status, &request, action);
        }
    }

    /// Asks one node after the other until it was granted; whether it was.
    async fn insist(
        &self,
        number: impl std::fmt::Display,
        action: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> bool {
        for attempt in 0..20 {
            let request = format!("clerk-{number}-{action}-{attempt}");
            let Some(alive) = self.world.somebody(self.chance.next()) else {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            };
            let (status, _) = self.ask(&alive, method, path, &request, "", body).await;
            if self.noted(status, &request, action) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        false
    }

    fn noted(&self, status: u16, request: &str, action: &str) -> bool {
        self.history.note(&format!("{request}: {status}"));
        let granted = status == 200;
        if granted {
            self.history.granted(request, action);
        }
        granted
    }

    /// Status and body; 0 when no answer came.
    async fn ask(
        &self,
        alive: &Alive,
        method: &str,
        path: &str,
        request_name: &str,
        authorization: &str,
        body: &Value,
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in [
            ("x-request-id", request_name),
            ("authorization", authorization),
        ] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let bytes = match body.is_null() {
            true => Bytes::new(),
            false => Bytes::from(body.to_string()),
        };
        let request = request
            .header("content-type", "application/json")
            .body(Full::new(bytes))
            .expect("a well formed request");
        let (reply, answer) = oneshot::channel();
        if alive.inbox.send((request, reply)).await.is_err() {
            return (0, Value::Null);
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => {
                let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                (answer.status, body)
            }
            _ => (0, Value::Null),
        }
    }
}
