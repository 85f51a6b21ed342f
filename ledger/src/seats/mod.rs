//! The seats of a shard: who has which, and nothing about why (P1).
//!
//! Every place of a section is in one state, moved only here, on behalf of a *leg*: the part of
//! an order that lies in one section. A leg has its places all or not at all. Each hold gets a new
//! generation, and a pin must name it, so a late word about an old hold moves nothing.
//!
//! | file | what |
//! |---|---|
//! | `seat.rs` | one seat and its legal moves |
//! | `section.rs` | places of a section, their counts and revision |
//! | `rows.rs` | which seats are free, as bits |
//! | `legs.rs` | the legs and how they are found |
//! | `ended.rs` | legs that may not come back |
//! | `holds.rs` | hold, pin, sell, release |
//! | `best_available.rs`, `scattered.rs` | choosing seats |
//! | `stock.rs` | telling the waiting room what is left |
//! | `saved.rs` | the digest, and snapshots |
//!
//! Left to others: whose turn it is, allowances, money. A clock ends holds for orders decided
//! elsewhere (`Due::Leg`); the order's own deadline ends those decided in this shard.

mod best_available;
mod ended;
mod holds;
mod legs;
mod rows;
mod saved;
mod scattered;
mod seat;
mod section;
mod stock;
#[cfg(test)]
mod tests;

use crate::change::Change;
use crate::event::{EventPlan, EventRules};
use crate::ids::*;
use crate::outcome::{HeldLeg, Places};
use crate::slab::Keyed;
use crate::table::Table;
use ended::Ended;
pub use legs::LegState;
use legs::{Legs, Record};
pub use saved::{SavedEnded, SavedEvent};
pub use seat::SeatStatus;
pub use section::{Counts, Section, Shape};
pub use stock::Stock;
use stock::StockWatch;

/// All sections of a shard and the legs that have places in them.
#[derive(Clone, Debug, Default)]
pub struct SeatTable {
    shows: Vec<Show>,
    show_of: Table<EventId, u32>,
    sections: Vec<Section>,
    legs: Legs,
    ended: Ended,
    generation: Generation,
    /// The longest hold of any event here: how late a `HoldLeg` may come.
    hold_ms_longest: u64,
    /// Moves that the ledger's journal has not taken over yet.
    pub(crate) moved: Vec<Change>,
}

/// What this shard has of an event.
#[derive(Clone, Debug)]
struct Show {
    event: EventId,
    shard: ShardId,
    /// By section number: its place in `SeatTable::sections`, or [`ELSEWHERE`].
    sections: Vec<u32>,
    counts: Counts,
    stock: StockWatch,
}

/// Marks a section owned by another shard.
const ELSEWHERE: u32 = u32::MAX;

impl Show {
    fn section(&self, section: SectionNo) -> Option<u32> {
        self.sections
            .get(usize::from(section.0))
            .copied()
            .filter(|at| *at != ELSEWHERE)
    }
}

/// A leg that holds, pins or has sold places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The order and which leg of it.
    pub key: LegKey,
    /// The show.
    pub event: EventId,
    /// Whose it is.
    pub buyer: BuyerId,
    /// The section.
    pub section: SectionNo,
    /// The places.
    pub places: Places,
    /// Price of one place, minor units.
    pub price_each: u64,
    /// Number of the hold.
    pub generation: Generation,
    /// When the hold ends, while it is one.
    pub until: Timestamp,
    /// How firmly it has its places.
    pub state: LegState,
    /// Whether this shard's clock ends it (its order is decided elsewhere).
    pub expires_here: bool,
    /// Fingerprint of what was asked.
    pub content: u32,
}

impl Leg {
    /// What was answered when it was held.
    pub fn held(&self) -> HeldLeg {
        HeldLeg {
            leg: self.key.leg,
            section: self.section,
            places: self.places,
            generation: self.generation,
            price_each: self.price_each,
        }
    }
}

impl SeatTable {
    /// Creates this shard's sections of an event, once.
    pub fn install(&mut self, plan: &EventPlan, shard: ShardId) {
        self.set_rules(plan.event, &plan.rules);
        if self.show_of.contains(&plan.event) {
            return;
        }
        let show = self.shows.len() as u32;
        let mut counts = Counts::default();
        let mut sections = vec![ELSEWHERE; plan.sections.len()];
        for (number, section) in plan.sections.iter().enumerate() {
            if section.shard == shard {
                let key = SectionKey {
                    event: plan.event,
                    section: SectionNo(number as u16),
                };
                sections[number] = self.sections.len() as u32;
                self.sections.push(Section::new(key, show, section));
                counts.add(&self.sections[self.sections.len() - 1].counts());
            }
        }
        let stock = StockWatch::new(plan.rules.queue.is_some(), &counts);
        self.show_of.insert(plan.event, show);
        self.shows.push(Show {
            event: plan.event,
            shard,
            sections,
            counts,
            stock,
        });
    }

    /// Takes over what the seats must know of an event's new rules.
    pub fn set_rules(&mut self, event: EventId, rules: &EventRules) {
        self.hold_ms_longest = self.hold_ms_longest.max(rules.hold_ms);
        if let Some(show) = self.show_of.get(&event) {
            self.shows[*show as usize].stock.watched = rules.queue.is_some();
        }
    }

    /// A section this shard owns.
    pub fn section(&self, key: SectionKey) -> Option<&Section> {
        let at = self.show(key.event)?.section(key.section)?;
        Some(&self.sections[at as usize])
    }

    /// This shard's sections of an event, by number.
    pub fn sections(&self, event: EventId) -> impl Iterator<Item = &Section> + '_ {
        let numbers = self
            .show(event)
            .into_iter()
            .flat_map(|show| show.sections.iter());
        numbers
            .filter(|at| **at != ELSEWHERE)
            .map(|at| &self.sections[*at as usize])
    }

    /// Places of an event in this shard, by state.
    pub fn counts(&self, event: EventId) -> Counts {
        self.show(event).map(|show| show.counts).unwrap_or_default()
    }

    /// The leg, while it has places.
    pub fn leg(&self, leg: LegKey) -> Option<Leg> {
        self.legs.find(leg).map(|no| self.view(self.legs.get(no)))
    }

    /// The leg that has a numbered seat.
    pub fn leg_of_seat(&self, key: SectionKey, seat: SeatNo) -> Option<Leg> {
        let no = self.section(key)?.seat(seat)?.leg()?;
        Some(self.view(self.legs.get(no)))
    }

    /// All legs that have places, by key. Costs a sort.
    pub fn legs(&self) -> Vec<Leg> {
        self.legs
            .sorted()
            .into_iter()
            .map(|record| self.view(record))
            .collect()
    }

    /// How many legs have places.
    pub fn legs_count(&self) -> usize {
        self.legs.len()
    }

    /// The events known here, by id. Costs a sort.
    pub fn events(&self) -> Vec<EventId> {
        self.show_of
            .sorted()
            .into_iter()
            .map(|(event, _)| event)
            .collect()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let shows = self.shows.iter().map(|show| show.sections.capacity() * 4);
        self.sections.iter().map(Section::heap_bytes).sum::<usize>()
            + self.sections.capacity() * size_of::<Section>()
            + shows.sum::<usize>()
            + self.shows.capacity() * size_of::<Show>()
            + self.show_of.heap_bytes()
            + self.legs.heap_bytes()
            + self.ended.heap_bytes()
    }

    fn show(&self, event: EventId) -> Option<&Show> {
        self.show_of.get(&event).map(|at| &self.shows[*at as usize])
    }

    fn view(&self, record: &Record) -> Leg {
        let section = &self.sections[record.section as usize];
        Leg {
            key: record.key(),
            event: section.key().event,
            buyer: record.buyer,
            section: section.key().section,
            places: record.places.places(),
            price_each: section.price(),
            generation: record.generation,
            until: record.until,
            state: record.state,
            expires_here: record.expires_here,
            content: record.content,
        }
    }
}
