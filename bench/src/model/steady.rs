//! Everything at a constant rate, independent of what comes back (an open loop): how much a cluster bears,
//! and what a death does to it.

use super::calendar::{MILLISECOND, Nanos, SECOND};
use super::engine::{Alarm, Engine, Load, Notice};
use super::request::{Class, HOLD, HOLD_APART, PAY, PAY_APART, READ, Request};

/// Beats are sent as one piece of work for so long.
const BEAT: Nanos = 20 * MILLISECOND;

/// What comes, a second, over the whole cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// People who join the waiting room.
    pub joins: f64,
    /// Polls that are not answered by a cache before.
    pub polls: f64,
    /// Seat maps.
    pub maps: f64,
    /// Of them so many in a hundred have to be rendered, ...
    pub maps_rendered_percent: u32,
    /// ... of so many seats.
    pub map_seats: u64,
    /// Reservations.
    pub reserves: f64,
    /// Payments.
    pub pays: f64,
    /// Tickets.
    pub tickets: f64,
    /// Shards over which they lie: one event's, or all.
    pub shards: usize,
    /// Whether they are of one event, whose orders may have their seats in another of these shards than
    /// their home; else of so many events with a shard each.
    pub one_event: bool,
}

impl Rates {
    /// Nothing at all, of events in these shards.
    #[must_use]
    pub fn none(shards: usize) -> Self {
        Self {
            joins: 0.0,
            polls: 0.0,
            maps: 0.0,
            maps_rendered_percent: 100,
            map_seats: 100_000,
            reserves: 0.0,
            pays: 0.0,
            tickets: 0.0,
            shards,
            one_event: false,
        }
    }

    /// Reservations alone, of one event in one shard.
    #[must_use]
    pub fn reserves(rate: f64) -> Self {
        Self {
            reserves: rate,
            ..Self::none(1)
        }
    }

    fn of(&self, class: Class) -> f64 {
        match class {
            Class::Map => self.maps,
            Class::Reserve => self.reserves,
            Class::Pay => self.pays,
            Class::Ticket => self.tickets,
            Class::Join | Class::Poll | Class::Own => 0.0,
        }
    }
}

/// The load.
#[derive(Debug)]
pub struct Steady {
    rates: Rates,
    slot: Nanos,
    death: Vec<(Nanos, usize, bool)>,
}

/// Kinds that come one by one.
const SINGLE: [Class; 4] = [Class::Map, Class::Reserve, Class::Pay, Class::Ticket];

impl Steady {
    /// At these rates; polls and joins come in slots of this length.
    #[must_use]
    pub fn new(rates: Rates, slot: Nanos) -> Self {
        Self {
            rates,
            slot,
            death: Vec::new(),
        }
    }

    /// A node dies at some time; `silent`: its machine as well.
    #[must_use]
    pub fn with_death(mut self, at: Nanos, node: usize, silent: bool) -> Self {
        self.death.push((at, node, silent));
        self
    }

    fn wait(&self, engine: &mut Engine, class: Class) {
        let rate = self.rates.of(class);
        if rate > 0.0 {
            let mean = (SECOND as f64 / rate) as Nanos;
            let delay = engine.chance.exponential(mean);
            engine.wake(delay, Alarm::Arrival(class));
        }
    }

    fn arrive(&self, engine: &mut Engine, class: Class) {
        let door = engine.any_door();
        let shard = engine.chance.below(self.rates.shards);
        let mut request = Request::new(class, READ, door, shard);
        if self.rates.one_event {
            request.leg = engine.chance.below(self.rates.shards);
        }
        let apart = request.leg != request.home;
        match class {
            Class::Map if engine.chance.percent(self.rates.maps_rendered_percent) => {
                request.extra = render(engine, self.rates.map_seats);
            }
            Class::Reserve => request.program = if apart { HOLD_APART } else { HOLD },
            Class::Pay => request.program = if apart { PAY_APART } else { PAY },
            _ => {}
        }
        engine.begin_request(request);
    }

    fn slot(&self, engine: &mut Engine) {
        let doors = engine.living() as f64;
        let share = self.slot as f64 / SECOND as f64 / doors;
        for node in 0..engine.node_count() {
            if engine.lives(node) {
                let polls = engine.chance.poisson(self.rates.polls * share);
                let joins = engine.chance.poisson(self.rates.joins * share);
                engine.polls(node, polls);
                engine.joins(node, 0, joins);
            }
        }
    }
}

/// CPU to render a map of so many seats.
#[must_use]
pub fn render(engine: &Engine, seats: u64) -> Nanos {
    engine.costs.door.map_render_us_per_1000_seats.times(seats) / 1_000
}

impl Load for Steady {
    fn start(&mut self, engine: &mut Engine) {
        for class in SINGLE {
            self.wait(engine, class);
        }
        if self.rates.polls + self.rates.joins > 0.0 {
            engine.wake(0, Alarm::Slot);
        }
        engine.wake(0, Alarm::Beat);
        for (at, node, silent) in &self.death {
            engine.wake(*at, Alarm::Death(*node, *silent));
        }
    }

    fn hear(&mut self, engine: &mut Engine, notice: Notice) {
        match notice {
            Notice::Alarm(Alarm::Arrival(class)) => {
                self.arrive(engine, class);
                self.wait(engine, class);
            }
            Notice::Alarm(Alarm::Slot) => {
                self.slot(engine);
                engine.wake(self.slot, Alarm::Slot);
            }
            Notice::Alarm(Alarm::Beat) => {
                engine.beat(BEAT);
                engine.wake(BEAT, Alarm::Beat);
            }
            Notice::Alarm(Alarm::Death(node, silent)) => engine.kill(node, silent),
            _ => {}
        }
    }
}
