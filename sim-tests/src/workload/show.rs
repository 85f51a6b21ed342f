//! The event on sale, and what people know of each other there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cluster::route::SHARDS_MAX;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::door::Door;
use crate::history::History;
use crate::scenario::Scenario;
use crate::seed::Stream;

/// Seats in each row of the house.
pub const SEATS_PER_ROW: u64 = 6;
/// Seats in one order.
pub const ORDER_MAX: u64 = 6;

/// The event on sale.
#[derive(Clone, Debug)]
pub struct Show {
    /// Its id.
    pub event_id: String,
    /// Another event with a waiting room, which few care for.
    pub other_id: String,
    /// Seats in a row.
    pub seats_per_row: u64,
    /// Places of the standing section.
    pub standing: u64,
    /// All places of the event on sale.
    pub capacity: u64,
    /// All places of the other event.
    pub other_capacity: u64,
    /// Whether one has to queue.
    pub queue: bool,
    /// Names of the sections, by number.
    pub sections: Vec<String>,
    /// Places one person may have.
    pub buyer_max: u64,
    /// What the event was created with.
    pub body: Value,
    /// What people know of each other.
    pub board: Arc<Board>,
}

/// What people know of each other: queue tokens and orders, by whose they are.
#[derive(Debug, Default)]
pub struct Board(Mutex<Posts>);

#[derive(Debug, Default)]
struct Posts {
    passes: BTreeMap<String, String>,
    orders: BTreeMap<String, String>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Posts> {
        self.0.lock().expect("nobody panics holding it")
    }

    /// Shows a queue token around.
    pub fn pass(&self, name: &str, token: &str) {
        self.lock().passes.insert(name.to_owned(), token.to_owned());
    }

    /// Shows an order around.
    pub fn order(&self, name: &str, order: &str) {
        self.lock().orders.insert(name.to_owned(), order.to_owned());
    }

    /// The queue token of somebody who is not `name`.
    pub fn pass_of_another(&self, name: &str) -> Option<String> {
        let posts = self.lock();
        let mut others = posts.passes.iter().filter(|(who, _)| *who != name);
        others.next_back().map(|(_, token)| token.clone())
    }

    /// The order of somebody who is not `name`.
    pub fn order_of_another(&self, name: &str) -> Option<String> {
        let posts = self.lock();
        let mut others = posts.orders.iter().filter(|(who, _)| *who != name);
        others.next_back().map(|(_, order)| order.clone())
    }
}

fn rfc3339(ms: u64) -> String {
    jiff::Timestamp::from_millisecond(ms as i64)
        .expect("simulated time is in range")
        .to_string()
}

/// Creates the event, and the other one; insists until they exist.
pub async fn create_show<D: Door>(
    door: &Arc<D>,
    history: &Arc<History>,
    scenario: &Scenario,
) -> Show {
    let (door, history) = (door.clone(), history.clone());
    let entropy = scenario.entropy;
    let organizer = Client::sign_in(door, history, entropy, "organizer", "organizer").await;
    let standing = if scenario.scarce { 2 } else { 10 };
    let seats_per_row = SEATS_PER_ROW;
    let name = |number: u64| char::from(b'A' + number as u8).to_string();
    let mut sections: Vec<Value> = (0..scenario.sections)
        .map(|number| {
            let name = name(number);
            json!({"name": name, "rows": scenario.rows, "seats_per_row": seats_per_row,
                   "price": 4_500 + number * 100, "tier": number, "blocked": [format!("{name}-1-1")]})
        })
        .collect();
    sections.push(json!({"name": "Floor", "capacity": standing, "price": 3_000}));
    // A slow one makes people wait in front of a cursor that moves person by person.
    let rate = Stream::new(scenario.seed, "rate");
    let rate = [120, 400, 1_200, 1_200][rate.below(4) as usize];
    let queue = json!({"admit_per_minute": rate, "draw": "random"});
    let buyer_max = if scenario.across > 0 { 60 } else { 8 };
    let event = json!({
        "name": "The Show", "venue": "The Bowl", "currency": "EUR",
        "opens_at": rfc3339(organizer.door().now_ms() + 4_000),
        "hold_seconds": scenario.hold_seconds, "max_per_order": ORDER_MAX,
        "max_per_buyer": buyer_max, "spread": SHARDS_MAX,
        "queue": scenario.queue.then(|| queue.clone()), "sections": sections,
    });
    let (event_id, other_id, other_capacity) = match scenario.across {
        0 => {
            let other = json!({
                "name": "The Other", "venue": "The Shed", "currency": "EUR",
                "opens_at": rfc3339(organizer.door().now_ms() + 3_600_000),
                "hold_seconds": 600, "max_per_order": 2, "max_per_buyer": 2, "queue": queue,
                "sections": [{"name": "Shed", "capacity": 3, "price": 100}],
            });
            let event_id = create(&organizer, "the-show", &event).await;
            (event_id, create(&organizer, "the-other", &other).await, 3)
        }
        _ => (
            create(&organizer, "the-show", &event).await,
            String::new(),
            0,
        ),
    };
    let mut names: Vec<_> = (0..scenario.sections).map(name).collect();
    names.push("Floor".to_owned());
    Show {
        event_id,
        other_id,
        seats_per_row,
        standing,
        capacity: scenario.sections * scenario.rows * seats_per_row + standing,
        other_capacity,
        queue: scenario.queue,
        sections: names,
        buyer_max,
        body: event,
        board: Arc::default(),
    }
}

async fn create<D: Door>(organizer: &Client<D>, key: &str, event: &Value) -> String {
    loop {
        let reply = organizer
            .insist(20, "POST", "/api/v1/events", Some(key), event)
            .await;
        organizer
            .history()
            .note(&format!("create {key}: {}", reply.code()));
        if let Reply::Answered(201, body) = &reply {
            return body["event_id"].as_str().expect("an id").to_owned();
        }
        assert!(
            !matches!(reply, Reply::Answered(400..=499, _)),
            "the event was refused: {reply:?}"
        );
    }
}
