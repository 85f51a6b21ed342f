//! One order asked for through several doors, while the seats it wants come free.
//!
//! ```text
//!   door 1   home opens ── leg refused (still held) ── home closes? ── "taken"
//!   owner    ─────────────────────────────── gives back ──────────
//!   door 2   home has it ───────────────────────────── leg free now ── "held"?
//! ```
//!
//! Whoever is told first binds the other: a leg that was refused once stays refused (ADR 0008).
//! Reaches doors that tell one order two things.

use futures::future::join3;
use serde_json::Value;

use super::buyer::Visitor;
use super::draw::seat;
use super::person::{Errand, Person, Role, Then, Wish};
use crate::door::Door;
use crate::history::Yes;
use crate::scenario::Scenario;
use crate::seed::Stream;

const RESERVE: &str = "/api/v1/seats/reserve";
/// Longer than an order across shards takes when nothing is in its way.
const WHILE_MS: u64 = 40;

impl Person {
    /// Those who tug, where there is more than one shard to tug at; in some worlds.
    pub(super) fn tuggers(scenario: &Scenario) -> Vec<Self> {
        let chance = Stream::new(scenario.seed, "tuggers");
        if scenario.shards < 2 || scenario.sections < 2 || !chance.percent(25) {
            return Vec::new();
        }
        let errand = |_| Errand {
            pause_ms: chance.between(10, 1_500),
            asides: Vec::new(),
            wish: Wish::Seats(vec![seat(scenario, &chance, 1)]),
            then: Then::GiveBackAndTug {
                others: vec![seat(scenario, &chance, 0)],
            },
        };
        let tugger = |number| Self {
            name: format!("tugger-{number}"),
            role: Role::Buyer,
            comes_ms: chance.below(2_000),
            errands: (0..chance.between(4, 10)).map(errand).collect(),
        };
        (0..chance.between(1, 3)).map(tugger).collect()
    }
}

impl<D: Door> Visitor<D> {
    /// Gives an order's seats back and asks for them, with others, in a new order.
    pub(super) async fn tug(&self, key: &str, mine: &Yes, wish: &Wish, others: &[String]) {
        let Wish::Seats(seats) = wish else { return };
        let seats = seats.iter().chain(others).cloned().collect();
        let body = self.wanted(&Wish::Seats(seats), &self.pass);
        let key = &format!("{key}-tug");
        let ask = || async {
            self.client.pause(0, WHILE_MS).await;
            let reply = self.client.call("POST", RESERVE, Some(key), &body).await;
            self.reserved(key, &reply)
        };
        let give_back = async {
            self.client.pause(0, WHILE_MS).await;
            let path = format!("/api/v1/orders/{}/hold", mine.order);
            let client = &self.client;
            client.call("DELETE", &path, None, &Value::Null).await
        };
        let (first, second, _) = join3(ask(), ask(), give_back).await;
        // Whatever the first answer to it came to.
        self.give_back(mine).await;
        if let Some(order) = first.or(second) {
            self.reread(&order).await;
            self.give_back(&order).await;
        }
    }
}
