//! A waiting room: joining, the draw's moment, and what it says of itself.
//!
//! A place never gets worse: an index is for ever, a position is fixed by the draw (or, after it,
//! by the index), and the cursor only grows.

use probes::Bug;

use super::admission::{Admission, Terms};
use super::draw::{self, Permutation};
use super::merkle::Hash;
use super::roster::Roster;
use crate::event::{EventPlan, EventRules, Layout, Sale};
use crate::ids::*;
use crate::limits::{JOINS_PER_COMMAND_MAX, LOBBY_MAX};
use crate::outcome::Rejection;
use crate::seats::Stock;

/// The waiting room of one event. Its rules are handed in: the event's plan owns them.
#[derive(Clone, Debug)]
pub struct Room {
    pub(super) event: EventId,
    pub(super) roster: Roster,
    pub(super) draw: Option<Drawn>,
    pub(super) admission: Admission,
    /// What each shard said it has left, by shard.
    pub(super) stock: Vec<(ShardId, Stock)>,
}

/// A draw that has been held.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// When.
    pub at: Timestamp,
    /// How many people took part: the first so many of the roster.
    pub people: u64,
    /// Root of the roster's Merkle tree.
    pub root: Hash,
    /// The beacon value that went in.
    pub beacon: Vec<u8>,
    /// What came out.
    pub seed: Hash,
    pub(super) permutation: Permutation,
}

impl Drawn {
    /// The position of a roster index that took part.
    pub fn position(&self, index: u64) -> Option<u64> {
        if probes::planted(Bug::PositionByArrival) {
            return (index < self.people).then_some(index);
        }
        self.permutation.position(index)
    }

    /// The roster index at a position of the draw.
    pub fn index(&self, position: u64) -> Option<u64> {
        self.permutation.index(position)
    }
}

/// What a waiting room is doing, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomState {
    /// People gather; the draw is to come.
    Lobby,
    /// The cursor moves.
    Open,
    /// The organizer has stopped the sale for the moment.
    Paused,
    /// Everything is sold. It opens again by itself if a refund frees a place.
    SoldOut,
    /// The sale is over.
    Closed,
}

/// What anybody may know of a waiting room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomStatus {
    /// What it is doing.
    pub state: RoomState,
    /// People who have joined.
    pub joined: u64,
    /// Positions below it have been admitted.
    pub cursor: u64,
    /// People admitted a minute.
    pub admit_per_minute: u32,
    /// Places for sale, as the shards told.
    pub available: u64,
    /// Places held or being paid, which may come back.
    pub held: u64,
    /// SHA-256 of the secret, known from the start.
    pub commitment: Hash,
    /// The secret, once the draw is done.
    pub secret: Option<[u8; 32]>,
    /// People in the draw, once it is done.
    pub people: Option<u64>,
    /// Root of the roster, once the draw is done.
    pub root: Option<Hash>,
    /// The draw's seed, once it is done.
    pub seed: Option<Hash>,
}

/// What shows a person that they were in the draw, and where they had to come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Their index in the roster.
    pub index: u64,
    /// Their position.
    pub position: u64,
    /// Sibling hashes from their leaf up to the root.
    pub path: Vec<Hash>,
}

impl Room {
    /// An empty room, which takes everything the event has to be for sale.
    pub fn new(plan: &EventPlan) -> Self {
        let mut stock: Vec<(ShardId, Stock)> = Vec::new();
        for section in &plan.sections {
            let blocked = match &section.layout {
                Layout::Seated { blocked, .. } => blocked.len() as u32,
                Layout::Standing { .. } => 0,
            };
            let places = section.layout.capacity() - blocked;
            match stock.binary_search_by_key(&section.shard, |(shard, _)| *shard) {
                Ok(at) => stock[at].1.available += places,
                Err(at) => stock.insert(
                    at,
                    (
                        section.shard,
                        Stock {
                            available: places,
                            held: 0,
                        },
                    ),
                ),
            }
        }
        Self {
            event: plan.event,
            roster: Roster::default(),
            draw: None,
            admission: Admission::default(),
            stock,
        }
    }

    /// Puts people in, all or none. Somebody who is in keeps their index, whatever the state.
    pub fn join(&mut self, rules: &EventRules, buyers: &[BuyerId]) -> Result<Vec<u64>, Rejection> {
        if buyers.len() > JOINS_PER_COMMAND_MAX {
            return Err(Rejection::Malformed);
        }
        let new = buyers
            .iter()
            .filter(|buyer| self.roster.index_of(**buyer).is_none())
            .count();
        if new < buyers.len() {
            probes::reached(probes::Mark::JoinedAgain);
        }
        if new > 0 {
            if matches!(self.state(rules), RoomState::Closed | RoomState::SoldOut) {
                probes::reached(probes::Mark::RoomTakesNobody);
                return Err(Rejection::QueueClosed);
            }
            if self.draw.is_some() {
                probes::reached(probes::Mark::JoinedAfterDraw);
            }
            if self.roster.len() + new as u64 > LOBBY_MAX {
                return Err(Rejection::QueueFull);
            }
        }
        Ok(buyers
            .iter()
            .map(|buyer| self.roster.join(*buyer))
            .collect())
    }

    /// `Due::Room` has come: holds the draw if the sale has opened, and moves the cursor. How many
    /// people were admitted.
    pub fn turn(&mut self, rules: &EventRules, now: Timestamp) -> u64 {
        if !opened(rules, now) {
            return 0;
        }
        if self.draw.is_none() {
            self.hold_draw(rules, now);
        }
        self.admission.step(self.terms(rules), now)
    }

    /// When [`Room::turn`] is to be called next; to be asked again after every change.
    pub fn next_due(&self, rules: &EventRules, now: Timestamp) -> Option<Timestamp> {
        match rules.sale {
            _ if rules.queue.is_none() => None,
            Sale::Paused | Sale::Closed => None,
            Sale::Scheduled if now < rules.opens_at => Some(rules.opens_at),
            Sale::Scheduled | Sale::Open if self.draw.is_none() => Some(now),
            Sale::Scheduled | Sale::Open => self.admission.next_step(self.terms(rules), now),
        }
    }

    /// A shard tells what it has left of the event.
    pub fn stock_told(&mut self, from: ShardId, stock: Stock) {
        if let Ok(at) = self.stock.binary_search_by_key(&from, |(shard, _)| *shard) {
            self.stock[at].1 = stock;
        }
    }

    /// The show.
    pub fn event(&self) -> EventId {
        self.event
    }

    /// What it is doing.
    pub fn state(&self, rules: &EventRules) -> RoomState {
        let left = self
            .stock
            .iter()
            .any(|(_, stock)| stock.available > 0 || stock.held > 0);
        match rules.sale {
            Sale::Closed => RoomState::Closed,
            _ if !left => RoomState::SoldOut,
            Sale::Paused => RoomState::Paused,
            Sale::Scheduled | Sale::Open if self.draw.is_none() => RoomState::Lobby,
            Sale::Scheduled | Sale::Open => RoomState::Open,
        }
    }

    /// What anybody may know of it.
    pub fn status(&self, rules: &EventRules) -> RoomStatus {
        let draw = self.draw.as_ref();
        let secret = rules
            .queue
            .as_ref()
            .map(|queue| queue.secret)
            .unwrap_or_default();
        RoomStatus {
            state: self.state(rules),
            joined: self.joined(),
            cursor: self.cursor(),
            admit_per_minute: rules
                .queue
                .as_ref()
                .map_or(0, |queue| queue.admit_per_minute),
            available: self.available(),
            held: self
                .stock
                .iter()
                .map(|(_, stock)| u64::from(stock.held))
                .sum(),
            commitment: draw::commitment(&secret),
            secret: draw.map(|_| secret),
            people: draw.map(|draw| draw.people),
            root: draw.map(|draw| draw.root),
            seed: draw.map(|draw| draw.seed),
        }
    }

    /// How many people have joined.
    pub fn joined(&self) -> u64 {
        self.roster.len()
    }

    /// Positions below it have been admitted. Only grows.
    pub fn cursor(&self) -> u64 {
        self.admission.cursor
    }

    /// Everybody, by index.
    pub fn roster(&self) -> &[BuyerId] {
        self.roster.people()
    }

    /// The index of a person who has joined.
    pub fn index_of(&self, buyer: BuyerId) -> Option<u64> {
        self.roster.index_of(buyer)
    }

    /// The position of an index: unknown before the draw; drawn for those who took part; the
    /// index itself for those who came later.
    pub fn position(&self, index: u64) -> Option<u64> {
        let draw = self.draw.as_ref()?;
        if index < draw.people {
            return draw.permutation.position(index);
        }
        (index < self.joined()).then_some(index)
    }

    /// When a position was admitted, `None` while it waits. For one admitted longer ago than a
    /// pass lasts it may be a later moment that is longer ago than a pass lasts too.
    pub fn reached(&self, position: u64) -> Option<Timestamp> {
        if position >= self.cursor() {
            return None;
        }
        self.admission.reached(position)
    }

    /// The draw, once it is done.
    pub fn drawn(&self) -> Option<&Drawn> {
        self.draw.as_ref()
    }

    /// A person's proof that they were in the draw; `None` before it, and for those who came
    /// after it.
    pub fn proof(&self, index: u64) -> Option<Proof> {
        let draw = self.draw.as_ref()?;
        let position = draw.permutation.position(index)?;
        let path = self.roster.proof(index, draw.people)?;
        Some(Proof {
            index,
            position,
            path,
        })
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.roster.heap_bytes()
            + self.admission.marks.capacity() * size_of::<super::Mark>()
            + self.stock.capacity() * size_of::<(ShardId, Stock)>()
    }

    fn hold_draw(&mut self, rules: &EventRules, now: Timestamp) {
        let Some(queue) = &rules.queue else { return };
        let (people, root) = (self.roster.len(), self.roster.root());
        let secret = match probes::planted(Bug::DrawIgnoresSecret) {
            true => &[0; 32],
            false => &queue.secret,
        };
        let seed = draw::seed(secret, &root, people, &queue.beacon);
        let permutation = Permutation::new(&seed, people);
        let beacon = queue.beacon.clone();
        self.draw = Some(Drawn {
            at: now,
            people,
            root,
            beacon,
            seed,
            permutation,
        });
        self.admission.open(now, self.available());
    }

    fn available(&self) -> u64 {
        self.stock
            .iter()
            .map(|(_, stock)| u64::from(stock.available))
            .sum()
    }

    fn terms(&self, rules: &EventRules) -> Terms {
        Terms {
            rate: rules
                .queue
                .as_ref()
                .map_or(0, |queue| u64::from(queue.admit_per_minute)),
            joined: self.joined(),
            available: self.available(),
            hold_ms: rules.hold_ms,
        }
    }
}

/// Whether the sale is running.
fn opened(rules: &EventRules, now: Timestamp) -> bool {
    match rules.sale {
        Sale::Scheduled => now >= rules.opens_at,
        Sale::Open => true,
        Sale::Paused | Sale::Closed => false,
    }
}
