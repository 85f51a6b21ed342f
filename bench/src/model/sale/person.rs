//! What somebody does who was admitted: look, reserve, pay, fetch the ticket; or look again, or leave.

use super::{Sale, stock};
use crate::model::calendar::{Nanos, SECOND};
use crate::model::engine::{Alarm, Engine};
use crate::model::request::{
    Class, HOLD, HOLD_APART, PAY, PAY_APART, READ, REFUSED_APART, Request, Side, Step, Ticket,
};
use crate::model::steady::render;

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
pub(super) enum Stage {
    Look,
    Reserve,
    Held,
    Pay,
    Ticket,
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    stage: Stage,
    pub(super) seats: u32,
    tries: u8,
    home: usize,
    leg: usize,
    granted: bool,
    seen: stock::Seen,
}

impl Sale {
    /// Somebody who is there is admitted.
    pub(super) fn admit(&mut self, engine: &mut Engine) {
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
    pub(super) fn act(&mut self, engine: &mut Engine, who: u32) {
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
    pub(super) fn applied(&mut self, engine: &mut Engine, ticket: Ticket) {
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

    pub(super) fn answered(&mut self, engine: &mut Engine, request: &Request) {
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
