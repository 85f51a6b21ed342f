//! One person, from the door to the ticket or to giving up.

use std::sync::Arc;
use std::time::Duration;

use api::text::parse_order;
use futures::future::{join, join_all};
use serde_json::{Value, json};

use super::person::{Errand, Person, Role, Then, Wish};
use super::show::Show;
use crate::client::{Client, Reply};
use crate::door::Door;
use crate::history::{History, Told, Yes};

/// How often somebody asks whether it is their turn.
const POLLS_MAX: u32 = 150;

/// Somebody at the show.
pub(super) struct Visitor<D> {
    pub(super) client: Client<D>,
    pub(super) show: Show,
    pub(super) entropy: u64,
    /// Their queue token; empty for a show without a waiting room.
    pub(super) pass: String,
}

/// Does everything a person came for.
pub async fn buyer<D: Door>(
    door: Arc<D>,
    show: Show,
    history: Arc<History>,
    entropy: u64,
    person: Person,
) {
    let name = &person.name;
    let role = match person.role {
        Role::Buyer => "buyer",
        Role::Organizer => "organizer",
    };
    let client = Client::sign_in(door, history, entropy, name, role).await;
    client.pause(person.comes_ms, person.comes_ms).await;
    let mut visitor = Visitor {
        client,
        show,
        entropy,
        pass: String::new(),
    };
    if person.role == Role::Buyer && !visitor.enter(&person).await {
        return;
    }
    for (round, errand) in person.errands.iter().enumerate() {
        visitor.errand(&format!("{name}-{round}"), errand).await;
    }
}

/// So near a hold's end its buyer pays at the end.
const AT_THE_END_MS: u64 = 200;
/// How long somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

impl<D: Door> Visitor<D> {
    pub(super) fn name(&self) -> &str {
        self.client.name()
    }

    pub(super) fn note(&self, what: &str) {
        self.client.history().note(what);
    }

    /// Joins and waits until admitted. The impatient try before.
    async fn enter(&mut self, person: &Person) -> bool {
        if !self.show.queue {
            return true;
        }
        let Some(pass) = self.join().await else {
            return false;
        };
        self.show.board.pass(self.name(), &pass);
        self.pass = pass;
        self.try_before_turn(person).await;
        for _ in 0..POLLS_MAX {
            let asked = self
                .client
                .call_as(
                    &self.pass,
                    "GET",
                    "/api/v1/queue/status",
                    None,
                    &Value::Null,
                )
                .await;
            if let Reply::Answered(200, body) = asked {
                match body["status"].as_str() {
                    Some("admitted") => return true,
                    Some("waiting") => {}
                    other => {
                        self.note(&format!("{} status: {other:?}", self.name()));
                        return false;
                    }
                }
            }
            self.client.pause(300, 1_000).await;
        }
        false
    }

    /// The queue token.
    pub(super) async fn join(&self) -> Option<String> {
        let path = format!("/api/v1/queue/join?event_id={}", self.show.event_id);
        let reply = self
            .client
            .insist(60, "POST", &path, Some("join"), &Value::Null)
            .await;
        self.note(&format!("{} join: {}", self.name(), reply.code()));
        match reply {
            Reply::Answered(200, body) => body["queue_token"].as_str().map(str::to_owned),
            _ => None,
        }
    }

    async fn errand(&self, key: &str, errand: &Errand) {
        self.client.pause(errand.pause_ms, errand.pause_ms).await;
        for aside in &errand.asides {
            self.aside(key, aside).await;
        }
        if errand.wish == Wish::Nothing {
            return;
        }
        let body = self.wanted(&errand.wish, &self.pass);
        let order = self.reserve(key, &body).await;
        if let Then::RepeatLater { after_ms } = errand.then {
            self.client.pause(after_ms, after_ms).await;
            self.reserve(key, &body).await;
            return;
        }
        let Some(order) = order else { return };
        self.show.board.order(self.name(), &order.order);
        if let Then::GiveBackAndTug { others } = &errand.then {
            self.tug(key, &order, &errand.wish, others).await;
            return;
        }
        self.then(&order, &errand.then).await;
    }

    async fn then(&self, order: &Yes, then: &Then) {
        match then {
            Then::Leave | Then::RepeatLater { .. } | Then::GiveBackAndTug { .. } => {
                self.reread(order).await;
            }
            Then::GiveBack => self.give_back(order).await,
            Then::GiveBackInVain => self.give_back_in_vain(order).await,
            Then::PayAtTheEnd { early_ms } => self.pay_at_the_end(order, *early_ms).await,
            Then::Pay { after_ms } => {
                self.client.pause(*after_ms, *after_ms).await;
                self.pay(order, "pm_ok").await;
            }
            Then::PayWith { method, and_again } => {
                let code = self.pay(order, method).await;
                if *and_again && code == "PAYMENT_DECLINED" {
                    self.pay(order, "pm_ok").await;
                }
            }
            Then::PayTwice => {
                join(self.pay(order, "pm_ok"), self.pay(order, "pm_ok")).await;
            }
            Then::PayAndGiveBack => {
                join(self.pay(order, "pm_ok"), self.give_back(order)).await;
            }
            Then::GiveBackPaid => {
                self.pay(order, "pm_ok").await;
                self.give_back(order).await;
            }
            Then::PayAndVanish => {
                let path = format!("/api/v1/orders/{}/pay", order.order);
                let body = json!({"payment_method": "pm_ok"});
                self.client.call("POST", &path, Some("pay"), &body).await;
            }
            Then::PayAndRefund { after_ms } => {
                self.pay(order, "pm_ok").await;
                self.client.pause(*after_ms, *after_ms).await;
                self.refund(order).await;
            }
        }
    }

    /// A reservation's body.
    pub(super) fn wanted(&self, wish: &Wish, pass: &str) -> Value {
        let mut body = json!({"event_id": self.show.event_id});
        if !pass.is_empty() {
            body["queue_token"] = pass.into();
        }
        let floor = |count: &u64| json!([{"section": "Floor", "count": count}]);
        match wish {
            Wish::Nothing => {}
            Wish::Best(count) => body["best_available"] = json!({ "count": count }),
            Wish::BestIn(section, count) => {
                body["best_available"] = json!({ "count": count, "sections": [section] });
            }
            Wish::Standing(count) => body["general_admission"] = floor(count),
            Wish::Seats(seats) => body["seat_ids"] = json!(seats),
            Wish::Mixed(seats, count) => {
                body["seat_ids"] = json!(seats);
                body["general_admission"] = floor(count);
            }
        }
        body
    }

    /// Reserves; insists on an answer.
    pub(super) async fn reserve(&self, key: &str, body: &Value) -> Option<Yes> {
        let reply = self
            .client
            .insist(12, "POST", "/api/v1/seats/reserve", Some(key), body)
            .await;
        self.reserved(key, &reply)
    }

    /// Writes down what a reservation was answered.
    pub(super) fn reserved(&self, key: &str, reply: &Reply) -> Option<Yes> {
        let Reply::Answered(201, answer) = reply else {
            self.note(&format!("{key} reserve: {}", reply.code()));
            return None;
        };
        let yes = read_yes(Told::Held, answer);
        self.client.history().yes(yes.clone());
        Some(yes)
    }

    /// Pays until there is an answer that lasts; its code.
    async fn pay(&self, order: &Yes, method: &str) -> String {
        let path = format!("/api/v1/orders/{}/pay", order.order);
        let body = json!({"payment_method": method});
        for _ in 0..14 {
            let reply = self
                .client
                .insist(10, "POST", &path, Some("pay"), &body)
                .await;
            match &reply {
                Reply::Answered(200, answer) => {
                    let tickets = answer["ticket_ids"].as_array().into_iter().flatten();
                    let tickets = tickets.filter_map(Value::as_str).map(str::to_owned);
                    let paid = Yes {
                        told: Told::Paid,
                        tickets: tickets.collect(),
                        ..order.clone()
                    };
                    self.client.history().yes(paid.clone());
                    self.reread(order).await;
                    self.collect(&paid).await;
                    return reply.code();
                }
                Reply::Answered(202, _) | Reply::Unknown => self.client.pause(300, 1_500).await,
                _ if reply.code() == "ORDER_NOT_HELD_YET" => self.client.pause(100, 500).await,
                _ => {
                    self.note(&format!("pay {}: {}", order.order, reply.code()));
                    return reply.code();
                }
            }
        }
        self.note(&format!("pay {}: still in doubt", order.order));
        String::new()
    }

    pub(super) async fn give_back(&self, order: &Yes) {
        let path = format!("/api/v1/orders/{}/hold", order.order);
        let reply = self
            .client
            .insist(10, "DELETE", &path, None, &Value::Null)
            .await;
        if let Reply::Answered(200, _) = reply {
            self.client.history().yes(Yes {
                told: Told::Cancelled,
                ..order.clone()
            });
        } else {
            self.note(&format!("give back {}: {}", order.order, reply.code()));
        }
        self.reread(order).await;
    }

    /// Waits for a node that does not reach the others, and gives back there.
    async fn give_back_in_vain(&self, order: &Yes) {
        let path = format!("/api/v1/orders/{}/hold", order.order);
        let too_long = self.client.door().elapsed() + PATIENCE;
        while self.client.door().now_ms() + 1_000 < order.held_until_ms
            && self.client.door().elapsed() < too_long
        {
            let Some(at) = self.client.door().cut_off() else {
                self.client.pause(100, 100).await;
                continue;
            };
            let asked = self.client.call_at(at, "DELETE", &path, None, &Value::Null);
            let reply = asked.await;
            self.note(&format!("give back in vain: {}", reply.code()));
            if let Reply::Answered(200, _) = reply {
                self.client.history().yes(Yes {
                    told: Told::Cancelled,
                    ..order.clone()
                });
                break;
            }
            // A refusal may come at once, and again.
            self.client.pause(100, 100).await;
        }
        self.reread(order).await;
    }

    /// Asks to pay just before the hold ends by the clock of its home, and again later.
    async fn pay_at_the_end(&self, order: &Yes, early_ms: u64) {
        let Some(id) = parse_order(&order.order) else {
            return;
        };
        let left = || {
            let (at, now) = self.client.door().home_of(id)?;
            Some((at, order.held_until_ms.saturating_sub(now)))
        };
        // Where a clock leaped, the end may be hours away.
        let too_long = self.client.door().elapsed() + PATIENCE;
        while let Some((_, ms)) = left().filter(|(_, ms)| *ms > AT_THE_END_MS)
            && self.client.door().elapsed() < too_long
        {
            let ms = (ms - 150).min(1_000);
            self.client.pause(ms, ms).await;
        }
        if let Some((at, ms)) = left().filter(|(_, ms)| *ms <= AT_THE_END_MS) {
            let path = format!("/api/v1/orders/{}/pay", order.order);
            let body = json!({"payment_method": "pm_ok"});
            let pays = async {
                let ms = ms.saturating_sub(early_ms);
                self.client.pause(ms, ms).await;
                let paid = self.client.call_at(at, "POST", &path, Some("pay"), &body);
                paid.await
            };
            join(self.client.door().keep_busy(id, ms + 20), pays).await;
        }
        self.pay(order, "pm_ok").await;
    }

    /// Looks at one's order, through every door: what was answered has to be there, whoever is
    /// asked. A node that leads no more, and does not know it, has to say nothing.
    pub(super) async fn reread(&self, order: &Yes) {
        let path = format!("/api/v1/orders/{}", order.order);
        let fresh = format!("{path}?consistency=linearizable");
        let read = |at| self.client.call_at(at, "GET", &fresh, None, &Value::Null);
        join_all((0..self.client.door().nodes()).map(read)).await;
        self.client.call("GET", &path, None, &Value::Null).await;
    }

    /// Fetches one's tickets.
    async fn collect(&self, order: &Yes) {
        for ticket in order.tickets.iter().take(1) {
            for end in ["", "/qr.svg"] {
                let path = format!("/api/v1/tickets/{ticket}{end}");
                self.client.call("GET", &path, None, &Value::Null).await;
            }
        }
    }

    /// The organizer gives the money back.
    async fn refund(&self, order: &Yes) {
        let organizer = self.organizer().await;
        self.client.history().yes(Yes {
            told: Told::RefundAsked,
            ..order.clone()
        });
        let path = format!("/api/v1/orders/{}/refund", order.order);
        for _ in 0..2 {
            let reply = organizer
                .insist(10, "POST", &path, Some("refund"), &json!({}))
                .await;
            self.note(&format!("refund {}: {}", order.order, reply.code()));
        }
    }

    /// The organizer's hands.
    pub(super) async fn organizer(&self) -> Client<D> {
        let (door, history) = (self.client.door().clone(), self.client.history().clone());
        let entropy = self.entropy ^ self.client.chance().next();
        Client::sign_in(door, history, entropy, "organizer", "organizer").await
    }
}

/// What a reserve or an order says it holds.
pub fn read_yes(told: Told, answer: &Value) -> Yes {
    let seat = |seat: &Value| match seat["seat_id"].as_str() {
        Some(id) => id.to_owned(),
        None => format!(
            "{} x {}",
            seat["section"].as_str().unwrap_or("?"),
            seat["count"]
        ),
    };
    let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
    let mut seats: Vec<String> = answer["seats"]
        .as_array()
        .into_iter()
        .flatten()
        .map(seat)
        .collect();
    seats.sort_unstable();
    let tickets = answer["ticket_ids"].as_array().into_iter().flatten();
    let until = text("held_until").parse::<jiff::Timestamp>();
    Yes {
        told,
        order: text("order_id"),
        seats,
        amount: answer["price"]["amount"].as_u64().unwrap_or(0),
        held_until_ms: until.map_or(0, |until| until.as_millisecond() as u64),
        tickets: tickets
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}
