//! Buyers whose every order spans sections of different shards, each with crashes aimed at it.
//!
//! Seats that are to be sold come from a deck, each once, so that an order takes the course its
//! plan needs; the front row is fought over, and its first seat is not for sale at all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use ledger::command::{LegWant, OpenOrder, Want};
use ledger::event::Layout;
use ledger::seat_list::SeatList;
use ledger::{BuyerId, Command, EventId, OrderId, Outcome, SectionNo, ShardId};
use serde_json::{Value, json};

use super::aim::{Course, Plan};
use crate::client::{Client, Reply};
use crate::door::Door;
use crate::history::{History, Told, Yes};
use crate::platform::world_now_ms;
use crate::seed::Stream;
use crate::workload::{Show, read_yes};
use crate::world::{PROPOSE, World};

/// Seats not yet given to anybody, by section; the front row stays out.
pub struct Deck {
    sections: Vec<(SectionNo, ShardId)>,
    left: Mutex<Vec<Vec<(u64, u64)>>>,
}

impl Deck {
    /// All seats of the show, shuffled.
    pub async fn new(world: &World, show: &Show) -> Self {
        let chance = Stream::new(world.scenario.seed, "deck");
        let sections = loop {
            if let Some(sections) = numbered_sections(world, event_id(show)) {
                break sections;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let left = sections.iter().map(|_| {
            let rows = 2..=world.scenario.rows;
            let mut seats: Vec<_> = rows
                .flat_map(|row| (1..=show.seats_per_row).map(move |seat| (row, seat)))
                .collect();
            for at in (1..seats.len()).rev() {
                seats.swap(at, chance.below(at as u64 + 1) as usize);
            }
            seats
        });
        let left = Mutex::new(left.collect());
        Self { sections, left }
    }

    /// Two or three sections, each in another shard.
    fn sections(&self, chance: &Stream) -> Vec<usize> {
        let count = if chance.percent(60) { 2 } else { 3 };
        let mut chosen: Vec<usize> = Vec::new();
        for _ in 0..100 {
            let next = chance.below(self.sections.len() as u64) as usize;
            let shard = self.sections[next].1;
            if chosen.iter().all(|known| self.sections[*known].1 != shard) {
                chosen.push(next);
            }
            if chosen.len() == count {
                break;
            }
        }
        chosen
    }

    fn seat(&self, section: usize, chance: &Stream) -> (u64, u64) {
        let mut left = self.left.lock().expect("nobody panics holding it");
        // A deck that is used up means seats that somebody has, or had.
        left[section]
            .pop()
            .unwrap_or_else(|| (2, chance.between(1, 6)))
    }
}

/// The numbered sections and their shards, once somebody who is up knows the event.
fn numbered_sections(world: &World, event: EventId) -> Option<Vec<(SectionNo, ShardId)>> {
    let alive = world
        .members()
        .into_iter()
        .find_map(|node| world.alive(node))?;
    alive.replicas.catalogue.look(|catalogue, _, _| {
        let plan = &catalogue.event(event)?.plan;
        let all = plan.sections.iter().enumerate();
        let numbered = all
            .filter(|(_, section)| matches!(section.layout, Layout::Seated { .. }))
            .map(|(number, section)| (SectionNo(number as u16), section.shard));
        Some(numbered.collect())
    })
}

fn event_id(show: &Show) -> EventId {
    let id = show.event_id.parse::<uuid::Uuid>();
    EventId(id.expect("the door gave it").as_u128())
}

/// One buyer and all their orders.
pub async fn buyer(
    world: Arc<World>,
    show: Show,
    deck: Arc<Deck>,
    history: Arc<History>,
    number: u64,
) {
    let name = format!("buyer-{number}");
    let client = Client::sign_in(
        world.clone(),
        history.clone(),
        world.scenario.entropy,
        &name,
        "buyer",
    )
    .await;
    let person = api::auth::person(api::config::OWN_ISSUER, &name);
    let chance = Stream::new(world.scenario.seed, &format!("plans of {name}"));
    client.pause(5_000, 8_000).await;
    for round in 0..world.scenario.across {
        let plan = Plan::draw(&chance);
        let sections = deck.sections(&chance);
        let mut seats: Vec<(usize, (u64, u64))> = Vec::new();
        for &section in &sections {
            seats.push((section, deck.seat(section, &chance)));
        }
        if plan.course == Course::Refuse
            && let Some(last) = seats.last_mut()
        {
            // Blocked, or fought over.
            last.1 = (
                1,
                if chance.percent(60) {
                    1
                } else {
                    chance.between(2, 6)
                },
            );
        }
        history.note(&format!("{name} plans {:?} {:?}", plan.course, plan.aims));
        world.aimer.plan(person, plan.aims.clone());
        let errand = Errand {
            client: &client,
            show: &show,
            history: &history,
            key: format!("{name}-{round}"),
        };
        let order = match plan.orphan {
            true => errand.abandon_at_the_door(&deck, person, &seats).await,
            false => errand.reserve(&seats).await,
        };
        if let Some(order) = order {
            errand.follow(plan.course, &order).await;
        }
        client.pause(10, 1_000).await;
    }
}

/// Proposes a command as a door would that dies on the next line, once; its outcome.
async fn propose(client: &Client<World>, shard: ShardId, command: &Command) -> Option<Outcome> {
    let request = Request::post(format!("{PROPOSE}/{}", shard.0))
        .body(proto::encode_command(command))
        .expect("a well formed request");
    let answer = client
        .door()
        .exchange(client.chance().next(), request)
        .await?;
    (answer.status == 200)
        .then(|| proto::decode_outcome(&answer.body).ok())
        .flatten()
}

/// An order on its way.
struct Errand<'a> {
    client: &'a Client<World>,
    show: &'a Show,
    history: &'a History,
    key: String,
}

impl Errand<'_> {
    async fn reserve(&self, seats: &[(usize, (u64, u64))]) -> Option<Yes> {
        let name = |(section, (row, seat)): &(usize, (u64, u64))| {
            format!("{}-{row}-{seat}", char::from(b'A' + *section as u8))
        };
        let ids: Vec<_> = seats.iter().map(name).collect();
        let body = json!({"event_id": self.show.event_id, "seat_ids": ids});
        let path = "/api/v1/seats/reserve";
        let reply = self
            .client
            .insist(20, "POST", path, Some(&self.key), &body)
            .await;
        let Reply::Answered(201, answer) = &reply else {
            self.history
                .note(&format!("{} reserve: {}", self.key, reply.code()));
            return None;
        };
        let yes = read_yes(Told::Held, answer);
        self.history.yes(yes.clone());
        Some(yes)
    }

    /// What a door does that dies right after home has opened the order: no leg is asked.
    async fn abandon_at_the_door(
        &self,
        deck: &Deck,
        buyer: BuyerId,
        seats: &[(usize, (u64, u64))],
    ) -> Option<Yes> {
        let world = self.client.door();
        let event = event_id(self.show);
        // Any shard of the event's will do as this order's home: no limit is near.
        let number = (buyer.0 % deck.sections.len() as u128) as usize;
        let (_, home) = deck.sections[number];
        let id = u128::from(Stream::new(world.scenario.seed, &self.key).next());
        let order = OrderId::new(home, id << 64 | id);
        let leg = |(section, (row, seat)): &(usize, (u64, u64))| {
            let (section, shard) = deck.sections[*section];
            let number = (row - 1) * self.show.seats_per_row + seat - 1;
            let seats = SeatList::new(&[ledger::SeatNo(number as u16)]);
            LegWant {
                shard,
                want: Want::Seats {
                    section,
                    seats: seats.expect("one seat fits"),
                },
            }
        };
        let open = Command::OpenOrder(Box::new(OpenOrder {
            order,
            event,
            buyer,
            pass: None,
            legs: seats.iter().map(leg).collect(),
        }));
        for _ in 0..20 {
            if let Some(outcome) = propose(self.client, home, &open).await {
                self.history
                    .note(&format!("{} opened at the door: {outcome:?}", self.key));
                return outcome.is_ok().then(|| Yes {
                    told: Told::Held,
                    order: uuid::Uuid::from_u128(order.0).to_string(),
                    seats: Vec::new(),
                    amount: 0,
                    held_until_ms: 0,
                    tickets: Vec::new(),
                });
            }
            self.client.pause(100, 800).await;
        }
        None
    }

    async fn follow(&self, course: Course, order: &Yes) {
        self.client.pause(0, 1_500).await;
        match course {
            Course::Pay | Course::Refuse => self.pay(order, "pm_ok").await,
            Course::Doubt => self.pay(order, "pm_silent").await,
            Course::Decline => {
                self.pay(order, "pm_declined").await;
                match self.client.chance().below(3) {
                    0 => self.give_back(order).await,
                    1 => {}
                    _ => self.pay(order, "pm_ok").await,
                }
            }
            Course::Cancel => self.give_back(order).await,
            Course::Abandon => {}
            Course::Late => {
                let over = order.held_until_ms.saturating_sub(world_now_ms());
                self.client.pause(over + 50, over + 700).await;
                self.pay(order, "pm_ok").await;
            }
        }
    }

    /// Pays until there is an answer that lasts.
    async fn pay(&self, order: &Yes, method: &str) {
        let path = format!("/api/v1/orders/{}/pay", order.order);
        let body = json!({"payment_method": method});
        for _ in 0..40 {
            let reply = self.client.insist(10, "POST", &path, None, &body).await;
            match (&reply, reply.code().as_str()) {
                (Reply::Answered(200, answer), _) => {
                    self.history.yes(self.paid(order, answer).await);
                    return;
                }
                (Reply::Answered(202, _) | Reply::Unknown, _) | (_, "ORDER_NOT_HELD_YET") => {
                    self.client.pause(300, 1_500).await;
                }
                (_, code) => {
                    self.history.note(&format!("{} pay: {code}", self.key));
                    return;
                }
            }
        }
        self.history
            .note(&format!("{} pay: still in doubt", self.key));
    }

    async fn paid(&self, order: &Yes, answer: &Value) -> Yes {
        let tickets = answer["ticket_ids"].as_array().into_iter().flatten();
        let tickets = tickets.filter_map(Value::as_str).map(str::to_owned);
        let mut yes = Yes {
            told: Told::Paid,
            tickets: tickets.collect(),
            ..order.clone()
        };
        if yes.seats.is_empty() {
            // Nobody told this buyer yet what they hold.
            // A replica that has just started may still tell of the order's youth.
            let path = format!("/api/v1/orders/{}?consistency=linearizable", order.order);
            let reply = self
                .client
                .insist(40, "GET", &path, None, &Value::Null)
                .await;
            if let Reply::Answered(200, answer) = &reply {
                let told = read_yes(Told::Paid, answer);
                (yes.seats, yes.amount) = (told.seats, told.amount);
            }
        }
        yes
    }

    async fn give_back(&self, order: &Yes) {
        let path = format!("/api/v1/orders/{}/hold", order.order);
        let reply = self
            .client
            .insist(20, "DELETE", &path, None, &Value::Null)
            .await;
        if let Reply::Answered(200, _) = reply {
            self.history.yes(Yes {
                told: Told::Cancelled,
                ..order.clone()
            });
        } else {
            self.history
                .note(&format!("{} give back: {}", self.key, reply.code()));
        }
    }
}
