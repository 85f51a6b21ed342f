//! An on-sale, from the first who comes to the lobby to the last seat.
//!
//! ```text
//!  lobby ── opening: the draw ──► the cursor moves ──► look ──► reserve ──► pay ──► ticket
//!   join, poll        poll                              │        409: look again, at most so often
//!                                                       └ leave   └ abandoned: free again when the hold ends
//! ```
//! [`lobby`] is who comes when and who polls how often; [`room`] whose turn it is; [`stock`] what is left;
//! [`person`] what somebody does who was admitted.

mod lobby;
mod person;
mod plan;
mod room;
mod stock;

pub use plan::Plan;

use super::calendar::{MILLISECOND, MINUTE, Nanos, SECOND};
use super::engine::{Alarm, Engine, Load, Notice};
use super::request::{Class, Request, TURN};
use lobby::Lobby;
use person::Person;
use room::Room;
use stock::Stock;

/// Beats are sent as one piece of work for so long.
const BEAT: Nanos = 20 * MILLISECOND;
/// How often the room takes its turn (`ADMISSION_STEP_MS`).
const TURN_EVERY: Nanos = 250 * MILLISECOND;
/// The load.
#[derive(Debug)]
pub struct Sale {
    plan: Plan,
    lobby: Lobby,
    room: Room,
    stock: Stock,
    people: Vec<Person>,
    /// Shard of the waiting room.
    room_shard: usize,
    /// Shards of the event's sections.
    shards: Vec<usize>,
    /// Revision of the map that each node has rendered last.
    rendered: Vec<u64>,
    deaths: Vec<(Nanos, usize, bool)>,
    sold_out_at: Option<Nanos>,
}

impl Sale {
    /// A sale on this cluster. The waiting room is in the first shard, the event in those behind it
    /// (or in the same, when there is only one).
    #[must_use]
    pub fn new(plan: Plan, engine: &Engine) -> Self {
        let all = engine.shard_count();
        let used = plan.event_shards().clamp(1, all);
        Self {
            lobby: Lobby::new(&plan),
            room: Room::new(
                plan.admit_per_minute,
                plan.hold_seconds * SECOND,
                plan.seats,
            ),
            stock: Stock::new(plan.seats, plan.crowding),
            people: Vec::new(),
            room_shard: 0,
            shards: (0..used).map(|shard| (shard + 1) % all).collect(),
            rendered: vec![u64::MAX; engine.node_count()],
            deaths: Vec::new(),
            sold_out_at: None,
            plan,
        }
    }

    /// A node dies so long after the opening; `silent`: its machine as well.
    #[must_use]
    pub fn with_death(mut self, after_opening: Nanos, node: usize, silent: bool) -> Self {
        self.deaths
            .push((self.plan.opening() + after_opening, node, silent));
        self
    }

    /// When the last seat was sold, if it was.
    #[must_use]
    pub fn sold_out_at(&self) -> Option<Nanos> {
        self.sold_out_at
    }

    /// People with a place.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.lobby.joined
    }

    /// What is left, held and sold.
    #[must_use]
    pub fn stock(&self) -> (u64, u64, u64) {
        (self.stock.available, self.stock.held, self.stock.sold)
    }

    fn slot(&mut self, engine: &mut Engine) {
        let now = engine.now();
        let slot = slot_of(&self.plan, now);
        for _ in 0..self.lobby.arrivals(now, slot) {
            // Whoever comes within a slot is one piece of work a node: see `Engine::joins`.
            let door = engine.any_door();
            self.lobby.doors[door] += 1;
        }
        let doors = engine.living() as f64;
        let polls = self.lobby.polls_per_s(now, &self.room) * slot as f64 / SECOND as f64;
        for node in 0..engine.node_count() {
            let joins = std::mem::take(&mut self.lobby.doors[node]);
            if engine.lives(node) {
                engine.joins(node, self.room_shard, joins);
                let polls = engine.chance.poisson(polls / doors);
                engine.polls(node, polls);
            }
        }
        engine.wake(slot, Alarm::Slot);
    }

    /// The room's turn was applied.
    fn turned(&mut self, engine: &mut Engine) {
        let now = engine.now();
        if now >= self.plan.opening() {
            let admitted = self.room.turn(now, self.lobby.joined, &self.stock);
            engine.stats.at(now).admitted += admitted;
            for _ in 0..admitted {
                if engine.chance.percent(self.plan.show_percent) {
                    self.admit(engine);
                }
            }
        }
        engine.wake(TURN_EVERY, Alarm::Turn);
    }
}

impl Load for Sale {
    fn start(&mut self, engine: &mut Engine) {
        self.lobby.doors = vec![0; engine.node_count()];
        engine.wake(0, Alarm::Slot);
        engine.wake(0, Alarm::Beat);
        engine.wake(self.plan.opening(), Alarm::Turn);
        for (at, node, silent) in &self.deaths {
            engine.wake(*at, Alarm::Death(*node, *silent));
        }
    }

    fn hear(&mut self, engine: &mut Engine, notice: Notice) {
        match notice {
            Notice::Alarm(Alarm::Slot) => self.slot(engine),
            Notice::Alarm(Alarm::Beat) => {
                engine.beat(BEAT);
                engine.wake(BEAT, Alarm::Beat);
            }
            Notice::Alarm(Alarm::Turn) => {
                let door = engine.leader(self.room_shard).unwrap_or(0);
                engine.begin_request(Request::new(Class::Own, TURN, door, self.room_shard));
            }
            Notice::Alarm(Alarm::Person(who)) => self.act(engine, who),
            Notice::Alarm(Alarm::Expired(who)) => {
                self.stock.give_back(self.people[who as usize].seats);
            }
            Notice::Alarm(Alarm::Death(node, silent)) => engine.kill(node, silent),
            Notice::Alarm(Alarm::Arrival(_)) => {}
            Notice::Applied(ticket) => self.applied(engine, ticket),
            Notice::Answered(request) if request.class == Class::Own => {
                if request.people == 0 {
                    self.turned(engine);
                }
            }
            Notice::Answered(request) => self.answered(engine, &request),
            Notice::Joined(people) => self.lobby.joined += people,
        }
    }

    fn is_over(&self) -> bool {
        self.sold_out_at.is_some()
    }
}

/// How long the slot that begins now is: after the opening nobody joins, and polls do not depend on each other.
fn slot_of(plan: &Plan, now: Nanos) -> Nanos {
    if now < plan.opening() {
        plan.slot
    } else {
        plan.slot * 5 / 2
    }
}

/// Plays a sale until it is sold out, or for as long as its plan allows.
pub fn play(engine: &mut Engine, sale: &mut Sale) {
    let end = sale.plan.opening() + sale.plan.minutes_max * MINUTE;
    engine.run(sale, end);
}
