//! The course of a run: what was asked and answered, and what the log says happened in between.
//! Plain data, so that a checker can be shown a course by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use api::text::parse_order;
use ledger::change::Change;
use ledger::seats::Counts;
use ledger::{
    BuyerId, Command, EventId, Generation, LegKey, OrderId, Outcome, SectionKey, ShardId, Timestamp,
};

use crate::history::{Op, Trespass, Yes};

/// See the module.
#[derive(Default)]
pub struct Course {
    /// Every request and its answer.
    pub ops: Vec<Op>,
    /// Every "yes" a client got, in order.
    pub yes: Vec<Yes>,
    /// What was tried that must not be granted.
    pub trespasses: Vec<Trespass>,
    /// The committed log and what it did, by shard and index; empty where nobody could watch it.
    pub trail: Vec<Entry>,
    /// Waiting rooms as they were at the end.
    pub rooms: Vec<RoomView>,
    /// Names of sections, by number, of the event on sale.
    pub sections: Vec<String>,
    /// What consensus did that it must not.
    pub unsafe_acts: Vec<String>,
    /// Where replicas differed at one index.
    pub disagreements: Vec<String>,
    /// Where the log, replayed, did not say what was said.
    pub retold: Vec<String>,
    /// Where the log, replayed through snapshots, did not lead where it had led.
    pub replayed: Vec<String>,
    /// The wall clock when the run began, in ms.
    pub epoch_ms: u64,
    /// How far any node's wall clock may be off.
    pub clock_error_ms: u64,
    /// When the last fault had ended, if it has.
    pub healed_at: Option<Duration>,
    /// When this was gathered.
    pub ended_at: Duration,
}

impl Course {
    /// A moment of the run on the wall clock, in ms.
    pub fn wall_ms(&self, at: Duration) -> u64 {
        self.epoch_ms + at.as_millis() as u64
    }

    /// All facts, with their entries.
    pub fn facts(&self) -> impl Iterator<Item = (&Entry, &Change)> {
        self.trail.iter().flat_map(|entry| {
            let facts = entry.acts.iter().flat_map(|act| &act.facts);
            facts.map(move |fact| (entry, fact))
        })
    }

    /// All entries in the order in which they were first applied.
    pub fn by_time(&self) -> Vec<&Entry> {
        let mut all: Vec<_> = self.trail.iter().collect();
        all.sort_by_key(|entry| (entry.applied_at, entry.shard, entry.index));
        all
    }

    /// Requests, by (who, key or path): a request and its repeats.
    pub fn requests(&self, wanted: impl Fn(&Op) -> bool) -> BTreeMap<(&str, &str, &str), Vec<&Op>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for op in self.ops.iter().filter(|op| wanted(op)) {
            let key = op.key.as_deref().unwrap_or_default();
            all.entry((op.who.as_str(), key, op.path.as_str()))
                .or_default()
                .push(op);
        }
        all
    }
}

/// A committed entry and what it did.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose log.
    pub shard: ShardId,
    /// Where in it.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Its stamp.
    pub at: Timestamp,
    /// The ledger's clock after it.
    pub clock: Timestamp,
    /// When its leader closed it, if that was seen.
    pub proposed_at: Option<Duration>,
    /// When the first replica applied it.
    pub applied_at: Duration,
    /// Its commands.
    pub acts: Vec<Act>,
    /// Sections it touched, after it.
    pub sections: Vec<SectionCount>,
    /// People it touched, after it.
    pub buyers: Vec<BuyerCount>,
}

/// A command and what it did.
#[derive(Clone, Debug)]
pub struct Act {
    /// The command.
    pub command: Command,
    /// What the ledger answers.
    pub outcome: Outcome,
    /// What changed.
    pub facts: Vec<Change>,
    /// Holds it made, with their numbers.
    pub holds: Vec<(LegKey, Generation)>,
    /// Holds that its pins named.
    pub pins: Vec<(LegKey, Generation)>,
}

/// A section after an entry.
#[derive(Clone, Debug)]
pub struct SectionCount {
    /// Which.
    pub key: SectionKey,
    /// All its places.
    pub capacity: u32,
    /// Places by state, as the ledger counts them.
    pub counts: Counts,
    /// The same, counted seat by seat; `None` for standing.
    pub by_seat: Option<Counts>,
    /// Valid tickets.
    pub tickets: u32,
    /// Its revision.
    pub revision: u64,
}

/// A person after an entry.
#[derive(Clone, Debug)]
pub struct BuyerCount {
    /// The event.
    pub event: EventId,
    /// Who.
    pub buyer: BuyerId,
    /// What the ledger thinks they have.
    pub kept: u32,
    /// What their orders in this shard add up to.
    pub of_orders: u32,
    /// What the event allows one person.
    pub max: u32,
    /// Their largest order.
    pub largest: u32,
    /// What the event allows one order.
    pub order_max: u32,
    /// Index of the pass their session was opened with.
    pub session: Option<u64>,
}

/// A waiting room.
#[derive(Clone, Debug)]
pub struct RoomView {
    /// The event.
    pub event: EventId,
    /// Where it is kept.
    pub shard: ShardId,
    /// Everybody, by index.
    pub roster: Vec<BuyerId>,
    /// The secret behind the draw.
    pub secret: [u8; 32],
    /// The draw, once held.
    pub drawn: Option<DrawnView>,
}

/// A draw.
#[derive(Clone, Debug)]
pub struct DrawnView {
    /// How many people took part.
    pub people: u64,
    /// Root of the roster.
    pub root: [u8; 32],
    /// The public value that went in.
    pub beacon: Vec<u8>,
    /// What came out.
    pub seed: [u8; 32],
    /// Positions by index, of those who took part.
    pub positions: Vec<u64>,
}

impl RoomView {
    /// The position of an index: drawn, or after the draw by arrival.
    pub fn position(&self, index: u64) -> Option<u64> {
        let drawn = self.drawn.as_ref()?;
        match drawn.positions.get(index as usize) {
            Some(position) => Some(*position),
            None => (index < self.roster.len() as u64).then_some(index),
        }
    }
}

/// The order a path like `/api/v1/orders/{id}/...` names.
pub fn order_in(path: &str) -> Option<OrderId> {
    let rest = path.strip_prefix("/api/v1/orders/")?;
    parse_order(rest.split(['/', '?']).next()?)
}
