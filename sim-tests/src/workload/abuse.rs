//! What must be refused, and by which names. Whoever tries it writes down what they were told; the
//! checker `abuse_is_refused` judges.

use futures::future::{join, join_all};
use serde_json::{Value, json};

use super::buyer::Visitor;
use super::person::{Aside, Person, Wish};
use super::show::ORDER_MAX;
use crate::client::Reply;
use crate::door::Door;
use crate::history::Trespass;

const RESERVE: &str = "/api/v1/seats/reserve";
const INVALID_PASS: &[&str] = &["QUEUE_TOKEN_INVALID"];
/// The door looks at the pass first, and clocks may have leapt past its end (seed 182).
const KEY_REUSED: &[&str] = &["IDEMPOTENCY_KEY_REUSED", "NOT_ADMITTED_YET", "PASS_EXPIRED"];
const UNAUTHENTICATED: &[&str] = &["UNAUTHENTICATED"];
const ORDER_UNKNOWN: &[&str] = &["ORDER_UNKNOWN"];
/// A sale that does not sell says so before it counts, and so does a node that is behind.
const TOO_MANY: &[&str] = &[
    "TOO_MANY_SEATS",
    "ORDER_INVALID",
    "NOT_ENOUGH_SEATS",
    "NOT_ADMITTED_YET",
    "PASS_EXPIRED",
    "SALE_PAUSED",
    "SALE_NOT_OPEN",
];
const FORBIDDEN: &[&str] = &["FORBIDDEN"];

impl<D: Door> Visitor<D> {
    /// Writes down an answer that has to be one of these refusals.
    pub(super) fn refused(&self, what: &str, reply: Reply, allowed: &'static [&'static str]) {
        self.client.history().trespass(Trespass {
            who: self.name().to_owned(),
            what: what.to_owned(),
            reply,
            allowed,
        });
    }

    /// Writes down what must be so and is not.
    pub(super) fn must(&self, so: bool, what: &str, reply: Reply) {
        if !so {
            self.refused(&format!("{what} (and got another)"), reply, &[]);
        }
    }

    pub(super) async fn abuse(&self, key: &str, abuse: &Aside) {
        let key = &format!("{key}-{abuse:?}");
        match abuse {
            Aside::Vanish => self.vanish(key).await,
            Aside::NoPass | Aside::ForeignPass | Aside::ForgedPass | Aside::PassOfOtherEvent
                if self.show.queue =>
            {
                self.bad_pass(key, abuse).await;
            }
            // Where nobody queues there is no pass to do without.
            Aside::NoPass | Aside::ForeignPass | Aside::ForgedPass | Aside::PassOfOtherEvent => {}
            Aside::ForgedToken => {
                let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJidXllci0wIiwicm9sZSI6ImJ1eWVyIn0.";
                let reply = self
                    .reserve_as(token, key, &Wish::Best(1), &self.pass)
                    .await;
                self.refused("a token nobody signed", reply, UNAUTHENTICATED);
            }
            Aside::CutToken => {
                let mut token = self.client.token.clone();
                token.truncate(token.len() - 3);
                let reply = self
                    .reserve_as(&token, key, &Wish::Best(1), &self.pass)
                    .await;
                self.refused("a token whose signature was cut", reply, UNAUTHENTICATED);
            }
            Aside::ForeignOrder => self.foreign_order().await,
            Aside::KeyReused | Aside::Repeat => self.same_key(key, abuse).await,
            Aside::TooMany => {
                let wish = Wish::Best(ORDER_MAX + 1);
                let body = self.wanted(&wish, &self.pass);
                let reply = self.client.call("POST", RESERVE, Some(key), &body).await;
                self.refused("more seats than an order may have", reply, TOO_MANY);
            }
            Aside::Greedy => self.greedy(key).await,
            Aside::OrganizersOnly => {
                let path = format!("/api/v1/events/{}/sale", self.show.event_id);
                let close = json!({"action": "close"});
                let reply = self.client.call("PATCH", &path, None, &close).await;
                self.refused("to close the sale", reply, FORBIDDEN);
                let reply = self
                    .client
                    .call("POST", "/api/v1/events", Some(key), &self.show.body)
                    .await;
                self.refused("to create an event", reply, FORBIDDEN);
                if let Some(order) = self.show.board.order_of_another(self.name()) {
                    let path = format!("/api/v1/orders/{order}/refund");
                    let reply = self.client.call("POST", &path, None, &json!({})).await;
                    self.refused("to refund another's order", reply, FORBIDDEN);
                }
            }
            Aside::ForgedWebhook => {
                let body = json!({"id": "evt_1", "type": "payment.authorized"});
                let path = "/webhooks/payments/sandbox";
                let reply = self.stranger().call("POST", path, None, &body).await;
                self.refused("a webhook nobody signed", reply, &["WEBHOOK_INVALID"]);
            }
            Aside::Nonsense => self.nonsense(key).await,
            _ => {}
        }
    }

    async fn reserve_as(&self, token: &str, key: &str, wish: &Wish, pass: &str) -> Reply {
        let body = self.wanted(wish, pass);
        self.stranger()
            .call_as(token, "POST", RESERVE, Some(key), &body)
            .await
    }

    /// Those who want in before their turn.
    pub(super) async fn try_before_turn(&self, person: &Person) {
        for (round, errand) in person.errands.iter().enumerate() {
            for _ in errand
                .asides
                .iter()
                .filter(|aside| **aside == Aside::Impatient)
            {
                let key = format!("{}-{round}-impatient", self.name());
                let body = self.wanted(&Wish::Best(1), &self.pass);
                let reply = self.client.call("POST", RESERVE, Some(&key), &body).await;
                // Their turn may have come meanwhile: whether it had, the log tells.
                self.reserved(&key, &reply);
            }
        }
    }

    /// Sends a reservation and is never seen again: its order, if there is one, has to end alone.
    async fn vanish(&self, key: &str) {
        let body = self.wanted(&Wish::Best(1), &self.pass);
        let sent = self.client.call("POST", RESERVE, Some(key), &body);
        let patience = std::time::Duration::from_millis(self.client.chance().below(30));
        if tokio::time::timeout(patience, sent).await.is_err() {
            self.note(&format!("{key} did not wait"));
        }
    }

    async fn bad_pass(&self, key: &str, abuse: &Aside) {
        let token = self.client.token.clone();
        let (pass, what, allowed) = match abuse {
            Aside::NoPass => (String::new(), "no pass", &["PASS_REQUIRED"][..]),
            Aside::ForeignPass => match self.show.board.pass_of_another(self.name()) {
                Some(pass) => (pass, "another's pass", INVALID_PASS),
                None => return,
            },
            Aside::PassOfOtherEvent => {
                let path = format!("/api/v1/queue/join?event_id={}", self.show.other_id);
                let joined = self
                    .client
                    .insist(10, "POST", &path, Some("other"), &Value::Null)
                    .await;
                let Reply::Answered(200, body) = joined else {
                    return;
                };
                let pass = body["queue_token"].as_str().unwrap_or_default();
                (pass.to_owned(), "a pass of another event", INVALID_PASS)
            }
            _ => (
                self.forged(),
                "a pass in which a character was changed",
                INVALID_PASS,
            ),
        };
        let reply = self.reserve_as(&token, key, &Wish::Best(1), &pass).await;
        self.refused(what, reply, allowed);
    }

    /// One's own queue token with another character in it.
    fn forged(&self) -> String {
        let mut pass = self.pass.clone().into_bytes();
        // Not the last one: some of its bits say nothing.
        let at = self.client.chance().below(pass.len() as u64 - 1) as usize;
        pass[at] = if pass[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(pass).expect("letters for letters")
    }

    async fn foreign_order(&self) {
        let Some(order) = self.show.board.order_of_another(self.name()) else {
            return;
        };
        let path = format!("/api/v1/orders/{order}");
        let method = json!({"payment_method": "pm_ok"});
        for (verb, end, body) in [
            ("GET", "", &Value::Null),
            ("GET", "?consistency=linearizable", &Value::Null),
            ("POST", "/pay", &method),
            ("DELETE", "/hold", &Value::Null),
        ] {
            let path = format!("{path}{end}");
            let reply = self.client.call(verb, &path, None, body).await;
            self.refused("another's order", reply, ORDER_UNKNOWN);
        }
    }

    /// The same key twice: with the same request it is the same order, with another one none.
    async fn same_key(&self, key: &str, abuse: &Aside) {
        let body = self.wanted(&Wish::Best(1), &self.pass);
        if *abuse == Aside::Repeat {
            let ask = || self.client.call("POST", RESERVE, Some(key), &body);
            let (first, second) = join(ask(), ask()).await;
            self.reserved(key, &first);
            self.reserved(key, &second);
            return;
        }
        if self.reserve(key, &body).await.is_some() {
            let other = self.wanted(&Wish::Standing(1), &self.pass);
            let reply = self.client.call("POST", RESERVE, Some(key), &other).await;
            self.refused("another reservation under the same key", reply, KEY_REUSED);
        }
    }

    /// More than one person may have, at once and through all doors; the log tells whether they
    /// got it. What they get they keep until it ends.
    async fn greedy(&self, key: &str) {
        let one = |number: u64| async move {
            let key = format!("{key}-{number}");
            let wish = match number % 2 {
                0 => Wish::Best(3),
                _ => Wish::Standing(3),
            };
            let body = self.wanted(&wish, &self.pass);
            let reply = self.client.call("POST", RESERVE, Some(&key), &body).await;
            self.reserved(&key, &reply);
        };
        join_all((0..4).map(one)).await;
    }

    async fn nonsense(&self, key: &str) {
        let unknown = uuid::Uuid::from_u128(u128::from(self.client.chance().next()) | 0x8000 << 64);
        let path = format!("/api/v1/orders/{unknown}");
        let reply = self.client.call("GET", &path, None, &Value::Null).await;
        self.refused("an order that does not exist", reply, ORDER_UNKNOWN);
        let body = json!({"event_id": unknown.to_string(), "best_available": {"count": 1}});
        let reply = self.client.call("POST", RESERVE, Some(key), &body).await;
        self.refused("an event that does not exist", reply, &["EVENT_UNKNOWN"]);
        let mut body = self.wanted(&Wish::Best(1), &self.pass);
        body["best_available"]["count"] = json!(0);
        let reply = self.client.call("POST", RESERVE, Some(key), &body).await;
        self.refused(
            "no seats at all",
            reply,
            &["FIELD_INVALID", "ORDER_INVALID"],
        );
        let seats = Wish::Seats(vec!["A-99-1".to_owned()]);
        let body = self.wanted(&seats, &self.pass);
        let reply = self.client.call("POST", RESERVE, Some(key), &body).await;
        self.refused("a seat that does not exist", reply, &["SEAT_UNKNOWN"]);
    }
}
