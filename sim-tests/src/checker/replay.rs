//! The committed log, told again: applied to fresh ledgers, entry by entry, it has to say what was
//! said then and to lead where it led then; and it has to do so although the ledger is taken
//! through a snapshot now and then.

use std::collections::{BTreeMap, BTreeSet};

use ledger::change::Change;
use ledger::command::CloseReason;
use ledger::message::Message;
use ledger::outcome::{OrderPhase, Places};
use ledger::seats::{Counts, SeatStatus};
use ledger::tickets::TicketState;
use ledger::{Command, EventId, Ledger, OrderId, SeatNo, SectionKey, ShardId, Timestamp};
use probes::Mark;

use super::course::{Act, BuyerCount, DrawnView, Entry, RoomView, SectionCount};
use crate::logbook::{GroupLog, Logged};

/// A ledger goes through a snapshot after every so many entries.
const SNAPSHOT_EVERY: u64 = 61;

/// What came of it.
#[derive(Default)]
pub struct Replayed {
    /// Every entry and what it did.
    pub trail: Vec<Entry>,
    /// Waiting rooms at the end.
    pub rooms: Vec<RoomView>,
    /// Outcomes that are not what was told.
    pub retold: Vec<String>,
    /// States that are not what a replica had.
    pub replayed: Vec<String>,
}

/// Tells the logs of all shards again.
pub fn replay(logs: &BTreeMap<ShardId, GroupLog>) -> Replayed {
    let mut replayed = Replayed::default();
    for (shard, log) in logs {
        let mut teller = Teller {
            shard: *shard,
            ledger: fresh(Ledger::new(*shard)),
            into: &mut replayed,
            term_of: BTreeMap::new(),
            term: 0,
            revisions: BTreeMap::new(),
            given_up: BTreeMap::new(),
            first_join: None,
        };
        for (index, logged) in log {
            teller.tell(*index, logged);
        }
        teller.rooms();
    }
    replayed
}

fn fresh(mut ledger: Ledger) -> Ledger {
    ledger.keep_changes(true);
    ledger
}

struct Teller<'a> {
    shard: ShardId,
    ledger: Ledger,
    into: &'a mut Replayed,
    /// In which term an order was opened first.
    term_of: BTreeMap<OrderId, u64>,
    term: u64,
    /// The newest of every section.
    revisions: BTreeMap<SectionKey, u64>,
    first_join: Option<u64>,
    /// How a seat came free last.
    given_up: BTreeMap<(SectionKey, SeatNo), GivenUp>,
}

/// How a seat that somebody had came free.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GivenUp {
    /// A hold's time was over.
    Expired,
    /// The money went back.
    Refunded,
}

impl Teller<'_> {
    fn tell(&mut self, index: u64, logged: &Logged) {
        let Some((stamp, batch)) = &logged.batch else {
            return;
        };
        self.look_at_term(logged.term);
        let at = Timestamp(stamp.at_ms);
        let mut acts = Vec::with_capacity(batch.len());
        for (number, bytes) in batch.iter().enumerate() {
            let Ok(command) = proto::decode_command(bytes) else {
                let found = format!("shard {} entry {index}: unreadable", self.shard);
                self.into.retold.push(found);
                continue;
            };
            let stamp = ledger::Stamp {
                at,
                draw: stamp.draw,
            };
            let outcome = probes::uncounted(|| self.ledger.apply(stamp, &command));
            let told = logged.told.as_ref().and_then(|told| told.get(number));
            if let Some(told) = told.filter(|told| **told != proto::encode_outcome(&outcome)) {
                let told = proto::decode_outcome(told);
                self.into.retold.push(format!(
                    "shard {} entry {index}: {command:?} was told {told:?}, and is {outcome:?}",
                    self.shard
                ));
            }
            let facts: Vec<_> = self.ledger.take_changes().collect();
            acts.push(self.act(command, outcome, facts));
        }
        self.look_at_marks(&acts);
        let digest = logged
            .digest
            .filter(|digest| *digest != self.ledger.digest());
        if digest.is_some() {
            self.into.replayed.push(format!(
                "shard {}: a replica differs from the log after entry {index}",
                self.shard
            ));
        }
        let entry = Entry {
            shard: self.shard,
            index,
            term: logged.term,
            at,
            clock: self.ledger.now(),
            proposed_at: logged.proposed_at,
            applied_at: logged.applied_at,
            sections: self.sections(&acts),
            buyers: self.buyers(&acts),
            acts,
        };
        self.into.trail.push(entry);
        if index.is_multiple_of(SNAPSHOT_EVERY) {
            self.through_a_snapshot(index);
        }
    }

    fn act(&self, command: Command, outcome: ledger::Outcome, facts: Vec<Change>) -> Act {
        let generation = |fact: &Change| match fact {
            Change::SeatsHeld(moved) => {
                let leg = self.ledger.seats().leg(moved.leg)?;
                Some((moved.leg, leg.generation))
            }
            _ => None,
        };
        let mut pins = Vec::new();
        if let (Command::Deliver { messages, .. }, true) = (&command, outcome.is_ok()) {
            for message in messages {
                if let Message::Pin { leg, generation } = message {
                    pins.push((*leg, *generation));
                }
            }
        }
        Act {
            holds: facts.iter().filter_map(generation).collect(),
            pins,
            command,
            outcome,
            facts,
        }
    }

    /// Sections that an entry touched: also those whose places moved and moved back, of which no
    /// fact is left but a later revision.
    fn sections(&mut self, acts: &[Act]) -> Vec<SectionCount> {
        let facts = acts.iter().flat_map(|act| &act.facts);
        let moved = facts.filter_map(|fact| fact.moved().map(|moved| moved.section));
        let mut touched: BTreeSet<SectionKey> = moved.collect();
        if acts
            .iter()
            .any(|act| matches!(act.command, Command::InstallEvent(_)))
        {
            for event in self.ledger.seats().events() {
                touched.extend(
                    self.ledger
                        .seats()
                        .sections(event)
                        .map(|section| section.key()),
                );
            }
        }
        for event in self.ledger.seats().events() {
            for section in self.ledger.seats().sections(event) {
                let (key, revision) = (section.key(), section.revision());
                if self.revisions.insert(key, revision) != Some(revision) {
                    touched.insert(key);
                }
            }
        }
        touched
            .into_iter()
            .filter_map(|key| self.count(key))
            .collect()
    }

    fn count(&self, key: SectionKey) -> Option<SectionCount> {
        let mut sections = self.ledger.seats().sections(key.event);
        let section = sections.find(|section| section.key() == key)?;
        let plan = self.ledger.event(key.event)?.plan.section(key.section)?;
        let mut seats = Counts::default();
        for status in section.states() {
            *match status {
                SeatStatus::Available => &mut seats.available,
                SeatStatus::Held => &mut seats.held,
                SeatStatus::Pinned => &mut seats.pinned,
                SeatStatus::Sold => &mut seats.sold,
                SeatStatus::Blocked => &mut seats.blocked,
            } += 1;
        }
        let tickets = self.ledger.tickets().sorted();
        let valid = tickets
            .iter()
            .filter(|ticket| ticket.section == key && ticket.state == TicketState::Valid);
        Some(SectionCount {
            key,
            capacity: plan.layout.capacity(),
            counts: section.counts(),
            by_seat: (seats.capacity() > 0).then_some(seats),
            tickets: valid.count() as u32,
            revision: section.revision(),
        })
    }

    fn buyers(&self, acts: &[Act]) -> Vec<BuyerCount> {
        let facts = acts.iter().flat_map(|act| &act.facts);
        let turned = facts.filter_map(|fact| fact.order());
        let touched: BTreeSet<_> = turned.map(|order| (order.event, order.buyer)).collect();
        if touched.is_empty() {
            return Vec::new();
        }
        let orders = self.ledger.orders();
        let count = |(event, buyer): (EventId, ledger::BuyerId)| {
            let rules = &self.ledger.event(event)?.plan.rules;
            let own = orders.iter().filter(|order| {
                let refunded =
                    matches!(order.phase(), OrderPhase::Refunding | OrderPhase::Refunded);
                (order.event, order.buyer) == (event, buyer) && !refunded
            });
            let places: Vec<u32> = own.map(|order| u32::from(order.places())).collect();
            Some(BuyerCount {
                event,
                buyer,
                kept: self.ledger.buyer(event, buyer).places.into(),
                of_orders: places.iter().sum(),
                max: rules.buyer_seats_max.into(),
                largest: places.iter().copied().max().unwrap_or(0),
                order_max: rules.order_seats_max.into(),
                session: self
                    .ledger
                    .buyer(event, buyer)
                    .session
                    .map(|pass| pass.index),
            })
        };
        touched.into_iter().filter_map(count).collect()
    }

    fn through_a_snapshot(&mut self, index: u64) {
        let before = self.ledger.digest();
        match proto::snapshot::restore(self.shard, &proto::snapshot::save(&self.ledger)) {
            Ok(restored) => self.ledger = fresh(restored),
            Err((part, error)) => self.into.replayed.push(format!(
                "shard {}: part {part} of a snapshot of entry {index}: {error}",
                self.shard
            )),
        }
        if self.ledger.digest() != before {
            self.into.replayed.push(format!(
                "shard {}: a snapshot of entry {index} is not what it was taken of",
                self.shard
            ));
        }
    }

    fn rooms(&mut self) {
        for event in self.ledger.events() {
            let rules = &event.plan.rules;
            let Some((room, queue)) = self.ledger.room(event.plan.event).zip(rules.queue.as_ref())
            else {
                continue;
            };
            let drawn = room.drawn().map(|drawn| DrawnView {
                people: drawn.people,
                root: drawn.root,
                beacon: drawn.beacon.clone(),
                seed: drawn.seed,
                positions: (0..drawn.people)
                    .map(|index| drawn.position(index).unwrap_or(u64::MAX))
                    .collect(),
            });
            self.into.rooms.push(RoomView {
                event: event.plan.event,
                shard: self.shard,
                roster: room.roster().to_vec(),
                secret: queue.secret,
                drawn,
            });
        }
    }

    /// Rare things that only the whole log shows.
    fn look_at_term(&mut self, term: u64) {
        if term == self.term {
            return;
        }
        let mut legs = self.ledger.seats().legs().into_iter();
        if self.term > 0 && legs.any(|leg| leg.state == ledger::seats::LegState::Pinned) {
            probes::reached(Mark::LeaderChangedWhilePinned);
        }
        self.term = term;
    }

    /// Seats that are wanted again.
    fn look_at_seats(&mut self, command: &Command, fact: &Change) {
        let Some(moved) = fact.moved() else { return };
        let Places::Seats(seats) = &moved.places else {
            return;
        };
        for seat in seats.as_slice() {
            let seat = (moved.section, *seat);
            match fact {
                Change::SeatsFreed(_) if matches!(command, Command::Tick) => {
                    self.given_up.insert(seat, GivenUp::Expired);
                }
                Change::SaleRevoked(_) => {
                    self.given_up.insert(seat, GivenUp::Refunded);
                }
                Change::SeatsHeld(_) if self.given_up.get(&seat) == Some(&GivenUp::Expired) => {
                    self.given_up.remove(&seat);
                    probes::reached(Mark::SeatHeldAfterExpiry);
                }
                Change::SeatsSold(_) if self.given_up.remove(&seat) == Some(GivenUp::Refunded) => {
                    probes::reached(Mark::SeatSoldAfterRefund);
                }
                _ => {}
            }
        }
    }

    fn look_at_marks(&mut self, acts: &[Act]) {
        let mut expired = false;
        for act in acts {
            match &act.command {
                Command::OpenOrder(open) => {
                    let first = *self.term_of.entry(open.order).or_insert(self.term);
                    if first != self.term {
                        probes::reached(Mark::RepeatedAfterFailover);
                    }
                }
                Command::JoinQueue { .. } => {
                    self.first_join.get_or_insert(self.term);
                }
                _ => {}
            }
            for fact in &act.facts {
                self.look_at_seats(&act.command, fact);
                match fact {
                    Change::OrderClosed {
                        why: CloseReason::Expired,
                        ..
                    } => expired = true,
                    Change::OrderCommitted { .. } if expired => {
                        probes::reached(Mark::ExpiryThenSale);
                    }
                    Change::QueueDrawn { .. }
                        if self.first_join.is_some_and(|term| term != self.term) =>
                    {
                        probes::reached(Mark::DrawAfterFailover);
                    }
                    _ => {}
                }
            }
        }
    }
}
