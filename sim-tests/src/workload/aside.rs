//! What people do besides buying: they look around, and the organizer runs the sale.

use serde_json::{Value, json};

use super::buyer::Visitor;
use super::person::Aside;
use crate::client::{Ask, Client, Reply};
use crate::door::Door;

impl<D: Door> Visitor<D> {
    pub(super) async fn aside(&self, key: &str, aside: &Aside) {
        let event = format!("/api/v1/events/{}", self.show.event_id);
        match aside {
            Aside::LookAtSeats { section, fresh } => {
                self.look_at_seats(&event, section.as_deref(), *fresh).await;
            }
            Aside::LookAtEvent => self.get(&event).await,
            Aside::ListEvents => self.get("/api/v1/events").await,
            Aside::LookAtQueue => self.get(&format!("{event}/queue")).await,
            Aside::Proof => {
                let path = "/api/v1/queue/proof";
                self.client
                    .call_as(&self.pass, "GET", path, None, &Value::Null)
                    .await;
            }
            Aside::JoinAgain => {
                if self.show.queue {
                    self.join().await;
                }
            }
            Aside::MyOrders => self.get("/api/v1/orders?limit=50").await,
            Aside::MyTickets => self.get("/api/v1/tickets").await,
            Aside::Feed => {
                self.get(&format!("{event}/feed?shard=1&from=1&limit=50"))
                    .await;
            }
            Aside::TicketKeys => self.get("/.well-known/usher-ticket-keys.json").await,
            Aside::Probes => {
                for path in ["/livez", "/readyz", "/metrics"] {
                    self.get(path).await;
                }
            }
            Aside::PauseFor { ms } => {
                let paused = self.sale(json!({"action": "pause"})).await;
                self.client.pause(*ms, *ms).await;
                // Whatever became of the pause: nobody is left standing before a closed door.
                if paused.code() != "TRANSITION_ILLEGAL" {
                    self.sale(json!({"action": "resume"})).await;
                }
            }
            Aside::Rate { per_minute } => {
                let reply = self.sale(json!({"admit_per_minute": per_minute})).await;
                self.note(&format!("{} people a minute: {}", per_minute, reply.code()));
            }
            Aside::CreateAgain | Aside::CreateOther => self.create_again(aside).await,
            abuse => self.abuse(key, abuse).await,
        }
    }

    async fn get(&self, path: &str) {
        self.client.call("GET", path, None, &Value::Null).await;
    }

    async fn look_at_seats(&self, event: &str, section: Option<&str>, fresh: bool) {
        let mut path = format!("{event}/seats");
        if let Some(section) = section {
            path = format!("{path}?section={section}");
        }
        if fresh {
            let joint = if section.is_some() { '&' } else { '?' };
            path = format!("{path}{joint}consistency=linearizable");
        }
        let ask = Ask {
            token: "",
            method: "GET",
            path: &path,
            key: None,
            headers: &[],
            body: &Value::Null,
        };
        let (_, tag) = self.client.ask(&ask).await;
        if let Some(tag) = tag {
            let headers = [("if-none-match", tag.as_str())];
            let again = Ask {
                headers: &headers,
                ..ask
            };
            self.client.ask(&again).await;
        }
    }

    /// Changes the sale, as the organizer.
    async fn sale(&self, change: Value) -> Reply {
        let path = format!("/api/v1/events/{}/sale", self.show.event_id);
        self.client.insist(30, "PATCH", &path, None, &change).await
    }

    async fn create_again(&self, aside: &Aside) {
        let mut body = self.show.body.clone();
        let path = "/api/v1/events";
        if *aside == Aside::CreateAgain {
            let reply = self
                .client
                .call("POST", path, Some("the-show"), &body)
                .await;
            if let Reply::Answered(200 | 201, answer) = &reply {
                let same = answer["event_id"] == self.show.event_id.as_str();
                self.must(same, "the same event created again", reply.clone());
            }
            return;
        }
        body["max_per_buyer"] = json!(9);
        let reply = self
            .client
            .call("POST", path, Some("the-show"), &body)
            .await;
        self.refused(
            "another event under the same key",
            reply,
            &["IDEMPOTENCY_KEY_REUSED"],
        );
    }

    /// A client without a token of its own.
    pub(super) fn stranger(&self) -> Client<D> {
        let (door, history) = (self.client.door().clone(), self.client.history().clone());
        let entropy = self.entropy ^ self.client.chance().next();
        Client::new(door, history, entropy, &format!("{}'s double", self.name()))
    }
}
