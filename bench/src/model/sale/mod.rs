//! An on-sale, from the first who comes to the lobby to the last seat.
//!
//! ```text
//!  lobby ── opening: the draw ──► the cursor moves ──► look ──► reserve ──► pay ──► ticket
//!   join, poll        poll                              │        409: look again, at most so often
//!                                                       └ leave   └ abandoned: free again when the hold ends
//! ```
//! [`lobby`] is who comes when and who polls how often; [`room`] whose turn it is; [`stock`] what is left;
//! this file what a person does.

mod lobby;
mod plan;
mod room;
mod stock;

pub use plan::Plan;

use super::calendar::{MILLISECOND, MINUTE, Nanos, SECOND};
use super::engine::{Alarm, Engine, Load, Notice};
use super::request::{
    Class, HOLD, HOLD_APART, PAY, PAY_APART, READ, REFUSED_APART, Request, Side, Step, TURN, Ticket,
};
use super::steady::render;
use lobby::Lobby;
use room::Room;
use stock::Stock;

/// Beats are sent as one piece of work for so long.
const BEAT: Nanos = 20 * MILLISECOND;
/// How often the room takes its turn (`ADMISSION_STEP_MS`).
const TURN_EVERY: Nanos = 250 * MILLISECOND;
/// Reservations that somebody tries before they leave.
const TRIES_MAX: u8 = 6;
/// From this try on people take the best that is left instead of what they see.
const BEST_FROM_TRY: u8 = 3;
/// How long somebody whose seat was taken looks at the alternatives.
const AGAIN: Nanos = 5 * SECOND;
/// How often whoever found nothing free looks again.
const NOTHING_FREE: Nanos = 30 * SECOND;

/// What a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Look,
    Reserve,
    Held,
    Pay,
    Ticket,
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Person {
    stage: Stage,
    seats: u32,
    tries: u8,
    home: usize,
    leg: usize,
    granted: bool,
    seen: stock::Seen,
}

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
        for _ in 0..self.lobby.arrivals(now, self.plan.slot) {
            // Whoever comes within a slot is one piece of work a node: see `Engine::joins`.
            let door = engine.any_door();
            self.lobby.doors[door] += 1;
        }
        let doors = engine.living() as f64;
        let polls = self.lobby.polls_per_s(now, &self.room) * self.plan.slot as f64 / SECOND as f64;
        for node in 0..engine.node_count() {
            let joins = std::mem::take(&mut self.lobby.doors[node]);
            if engine.lives(node) {
                engine.joins(node, self.room_shard, joins);
                let polls = engine.chance.poisson(polls / doors);
                engine.polls(node, polls);
            }
        }
        engine.wake(self.plan.slot, Alarm::Slot);
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

    fn admit(&mut self, engine: &mut Engine) {
        let pick = |engine: &mut Engine, of: &[usize]| of[engine.chance.below(of.len())];
        let person = Person {
            stage: Stage::Look,
            seats: self.plan.party(&mut engine.chance),
            tries: 0,
            home: pick(engine, &self.shards),
            leg: pick(engine, &self.shards),
            granted: false,
            seen: self.stock.look(),
        };
        let who = self.people.len() as u32;
        self.people.push(person);
        // Whoever is about to be admitted polls once a second.
        let hears = engine.chance.below(SECOND as usize) as Nanos;
        engine.wake(hears, Alarm::Person(who));
    }

    /// A person acts.
    fn act(&mut self, engine: &mut Engine, who: u32) {
        let door = engine.any_door();
        let seats = self.plan.seats;
        let person = &mut self.people[who as usize];
        let apart = person.home != person.leg;
        let mut request = Request::new(Class::Map, READ, door, person.home);
        request.leg = person.leg;
        request.who = who;
        match person.stage {
            Stage::Look => {
                person.seen = self.stock.look();
                if self.rendered[door] != person.seen.revision {
                    request.extra = render(engine, seats);
                }
            }
            Stage::Reserve => {
                request.class = Class::Reserve;
                request.program = if apart { HOLD_APART } else { HOLD };
            }
            Stage::Pay => {
                request.class = Class::Pay;
                request.program = if apart { PAY_APART } else { PAY };
            }
            Stage::Ticket => request.class = Class::Ticket,
            Stage::Held | Stage::Gone => return,
        }
        engine.begin_request(request);
    }

    /// A command was applied. For a reservation it decides.
    fn applied(&mut self, engine: &mut Engine, ticket: Ticket) {
        let Some(request) = engine.request(ticket).copied() else {
            return;
        };
        if request.class != Class::Reserve {
            return;
        }
        let apart = request.program.contains(&Step::Log(Side::Leg));
        let decides = match request.program.get(request.step - 1) {
            Some(Step::Log(Side::Leg)) => true,
            Some(Step::Log(Side::Home)) => !apart && request.program == HOLD,
            _ => false,
        };
        let person = &mut self.people[request.who as usize];
        if !decides || person.stage != Stage::Reserve {
            return;
        }
        person.tries += 1;
        let best = person.tries >= BEST_FROM_TRY || engine.chance.percent(self.plan.best_percent);
        person.granted = self
            .stock
            .hold(person.seats, person.seen, best, &mut engine.chance);
        if person.granted {
            person.stage = Stage::Held;
            return;
        }
        let now = engine.now();
        engine.stats.at(now).taken += 1;
        if apart {
            engine.redirect(ticket, REFUSED_APART);
        }
    }

    fn answered(&mut self, engine: &mut Engine, request: &Request) {
        let now = engine.now();
        let Some(person) = self.people.get_mut(request.who as usize) else {
            return;
        };
        let delay = match (request.class, person.stage) {
            (Class::Map, Stage::Look) => {
                self.rendered[request.door] = person.seen.revision;
                let leaves = person.tries == 0 && engine.chance.percent(self.plan.leave_percent);
                person.stage = if leaves { Stage::Gone } else { Stage::Reserve };
                match person.tries {
                    0 => engine.chance.exponential(self.plan.look_seconds * SECOND),
                    _ => AGAIN,
                }
            }
            (Class::Reserve, Stage::Held) if engine.chance.percent(self.plan.abandon_percent) => {
                person.stage = Stage::Gone;
                engine.wake(self.plan.hold_seconds * SECOND, Alarm::Expired(request.who));
                return;
            }
            (Class::Reserve, Stage::Held) => {
                person.stage = Stage::Pay;
                engine.chance.exponential(self.plan.pay_seconds * SECOND)
            }
            (Class::Reserve, _) if person.tries >= TRIES_MAX => {
                person.stage = Stage::Gone;
                return;
            }
            (Class::Reserve, _) => {
                person.stage = Stage::Look;
                let left = u32::try_from(self.stock.available).unwrap_or(u32::MAX);
                person.seats = person.seats.min(left.max(1));
                if left == 0 { NOTHING_FREE } else { AGAIN }
            }
            (Class::Pay, Stage::Pay) => {
                self.stock.sell(person.seats);
                engine.stats.at(now).sold += u64::from(person.seats);
                if self.stock.sold == self.plan.seats {
                    self.sold_out_at = Some(now);
                }
                person.stage = Stage::Ticket;
                SECOND
            }
            _ => return,
        };
        engine.wake(delay, Alarm::Person(request.who));
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

/// Plays a sale until it is sold out, or for as long as its plan allows.
pub fn play(engine: &mut Engine, sale: &mut Sale) {
    let end = sale.plan.opening() + sale.plan.minutes_max * MINUTE;
    engine.run(sale, end);
}
