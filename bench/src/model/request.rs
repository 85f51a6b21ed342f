//! What people ask for, and the way of each kind through the cluster.

use super::calendar::Nanos;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Into the waiting room.
    Join,
    /// Asking for one's place.
    Poll,
    /// The seat map.
    Map,
    /// A reservation, granted or refused; in the closed loop also giving one back.
    Reserve,
    /// A payment, the provider's time included.
    Pay,
    /// A ticket.
    Ticket,
    /// The cluster's own: joins of many, admissions.
    Own,
}

/// How many kinds there are.
pub const CLASSES: usize = 7;

/// Which of an order's shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the order is decided.
    Home,
    /// Where its seats are.
    Leg,
}

/// What the provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// To reserve it.
    Authorize,
    /// To take it.
    Capture,
}

/// A step of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// CPU at the door: reading, checking, planning.
    Door,
    /// A command from the door to the leader of a shard, until it is applied there and the door knows.
    Log(Side),
    /// A command that a leader proposes itself.
    Own(Side),
    /// One of a shard's calls to the provider, as many at once as `payments.calls_max` says.
    Call(Money),
    /// What the provider said is recorded; the call's place is free.
    HangUp,
    /// CPU at the door: writing the answer.
    Answer,
    /// The answer is out. What follows keeps nobody waiting.
    Told,
}

/// The steps of a kind of request.
pub type Program = &'static [Step];

/// Answered from memory: a seat map, a ticket.
pub const READ: Program = &[Step::Door, Step::Told];
/// An order whose home has its seats: one entry (`api/src/reserve/`). Also giving one back.
pub const HOLD: Program = &[Step::Door, Step::Log(Side::Home), Step::Answer, Step::Told];
/// An order whose seats are elsewhere: `OpenOrder`, `HoldLeg`, and behind the answer `RecordHeld`.
pub const HOLD_APART: Program = &[
    Step::Door,
    Step::Log(Side::Home),
    Step::Log(Side::Leg),
    Step::Answer,
    Step::Told,
    Step::Log(Side::Home),
];
/// What is left of it when the seats are refused: `CloseOrder`, then the answer.
pub const REFUSED_APART: Program = &[Step::Log(Side::Home), Step::Answer, Step::Told];
/// `StartPayment`, and what the provider said to the authorization and the capture.
pub const PAY: Program = &[
    Step::Door,
    Step::Log(Side::Home),
    Step::Call(Money::Authorize),
    Step::Own(Side::Home),
    Step::HangUp,
    Step::Call(Money::Capture),
    Step::Own(Side::Home),
    Step::HangUp,
    Step::Answer,
    Step::Told,
];
/// The same with messages to the seats' shard and back: pin before, sell after.
pub const PAY_APART: Program = &[
    Step::Door,
    Step::Log(Side::Home),
    Step::Own(Side::Leg),
    Step::Own(Side::Home),
    Step::Call(Money::Authorize),
    Step::Own(Side::Home),
    Step::HangUp,
    Step::Own(Side::Leg),
    Step::Own(Side::Home),
    Step::Call(Money::Capture),
    Step::Own(Side::Home),
    Step::HangUp,
    Step::Answer,
    Step::Told,
];
/// A door's batch of joins; whoever is in it is answered when it is told.
pub const JOIN_BATCH: Program = &[Step::Log(Side::Home), Step::Told];
/// The waiting room's turn, a `Tick` of its leader.
pub const TURN: Program = &[Step::Own(Side::Home), Step::Told];

/// Nobody in particular asks.
pub const NOBODY: u32 = u32::MAX;

/// Where a request is, for those who have to find it again when a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// At its door.
    Door,
    /// On the way into a shard's log, in it, or on the way back.
    Log(usize),
    /// Decided by a log, on its way back.
    Decided,
    /// Waiting for the provider, on account of this shard.
    Call(usize),
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its kind.
    pub class: Class,
    /// Its steps.
    pub program: Program,
    /// The next of them.
    pub step: usize,
    /// The node that serves it.
    pub door: usize,
    /// Shard that decides it.
    pub home: usize,
    /// Shard that has its seats.
    pub leg: usize,
    /// People in it.
    pub people: u64,
    /// CPU at the door beyond what its kind always costs, in ns.
    pub extra: Nanos,
    /// Who asks: a number of the load's, or [`NOBODY`].
    pub who: u32,
    /// When it came to its door.
    pub since: Nanos,
    /// Where it is.
    pub at: Whereabouts,
    /// Whether its answer is out.
    pub told: bool,
    /// Rises when it is sent again; what belongs to an older one is void.
    pub generation: u32,
}

impl Request {
    /// A new one.
    #[must_use]
    pub fn new(class: Class, program: Program, door: usize, home: usize) -> Self {
        Self {
            class,
            program,
            step: 0,
            door,
            home,
            leg: home,
            people: 0,
            extra: 0,
            who: NOBODY,
            since: 0,
            at: Whereabouts::Door,
            told: false,
            generation: 0,
        }
    }

    /// The shard of a side.
    #[must_use]
    pub fn shard(&self, side: Side) -> usize {
        match side {
            Side::Home => self.home,
            Side::Leg => self.leg,
        }
    }
}

/// Names a request, as it was sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    index: u32,
    generation: u32,
}

/// Requests under way.
#[derive(Debug, Default)]
pub struct Requests {
    slots: Vec<Option<Request>>,
    free: Vec<u32>,
    /// Where generations of a slot begin, so that a ticket of its last tenant opens nothing.
    generations: Vec<u32>,
}

impl Requests {
    /// Takes one in.
    pub fn add(&mut self, mut request: Request) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.generations.push(0);
            (self.slots.len() - 1) as u32
        });
        request.generation = self.generations[index as usize];
        let generation = request.generation;
        self.slots[index as usize] = Some(request);
        Ticket { index, generation }
    }

    /// The request, unless it was sent again or is over.
    pub fn get(&mut self, ticket: Ticket) -> Option<&mut Request> {
        let slot = self.slots[ticket.index as usize].as_mut();
        slot.filter(|request| request.generation == ticket.generation)
    }

    /// It is over.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Request> {
        self.get(ticket)?;
        self.generations[ticket.index as usize] = ticket.generation + 1;
        self.free.push(ticket.index);
        self.slots[ticket.index as usize].take()
    }

    /// It is sent again: its new ticket.
    pub fn renew(&mut self, ticket: Ticket) -> Option<Ticket> {
        let request = self.get(ticket)?;
        request.generation += 1;
        let generation = request.generation;
        Some(Ticket {
            index: ticket.index,
            generation,
        })
    }

    /// All under way, in an order that is the same every time.
    pub fn all(&self) -> impl Iterator<Item = (Ticket, &Request)> {
        let slots = self.slots.iter().zip(0_u32..);
        slots.filter_map(|(slot, index)| {
            let request = slot.as_ref()?;
            let generation = request.generation;
            Some((Ticket { index, generation }, request))
        })
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_only_the_request_it_was_given_for() {
        let mut requests = Requests::default();
        let first = requests.add(Request::new(Class::Map, READ, 0, 0));
        let again = requests.renew(first).expect("it is under way");
        assert!(requests.get(first).is_none(), "it was sent again");
        assert!(requests.remove(again).is_some() && requests.is_empty());
        let second = requests.add(Request::new(Class::Pay, PAY, 1, 0));
        assert!(requests.get(again).is_none(), "the slot has another tenant");
        assert_eq!(requests.get(second).map(|it| it.class), Some(Class::Pay));
        assert_eq!(requests.all().count(), 1);
    }
}
