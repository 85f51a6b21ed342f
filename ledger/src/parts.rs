//! A ledger taken apart and put together again: what a snapshot carries.
//!
//! Parts are plain data of bounded size, in one fixed order, so a snapshot can be written and read
//! piece by piece. What follows from other parts is left out: seats follow from plans and legs,
//! the due index from everybody's deadlines.

use std::collections::VecDeque;

use probes::Bug;

use crate::buyers::{Buyer, BuyerKey};
use crate::change::Journal;
use crate::due::Due;
use crate::event::EventPlan;
use crate::events::{EventState, valid_sections};
use crate::ids::*;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::messages::Outbox;
use crate::orders::{ClosedOrder, Order, SavedOrder};
use crate::payments::{Attempt, AttemptKey};
use crate::queue::{Room, SavedRoom};
use crate::seats::{Leg, SavedEnded, SavedEvent};
use crate::tickets::Ticket;

/// Entries in one part, at most.
pub const PART_ENTRIES_MAX: usize = 1_000;

/// A piece of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Single values. The first part, exactly once.
    Head(Head),
    /// An event and what its seats remember besides legs.
    Event(Box<EventPart>),
    /// A waiting room without its people.
    Room(Box<SavedRoom>),
    /// People of a waiting room, in order of their index. Several parts of one follow each other.
    Roster(RosterPart),
    /// Legs that have places.
    Legs(Vec<Leg>),
    /// Legs that may not come back.
    Ended(Vec<SavedEnded>),
    /// Tickets.
    Tickets(Vec<Ticket>),
    /// Orders that are not over.
    Orders(Vec<SavedOrder>),
    /// Orders that are, the oldest first.
    Closed(Vec<ClosedOrder>),
    /// People at events.
    Buyers(Vec<(BuyerKey, Buyer)>),
    /// Tries to pay.
    Attempts(Vec<(OrderId, Attempt)>),
    /// Unacknowledged messages to one shard. Several parts of one box follow each other.
    Outbox(OutboxPart),
}

/// See [`Part::Head`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which shard.
    pub shard: ShardId,
    /// Its clock.
    pub now: Timestamp,
    /// Commands applied.
    pub applied: u64,
    /// Number of the last hold.
    pub generation: Generation,
    /// The longest hold of any event so far, in ms.
    pub hold_ms_longest: u64,
    /// Number of the last message applied, by sender.
    pub received: Vec<(ShardId, u64)>,
    /// Facts noted.
    pub feed_sequence: u64,
}

/// See [`Part::Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPart {
    /// Sections and rules.
    pub plan: EventPlan,
    /// What the seats remember of it.
    pub seats: SavedEvent,
    /// When its waiting room is looked after next.
    pub room_due: Option<Timestamp>,
}

/// See [`Part::Roster`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterPart {
    /// The show.
    pub event: EventId,
    /// Index of the first person here.
    pub first: u64,
    /// The people.
    pub buyers: Vec<BuyerId>,
}

/// See [`Part::Outbox`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxPart {
    /// The receiver.
    pub to: ShardId,
    /// Number of the first message here.
    pub first: u64,
    /// The messages; none, when the box is empty.
    pub messages: Vec<Message>,
}

/// Parts that make no ledger: a damaged snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// The head is missing, late or there twice.
    #[error("the first part, and only the first, must be the head")]
    Head,
    /// A leg does not fit its event.
    #[error("leg {leg:?} does not fit: {why}")]
    Leg {
        /// Which.
        leg: LegKey,
        /// Why.
        why: crate::Rejection,
    },
    /// An order contradicts itself.
    #[error("order {order} is not one that can have been saved")]
    Order {
        /// Which.
        order: OrderId,
    },
    /// A plan breaks a bound.
    #[error("the plan of event {event:?} breaks a limit")]
    Event {
        /// Which.
        event: EventId,
    },
    /// A waiting room's event is missing, or its people are not numbered on.
    #[error("the waiting room of event {event:?} does not fit")]
    Room {
        /// Which.
        event: EventId,
    },
    /// Messages of an outbox are not numbered on.
    #[error("messages to shard {to} have a gap at {first}")]
    Outbox {
        /// The receiver.
        to: ShardId,
        /// Where.
        first: u64,
    },
}

impl Ledger {
    /// All parts, in the order [`Ledger::from_parts`] wants them.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let (generation, hold_ms_longest) = self.seats.marks();
        let head = Head {
            shard: self.shard,
            now: self.clock.now,
            applied: self.applied,
            generation: match probes::planted(Bug::SnapshotForgetsGeneration) {
                true => Generation(0),
                false => generation,
            },
            hold_ms_longest,
            received: unless(Bug::SnapshotForgetsInboxes, self.inboxes.iter().collect()),
            feed_sequence: self.feed_sequence(),
        };
        let events = self.events.values().filter_map(|state| {
            let seats = self.seats.save_event(state.plan.event)?;
            Some(Part::Event(Box::new(EventPart {
                plan: state.plan.clone(),
                seats,
                room_due: state.room_due,
            })))
        });
        let attempt = |(key, value): &(AttemptKey, &Attempt)| (key.order, (*value).clone());
        std::iter::once(Part::Head(head))
            .chain(events)
            .chain(
                self.rooms
                    .values()
                    .map(|room| Part::Room(Box::new(room.save()))),
            )
            .chain(self.rooms.values().flat_map(roster_parts))
            .chain(chunks(self.seats.legs(), |leg| *leg, Part::Legs))
            .chain(chunks(
                unless(Bug::SnapshotForgetsEndedLegs, self.seats.ended().collect()),
                |ended| *ended,
                Part::Ended,
            ))
            .chain(chunks(
                self.tickets().sorted(),
                |ticket| *ticket,
                Part::Tickets,
            ))
            .chain(chunks(self.orders(), |order| order.save(), Part::Orders))
            .chain(chunks(
                unless(
                    Bug::SnapshotForgetsClosedOrders,
                    self.closed.iter().copied().collect(),
                ),
                |closed| *closed,
                Part::Closed,
            ))
            .chain(chunks(
                unless(Bug::SnapshotForgetsAllowances, self.buyers.sorted()),
                |buyer| *buyer,
                Part::Buyers,
            ))
            .chain(chunks(self.payments.sorted(), attempt, Part::Attempts))
            .chain(
                self.outboxes
                    .iter()
                    .flat_map(|(to, outbox)| outbox_parts(to, outbox)),
            )
    }

    /// Puts a ledger together. Its digest is that of the one taken apart.
    pub fn from_parts(parts: impl IntoIterator<Item = Part>) -> Result<Self, PartsError> {
        let mut parts = parts.into_iter();
        let Some(Part::Head(head)) = parts.next() else {
            return Err(PartsError::Head);
        };
        let mut ledger = Self::new(head.shard);
        ledger.clock.now = head.now;
        ledger.applied = head.applied;
        ledger.journal = Journal::restored(head.feed_sequence);
        for (from, last) in head.received {
            ledger.inboxes.restore(from, last);
        }
        let mut marks = Vec::new();
        for part in parts {
            ledger.restore(part, &mut marks)?;
        }
        for saved in &marks {
            ledger.seats.restore_event(saved, &mut ledger.due);
        }
        ledger
            .seats
            .restore_marks(head.generation, head.hold_ms_longest);
        Ok(ledger)
    }

    fn restore(&mut self, part: Part, marks: &mut Vec<SavedEvent>) -> Result<(), PartsError> {
        match part {
            Part::Head(_) => return Err(PartsError::Head),
            Part::Event(part) => {
                let event = part.plan.event;
                if !valid_sections(&part.plan.sections) {
                    return Err(PartsError::Event { event });
                }
                self.seats.restore_plan(&part.plan, self.shard);
                if let Some(at) = part.room_due {
                    self.due.set(at, Due::Room(event));
                }
                self.events.insert(
                    event,
                    EventState {
                        plan: part.plan,
                        room_due: part.room_due,
                    },
                );
                marks.push(part.seats);
            }
            Part::Room(saved) => {
                let event = saved.event;
                let state = self.events.get(&event).ok_or(PartsError::Room { event })?;
                self.rooms.insert(event, Room::restore(&state.plan, *saved));
            }
            Part::Roster(RosterPart {
                event,
                first,
                buyers,
            }) => {
                let room = self
                    .rooms
                    .get_mut(&event)
                    .filter(|room| room.joined() == first);
                room.ok_or(PartsError::Room { event })?
                    .restore_people(&buyers);
            }
            Part::Legs(legs) => {
                for leg in legs {
                    self.seats
                        .restore_leg(&leg, &mut self.due)
                        .map_err(|why| PartsError::Leg { leg: leg.key, why })?;
                }
            }
            Part::Ended(ended) => ended
                .into_iter()
                .for_each(|ended| self.seats.restore_ended(ended)),
            Part::Tickets(tickets) => {
                for ticket in tickets {
                    let leg = self.seats.leg_of_ticket(&ticket);
                    self.tickets.restore(ticket, leg);
                }
            }
            Part::Orders(orders) => {
                for saved in orders {
                    let order = Order::restored(&saved);
                    let order = order.ok_or(PartsError::Order { order: saved.id })?;
                    if let Some(at) = order.deadline() {
                        self.due.set(at, Due::Order(order.id));
                    }
                    self.orders.put(order);
                }
            }
            Part::Closed(closed) => closed
                .into_iter()
                .for_each(|closed| self.closed.remember(closed)),
            Part::Buyers(buyers) => {
                buyers
                    .into_iter()
                    .for_each(|(key, buyer)| self.buyers.restore(key, buyer));
            }
            Part::Attempts(attempts) => {
                attempts
                    .into_iter()
                    .for_each(|(order, attempt)| self.payments.insert(order, attempt));
            }
            Part::Outbox(part) => self.restore_outbox(part)?,
        }
        Ok(())
    }

    fn restore_outbox(&mut self, part: OutboxPart) -> Result<(), PartsError> {
        let OutboxPart {
            to,
            first,
            messages,
        } = part;
        match self.outboxes.get(to) {
            None => self
                .outboxes
                .restore(to, Outbox::restored(first, VecDeque::from(messages))),
            Some(outbox) if outbox.next() == first => {
                messages
                    .into_iter()
                    .for_each(|message| self.outboxes.send(to, message));
            }
            Some(_) => return Err(PartsError::Outbox { to, first }),
        }
        Ok(())
    }
}

/// `all`, but for a run in which a snapshot forgets it.
fn unless<T>(forgotten: Bug, all: Vec<T>) -> Vec<T> {
    if probes::planted(forgotten) {
        return Vec::new();
    }
    all
}

/// `all` in parts of bounded size, copied as they are asked for.
fn chunks<'a, T: 'a, U: 'a>(
    all: Vec<T>,
    copy: impl Fn(&T) -> U + 'a,
    part: impl Fn(Vec<U>) -> Part + 'a,
) -> impl Iterator<Item = Part> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = all.get(from..).filter(|rest| !rest.is_empty())?;
        let taken = rest.len().min(PART_ENTRIES_MAX);
        from += taken;
        Some(part(rest[..taken].iter().map(&copy).collect()))
    })
}

fn roster_parts(room: &Room) -> impl Iterator<Item = Part> + '_ {
    let event = room.event();
    room.roster()
        .chunks(PART_ENTRIES_MAX)
        .enumerate()
        .map(move |(number, buyers)| {
            let first = (number * PART_ENTRIES_MAX) as u64;
            Part::Roster(RosterPart {
                event,
                first,
                buyers: buyers.to_vec(),
            })
        })
}

/// An empty box is a part too: its numbers go on where they stopped.
fn outbox_parts(to: ShardId, outbox: &Outbox) -> impl Iterator<Item = Part> + '_ {
    let mut next = Some(outbox.first());
    std::iter::from_fn(move || {
        let (first, messages) = outbox.from(next?, PART_ENTRIES_MAX);
        let messages: Vec<Message> = messages.cloned().collect();
        let through = first + messages.len() as u64;
        next = (through < outbox.next()).then_some(through);
        Some(Part::Outbox(OutboxPart {
            to,
            first,
            messages,
        }))
    })
}
