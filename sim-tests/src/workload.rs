//! The people: an organizer who creates the event, and buyers who queue, reserve, dither, pay.

use std::sync::Arc;

use cluster::route::SHARDS_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::door::Door;
use crate::history::{History, Told, Yes};
use crate::scenario::Scenario;
use crate::seed::Stream;

/// Seats in each row of the house.
const SEATS_PER_ROW: u64 = 6;

/// The event on sale.
#[derive(Clone, Debug)]
pub struct Show {
    /// Its id.
    pub event_id: String,
    /// Seats in a row.
    pub seats_per_row: u64,
    /// Places of the standing section.
    pub standing: u64,
    /// All places.
    pub capacity: u64,
    /// Whether one has to queue.
    pub queue: bool,
}

fn rfc3339(ms: u64) -> String {
    jiff::Timestamp::from_millisecond(ms as i64)
        .expect("simulated time is in range")
        .to_string()
}

/// Creates the event; insists until it exists.
pub async fn create_show<D: Door>(
    door: &Arc<D>,
    history: &Arc<History>,
    scenario: &Scenario,
) -> Show {
    let (door, history) = (door.clone(), history.clone());
    let entropy = scenario.entropy;
    let organizer = Client::sign_in(door, history.clone(), entropy, "organizer", "organizer").await;
    let (seats_per_row, standing) = (SEATS_PER_ROW, 10);
    let mut sections: Vec<Value> = (0..scenario.sections)
        .map(|number| {
            let name = char::from(b'A' + number as u8).to_string();
            json!({"name": name, "rows": scenario.rows, "seats_per_row": seats_per_row,
                   "price": 4_500 + number * 100, "tier": number, "blocked": [format!("{name}-1-1")]})
        })
        .collect();
    sections.push(json!({"name": "Floor", "capacity": standing, "price": 3_000}));
    let queue = scenario
        .queue
        .then(|| json!({"admit_per_minute": 1_200, "draw": "random"}));
    let event = json!({
        "name": "The Show", "venue": "The Bowl", "currency": "EUR",
        "opens_at": rfc3339(organizer.door().now_ms() + 4_000),
        "hold_seconds": scenario.hold_seconds, "max_per_order": 6, "max_per_buyer": if scenario.across > 0 { 60 } else { 8 },
        "queue": queue, "sections": sections, "spread": SHARDS_MAX,
    });
    loop {
        let reply = organizer
            .insist(20, "POST", "/api/v1/events", Some("the-show"), &event)
            .await;
        history.note(&format!("create event: {}", reply.code()));
        if let Reply::Answered(201, body) = &reply {
            let event_id = body["event_id"].as_str().expect("an id").to_owned();
            return Show {
                event_id,
                seats_per_row,
                standing,
                capacity: scenario.sections * scenario.rows * seats_per_row + standing,
                queue: scenario.queue,
            };
        }
        assert!(
            !matches!(reply, Reply::Answered(400..=499, _)),
            "the event was refused: {reply:?}"
        );
    }
}

/// Somebody who comes to buy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// When they come to the door, in ms after the event was created.
    pub comes_ms: u64,
    /// What they try, in order.
    pub errands: Vec<Errand>,
}

/// One order, or the try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// How long they look around before.
    pub pause_ms: u64,
    /// What they want.
    pub wish: Wish,
    /// What they do with what they get.
    pub then: Then,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// So many of the best seats that are left.
    Best(u64),
    /// So many places on the floor.
    Standing(u64),
    /// These seats: one section, or two, and so perhaps two shards.
    Seats(Vec<String>),
}

/// What somebody does with a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Leaves; the hold has to end by itself.
    Leave,
    /// Gives it back.
    GiveBack,
    /// Pays so much later; perhaps about when the hold ends.
    Pay {
        /// How much.
        after_ms: u64,
    },
}

impl Person {
    /// Everybody of a scenario.
    pub fn all(scenario: &Scenario) -> Vec<Self> {
        let person = |number| {
            let name = format!("buyer-{number}");
            let chance = Stream::new(scenario.seed, &format!("plan of {name}"));
            Self {
                name,
                comes_ms: chance.below(4_000),
                errands: (0..chance.between(1, 3))
                    .map(|_| Errand::draw(scenario, &chance))
                    .collect(),
            }
        };
        (0..scenario.buyers).map(person).collect()
    }
}

impl Errand {
    fn draw(scenario: &Scenario, chance: &Stream) -> Self {
        let seat = |section: u64| {
            let row = chance.between(1, scenario.rows);
            let number = chance.between(1, SEATS_PER_ROW);
            format!("{}-{row}-{number}", char::from(b'A' + section as u8))
        };
        let hold_ms = scenario.hold_seconds * 1_000;
        Self {
            pause_ms: chance.between(10, 2_000),
            wish: match chance.below(5) {
                0 => Wish::Best(chance.between(1, 4)),
                1 => Wish::Standing(chance.between(1, 2)),
                2 => Wish::Seats(vec![seat(0), seat(1)]),
                _ => {
                    let mut seats = vec![seat(chance.below(scenario.sections))];
                    if chance.percent(50) {
                        let other = seat(chance.below(scenario.sections));
                        if other != seats[0] {
                            seats.push(other);
                        }
                    }
                    Wish::Seats(seats)
                }
            },
            then: match chance.below(10) {
                0 => Then::Leave,
                1 => Then::GiveBack,
                2 => Then::Pay {
                    after_ms: chance.between(hold_ms.saturating_sub(1_500), hold_ms + 500),
                },
                _ => Then::Pay {
                    after_ms: chance.below(3_000),
                },
            },
        }
    }
}

/// One buyer, from the door to the ticket or to giving up.
pub async fn buyer<D: Door>(
    door: Arc<D>,
    show: Show,
    history: Arc<History>,
    entropy: u64,
    person: Person,
) {
    let name = &person.name;
    let client = Client::sign_in(door, history.clone(), entropy, name, "buyer").await;
    client.pause(person.comes_ms, person.comes_ms).await;
    let Some(pass) = wait_in_line(&client, &show, &history, name).await else {
        return;
    };
    for (round, errand) in person.errands.iter().enumerate() {
        client.pause(errand.pause_ms, errand.pause_ms).await;
        let key = format!("{name}-{round}");
        let Some(order) = reserve(&client, &show, &history, &key, &errand.wish, &pass).await else {
            continue;
        };
        match errand.then {
            Then::Leave => {}
            Then::GiveBack => give_back(&client, &history, &order).await,
            Then::Pay { after_ms } => {
                client.pause(after_ms, after_ms).await;
                pay(&client, &history, &order).await;
            }
        }
    }
}

/// Joins and waits until admitted; the queue token, empty for a show without a waiting room.
async fn wait_in_line<D: Door>(
    client: &Client<D>,
    show: &Show,
    history: &History,
    name: &str,
) -> Option<String> {
    if !show.queue {
        return Some(String::new());
    }
    let path = format!("/api/v1/queue/join?event_id={}", show.event_id);
    let reply = client
        .insist(60, "POST", &path, Some("join"), &Value::Null)
        .await;
    history.note(&format!("{name} join: {}", reply.code()));
    let Reply::Answered(200, body) = reply else {
        return None;
    };
    let token = body["queue_token"].as_str()?.to_owned();
    for _ in 0..120 {
        let reply = client
            .call_as(&token, "GET", "/api/v1/queue/status", None, &Value::Null)
            .await;
        if let Reply::Answered(200, body) = reply {
            match body["status"].as_str() {
                Some("admitted") => return Some(token),
                Some("waiting") => {}
                other => {
                    history.note(&format!("{name} status: {other:?}"));
                    return None;
                }
            }
        }
        client.pause(300, 1_000).await;
    }
    None
}

async fn reserve<D: Door>(
    client: &Client<D>,
    show: &Show,
    history: &History,
    key: &str,
    wish: &Wish,
    pass: &str,
) -> Option<Yes> {
    let mut body = json!({"event_id": show.event_id});
    if !pass.is_empty() {
        body["queue_token"] = pass.into();
    }
    match wish {
        Wish::Best(count) => body["best_available"] = json!({ "count": count }),
        Wish::Standing(count) => {
            body["general_admission"] = json!([{"section": "Floor", "count": count}]);
        }
        Wish::Seats(seats) => body["seat_ids"] = json!(seats),
    }
    let reply = client
        .insist(12, "POST", "/api/v1/seats/reserve", Some(key), &body)
        .await;
    let Reply::Answered(201, answer) = &reply else {
        history.note(&format!("{key} reserve: {}", reply.code()));
        return None;
    };
    let yes = read_yes(Told::Held, answer);
    history.yes(yes.clone());
    Some(yes)
}

/// What a reserve or an order says it holds.
pub(crate) fn read_yes(told: Told, answer: &Value) -> Yes {
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

async fn pay<D: Door>(client: &Client<D>, history: &History, order: &Yes) {
    let path = format!("/api/v1/orders/{}/pay", order.order);
    let body = json!({"payment_method": "pm_ok"});
    for _ in 0..12 {
        let reply = client.insist(10, "POST", &path, Some("pay"), &body).await;
        match &reply {
            Reply::Answered(200, answer) => {
                let tickets = answer["ticket_ids"].as_array().into_iter().flatten();
                let tickets = tickets
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect();
                history.yes(Yes {
                    told: Told::Paid,
                    tickets,
                    ..order.clone()
                });
                return;
            }
            Reply::Answered(202, _) | Reply::Unknown => client.pause(300, 1_500).await,
            _ => {
                history.note(&format!("pay {}: {}", order.order, reply.code()));
                return;
            }
        }
    }
    history.note(&format!("pay {}: still in doubt", order.order));
}

async fn give_back<D: Door>(client: &Client<D>, history: &History, order: &Yes) {
    let path = format!("/api/v1/orders/{}/hold", order.order);
    let reply = client.insist(10, "DELETE", &path, None, &Value::Null).await;
    if let Reply::Answered(200, _) = reply {
        history.yes(Yes {
            told: Told::Cancelled,
            ..order.clone()
        });
    } else {
        history.note(&format!("give back {}: {}", order.order, reply.code()));
    }
}
