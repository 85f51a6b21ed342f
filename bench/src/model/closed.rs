//! The closed loop of `usher bench local`: so many clients, each of which asks again when it was answered.
//! Every request is one command: a hold, or the release of an older order.

use super::engine::{Alarm, Engine, Load, Notice};
use super::request::{Class, HOLD, Request};

/// Which doors clients use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doors {
    /// All, in turn: with three nodes, two requests of three are forwarded.
    All,
    /// The leader's.
    Leader,
}

/// The load.
#[derive(Debug)]
pub struct Closed {
    clients: u32,
    doors: Doors,
    next_door: usize,
}

impl Closed {
    /// So many clients at these doors, of an event in shard 0.
    #[must_use]
    pub fn new(clients: u32, doors: Doors) -> Self {
        Self {
            clients,
            doors,
            next_door: 0,
        }
    }

    fn ask(&self, engine: &mut Engine, client: u32) {
        let cost = engine.costs.generator.request_us.ns();
        engine.generate(cost, Alarm::Person(client));
    }
}

impl Load for Closed {
    fn start(&mut self, engine: &mut Engine) {
        for client in 0..self.clients {
            self.ask(engine, client);
        }
    }

    fn hear(&mut self, engine: &mut Engine, notice: Notice) {
        match notice {
            Notice::Alarm(Alarm::Person(client)) => {
                self.next_door = (self.next_door + 1) % engine.node_count();
                let door = match self.doors {
                    Doors::All => self.next_door,
                    Doors::Leader => engine.leader(0).unwrap_or(0),
                };
                let mut request = Request::new(Class::Reserve, HOLD, door, 0);
                request.who = client;
                engine.begin_request(request);
            }
            Notice::Answered(request) => self.ask(engine, request.who),
            _ => {}
        }
    }
}
