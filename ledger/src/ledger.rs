//! The one entrance. Everything a command may touch is here; each handler lives with its promise.

use std::collections::BTreeMap;

use crate::buyers::{Buyer, BuyerKey, Buyers};
use crate::change::Journal;
use crate::clock::Clock;
use crate::command::{Command, Stamp};
use crate::due::{Due, DueIndex};
use crate::events::EventState;
use crate::ids::*;
use crate::limits::CLOCK_BEAT_MS;
use crate::messages::{Inboxes, Outbox, Outboxes};
use crate::orders::{ClosedOrder, ClosedOrders, Order};
use crate::outcome::Outcome;
use crate::payments::{Attempt, AttemptKey, Payments};
use crate::queue::Room;
use crate::seats::{Counts, SeatTable};
use crate::slab::Slab;
use crate::tickets::{TicketTable, Tickets};

/// A shard's state: seats, orders, rooms, and what it owes the world.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) shard: ShardId,
    pub(crate) clock: Clock,
    pub(crate) events: BTreeMap<EventId, EventState>,
    pub(crate) rooms: BTreeMap<EventId, Room>,
    pub(crate) seats: SeatTable,
    pub(crate) tickets: TicketTable,
    pub(crate) orders: Slab<Order>,
    pub(crate) closed: ClosedOrders,
    pub(crate) buyers: Buyers,
    pub(crate) payments: Payments,
    pub(crate) outboxes: Outboxes,
    pub(crate) inboxes: Inboxes,
    pub(crate) due: DueIndex,
    pub(crate) journal: Journal,
    /// Commands applied; says when to check invariants.
    pub(crate) applied: u64,
}

/// How many of each a shard keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Events known.
    pub events: usize,
    /// Legs that have places.
    pub legs: usize,
    /// Tickets, void ones included.
    pub tickets: usize,
    /// Orders that are not over.
    pub orders: usize,
    /// Orders that are over and remembered.
    pub orders_closed: usize,
    /// People at events.
    pub buyers: usize,
    /// Tries to pay.
    pub payments: usize,
    /// Unacknowledged messages.
    pub messages: usize,
    /// Things with a deadline.
    pub deadlines: usize,
}

impl Ledger {
    /// An empty shard.
    pub fn new(shard: ShardId) -> Self {
        Self {
            shard,
            clock: Clock::default(),
            events: BTreeMap::new(),
            rooms: BTreeMap::new(),
            seats: SeatTable::default(),
            tickets: TicketTable::default(),
            orders: Slab::default(),
            closed: ClosedOrders::default(),
            buyers: Buyers::default(),
            payments: Payments::default(),
            outboxes: Outboxes::default(),
            inboxes: Inboxes::default(),
            due: DueIndex::default(),
            journal: Journal::default(),
            applied: 0,
        }
    }

    /// Applies one command. The same commands with the same stamps give the same outcomes and the
    /// same state, everywhere and always.
    pub fn apply(&mut self, stamp: Stamp, command: &Command) -> Outcome {
        let before = self.clock.now;
        let now = self.clock.advance(stamp.at);
        self.forget_old_orders(now);
        let mark = self.journal.mark();
        let outcome = match command {
            Command::InstallEvent(plan) => self.install_event(plan, now),
            Command::SetRules {
                event,
                version,
                rules,
            } => self.set_rules(*event, *version, rules, now),
            Command::JoinQueue { event, buyers } => self.join_queue(*event, buyers, now),
            Command::OpenOrder(open) => self.open_order(open, now),
            Command::HoldLeg(hold) => self.hold_leg(hold, now),
            Command::RecordHeld { order, legs } => self.record_held(*order, legs, now),
            Command::CloseOrder { order, buyer, why } => {
                self.close_order(*order, *buyer, *why, now)
            }
            Command::StartPayment {
                order,
                buyer,
                method,
            } => self.start_payment(*order, *buyer, method, now),
            Command::RecordPayment {
                order,
                step,
                attempt,
                result,
            } => self.record_payment(*order, *step, *attempt, result, now),
            Command::StartRefund { order } => self.start_refund(*order, now),
            Command::Deliver {
                from,
                first,
                messages,
            } => self.deliver(*from, *first, messages, now),
            Command::Acknowledge { to, through } => self.outboxes.acknowledge(*to, *through),
            Command::Tick => self.tick(now),
            Command::ExtendHolds => self.extend_holds(before, now),
        };
        match outcome {
            Ok(_) => self.journal.settle(&mut self.seats),
            // A rejection changed nothing, so nothing happened.
            Err(_) => self.journal.rewind(mark, &mut self.seats),
        }
        self.applied += 1;
        if cfg!(debug_assertions) {
            self.check_now_and_then();
        }
        outcome
    }

    fn forget_old_orders(&mut self, now: Timestamp) {
        let payments = &mut self.payments;
        self.closed.forget_old(now, |closed| {
            for attempt in 1..=closed.attempts {
                payments.forget_settled(AttemptKey {
                    order: closed.id,
                    attempt,
                });
            }
        });
    }

    /// When a `Tick` is next worth proposing. While holds are live that is never later than the
    /// clock's next beat, so that a longer gap in the clock tells of an outage.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.due.next()?;
        let holds_live = self
            .due
            .iter()
            .any(|(_, due)| matches!(due, Due::Order(_) | Due::Leg(_)));
        Some(if holds_live {
            due.min(self.clock.now.plus_ms(CLOCK_BEAT_MS))
        } else {
            due
        })
    }

    /// Which shard this is.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// What time it is for every decision.
    pub fn now(&self) -> Timestamp {
        self.clock.now
    }

    /// An event known here.
    pub fn event(&self, event: EventId) -> Option<&EventState> {
        self.events.get(&event)
    }

    /// All events known here, by id.
    pub fn events(&self) -> impl Iterator<Item = &EventState> + '_ {
        self.events.values()
    }

    /// An order that is not over.
    pub fn order(&self, order: OrderId) -> Option<&Order> {
        self.orders.get(&order)
    }

    /// An order that is over, while it is remembered.
    pub fn closed_order(&self, order: OrderId) -> Option<&ClosedOrder> {
        self.closed.get(order)
    }

    /// Orders that are over and remembered, oldest first.
    pub fn closed_orders(&self) -> impl Iterator<Item = &ClosedOrder> + '_ {
        self.closed.iter()
    }

    /// Orders that are not over, by id. Costs a sort.
    pub fn orders(&self) -> Vec<&Order> {
        self.orders.sorted()
    }

    /// What is remembered of a person at an event whose orders live here.
    pub fn buyer(&self, event: EventId, buyer: BuyerId) -> Buyer {
        self.buyers.get(BuyerKey { event, buyer })
    }

    /// A try to pay.
    pub fn attempt(&self, order: OrderId, attempt: u8) -> Option<&Attempt> {
        self.payments.get(AttemptKey { order, attempt })
    }

    /// The seats of this shard.
    pub fn seats(&self) -> &SeatTable {
        &self.seats
    }

    /// The tickets of this shard's seats.
    pub fn tickets(&self) -> Tickets<'_> {
        Tickets {
            table: &self.tickets,
            seats: &self.seats,
        }
    }

    /// An event's waiting room, if it is kept here.
    pub fn room(&self, event: EventId) -> Option<&Room> {
        self.rooms.get(&event)
    }

    /// Messages owed to one shard.
    pub fn outbox(&self, to: ShardId) -> Option<&Outbox> {
        self.outboxes.get(to)
    }

    /// Messages owed to each shard, this one included; empty boxes too.
    pub fn outboxes(&self) -> impl Iterator<Item = (ShardId, &Outbox)> + '_ {
        self.outboxes.iter()
    }

    /// Number of the last message applied from a shard; 0 before the first.
    pub fn received_through(&self, from: ShardId) -> u64 {
        self.inboxes.last(from)
    }

    /// Places of an event in this shard, by state.
    pub fn counts(&self, event: EventId) -> Counts {
        self.seats.counts(event)
    }

    /// How much this shard keeps, for metrics.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            events: self.events.len(),
            legs: self.seats.legs_count(),
            tickets: self.tickets().len(),
            orders: self.orders.len(),
            orders_closed: self.closed.len(),
            buyers: self.buyers.len(),
            payments: self.payments.len(),
            messages: self.outboxes.iter().map(|(_, outbox)| outbox.len()).sum(),
            deadlines: self.due.len(),
        }
    }

    /// Commands applied since the beginning, through snapshots.
    pub fn applied(&self) -> u64 {
        self.applied
    }
}
