//! Requests, step by step.

use super::{Engine, Event, Notice, Then};
use crate::model::calendar::Nanos;
use crate::model::request::{Class, Program, Request, Side, Step, Ticket, Whereabouts};

impl Engine {
    /// A request comes to its door.
    pub fn begin_request(&mut self, mut request: Request) -> Ticket {
        request.since = self.now();
        self.begun += 1;
        let ticket = self.requests.add(request);
        self.step(ticket);
        ticket
    }

    /// A request under way.
    pub fn request(&mut self, ticket: Ticket) -> Option<&mut Request> {
        self.requests.get(ticket)
    }

    /// It goes on by another program, whose first step is next. For a [`Notice::Applied`], after which the
    /// request has not moved yet.
    pub fn redirect(&mut self, ticket: Ticket, program: Program) {
        if let Some(request) = self.requests.get(ticket) {
            request.program = program;
            request.step = 0;
        }
    }

    /// CPU of a kind of request at its door, and how much of it is before the answer.
    fn door(&self, request: &Request) -> (Nanos, Nanos) {
        let door = &self.costs.door;
        let cost = match request.class {
            Class::Poll => door.poll_us,
            Class::Map => door.map_us,
            Class::Reserve => door.reserve_us,
            Class::Pay => door.pay_us,
            Class::Ticket => door.ticket_us,
            Class::Join | Class::Own => return (0, 0),
        };
        let cost = cost.ns();
        let answers = request.program.contains(&Step::Answer);
        // Reading and checking is more than writing a short answer.
        let before = if answers { cost * 6 / 10 } else { cost };
        (before + request.extra, cost - before)
    }

    /// Does the next step.
    pub(super) fn step(&mut self, ticket: Ticket) {
        let Some(request) = self.requests.get(ticket) else {
            return; // It was sent again; this is what was left of it.
        };
        let copy = *request;
        let Some(step) = copy.program.get(copy.step) else {
            self.requests.remove(ticket);
            return;
        };
        request.step += 1;
        match *step {
            Step::Door => self.at_door(ticket, &copy),
            Step::Answer => {
                self.whereabouts(ticket, Whereabouts::Door);
                let (_, cost) = self.door(&copy);
                self.work(copy.door, cost, Then::Step(ticket));
            }
            Step::Log(side) => self.propose(ticket, copy.door, copy.shard(side)),
            Step::Own(side) => self.propose_own(ticket, &copy, side),
            Step::Call(money) => self.call(ticket, copy.home, money),
            Step::HangUp => {
                self.hang_up(copy.home);
                self.step(ticket);
            }
            Step::Told => {
                request.told = true;
                self.told(&copy);
                self.step(ticket);
            }
        }
    }

    fn at_door(&mut self, ticket: Ticket, request: &Request) {
        let (cost, _) = self.door(request);
        self.whereabouts(ticket, Whereabouts::Door);
        self.work(request.door, cost, Then::Step(ticket));
    }

    pub(super) fn whereabouts(&mut self, ticket: Ticket, at: Whereabouts) {
        if let Some(request) = self.requests.get(ticket) {
            request.at = at;
        }
    }

    fn told(&mut self, request: &Request) {
        self.answered += 1;
        let now = self.now();
        if request.class == Class::Own {
            self.own_told(request);
        } else {
            self.stats
                .answered(now, request.class, now - request.since, 1);
        }
        self.notices.push_back(Notice::Answered(*request));
    }

    /// A command from a node to a shard's leader, through a frame unless it leads itself.
    fn propose(&mut self, ticket: Ticket, from: usize, shard: usize) {
        self.whereabouts(ticket, Whereabouts::Log(shard));
        match self.shards[shard].leader {
            None => self.shards[shard].parked.push(ticket),
            Some(leader) if leader == from => self.queue(ticket, shard),
            Some(leader) => {
                let cost = self.costs.forward.door_us.ns() / 2;
                self.work(from, cost, Then::Sent(ticket, leader));
            }
        }
    }

    /// A command of the home's leader: into its own log, or by the courier into another shard's.
    fn propose_own(&mut self, ticket: Ticket, request: &Request, side: Side) {
        let shard = request.shard(side);
        match self.shards[request.home].leader {
            Some(home) => self.propose(ticket, home, shard),
            None => {
                self.whereabouts(ticket, Whereabouts::Log(request.home));
                self.shards[request.home].parked.push(ticket);
            }
        }
    }

    /// A forwarded command has come to a node that led its shard when it was sent.
    pub(super) fn received(&mut self, ticket: Ticket, node: usize) {
        let Some(request) = self.requests.get(ticket) else {
            return;
        };
        let Whereabouts::Log(shard) = request.at else {
            return;
        };
        let door = request.door;
        if self.shards[shard].leader == Some(node) {
            self.queue(ticket, shard);
        } else {
            self.propose(ticket, door, shard);
        }
    }

    /// A command was applied: the load is told first, as it may send the request another way.
    pub(super) fn outcome(&mut self, ticket: Ticket, leader: usize) {
        let Some(request) = self.requests.get(ticket) else {
            return; // It was sent again, and will be applied again: the same answer.
        };
        let door = request.door;
        let last = request.program.get(request.step - 1);
        let to_door = matches!(last, Some(Step::Log(_)));
        request.at = Whereabouts::Decided;
        self.notices.push_back(Notice::Applied(ticket));
        if to_door && door != leader {
            let cost = self.costs.forward.door_us.ns() / 2;
            self.send(leader, door, cost, Then::Step(ticket));
        } else {
            // After the load has heard.
            self.calendar.after(0, Event::Step(ticket));
        }
    }

    /// It is sent again, after its door or its leader died: the door reads it anew.
    pub(super) fn retry(&mut self, ticket: Ticket) {
        let Some(request) = self.requests.get(ticket) else {
            return;
        };
        if !self.nodes[request.door].alive {
            let door = self.any_door();
            self.whereabouts_door(ticket, door);
        }
        let Some(request) = self.requests.get(ticket) else {
            return;
        };
        let copy = *request;
        match copy.program.get(copy.step) {
            Some(Step::Door) => self.step(ticket),
            _ => self.at_door(ticket, &copy),
        }
    }

    fn whereabouts_door(&mut self, ticket: Ticket, door: usize) {
        if let Some(request) = self.requests.get(ticket) {
            request.door = door;
        }
    }

    /// Sends it again after a while. What it was waiting for is void.
    pub(super) fn send_again(&mut self, ticket: Ticket, delay: Nanos) {
        let Some(again) = self.requests.renew(ticket) else {
            return;
        };
        if let Some(request) = self.requests.get(again) {
            // The step it was in is done again, unless the log has it.
            if request.at != Whereabouts::Decided {
                request.step -= 1;
            }
            request.at = Whereabouts::Door;
        }
        self.calendar.after(delay, Event::Retry(again));
    }
}
