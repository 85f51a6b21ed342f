//! The seats' part of the digest, and what a snapshot must carry of them.
//!
//! A seat's state follows from the event's plan and the legs, so a snapshot holds those: install
//! the plan, then restore the event's marks, the legs, the ended legs and the last generation.
//! Slots and numbers inside the shard may come out differently; nobody can see them.

use super::legs::{LegState, Record};
use super::seat::SeatStatus;
use super::stock::Stock;
use super::{Leg, SeatTable};
use crate::digest::Digest;
use crate::due::{Due, DueIndex};
use crate::event::EventPlan;
use crate::ids::*;
use crate::kept::Kept;
use crate::outcome::Places;

/// What a snapshot keeps of an event's seats besides its plan and legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedEvent {
    /// The show.
    pub event: EventId,
    /// Stock the waiting room was told last.
    pub told: Stock,
    /// When.
    pub told_at: Timestamp,
    /// When it is due to be told again.
    pub due_at: Option<Timestamp>,
    /// Revisions of this shard's sections, by section number.
    pub revisions: Vec<u64>,
}

/// A leg that may not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedEnded {
    /// Which.
    pub leg: LegKey,
    /// Until when it is remembered.
    pub until: Timestamp,
}

impl SeatTable {
    /// What a snapshot keeps of an event.
    pub fn save_event(&self, event: EventId) -> Option<SavedEvent> {
        let stock = self.show(event)?.stock;
        let revisions = self
            .sections(event)
            .map(|section| section.revision())
            .collect();
        let (told, told_at, due_at) = (stock.told, stock.told_at, stock.due_at);
        Some(SavedEvent {
            event,
            told,
            told_at,
            due_at,
            revisions,
        })
    }

    /// Installs an event from a snapshot. Its legs follow by [`SeatTable::restore_leg`], and its
    /// marks by [`SeatTable::restore_event`] after them, since restoring a leg moves seats.
    pub fn restore_plan(&mut self, plan: &EventPlan, shard: ShardId) {
        self.install(plan, shard);
    }

    /// Puts a leg back with its places and its deadline.
    pub fn restore_leg(&mut self, leg: &Leg, due: &mut DueIndex) -> Result<(), crate::Rejection> {
        let unknown = crate::Rejection::SectionUnknown {
            section: leg.section,
        };
        let show = self.show(leg.event).ok_or(crate::Rejection::EventUnknown)?;
        let section = show.section(leg.section).ok_or(unknown)?;
        match &leg.places {
            Places::Seats(seats) => self.sections[section as usize].check_seats(seats)?,
            Places::Standing(count) => {
                let left = self.sections[section as usize].counts().available;
                if self.sections[section as usize].seated().is_some() || left < u32::from(*count) {
                    return Err(crate::Rejection::NotEnoughSeats { left });
                }
            }
        }
        let record = Record {
            order: leg.key.order,
            buyer: leg.buyer,
            generation: leg.generation,
            until: leg.until,
            content: leg.content,
            section,
            places: Kept::from(&leg.places),
            leg: leg.key.leg,
            state: leg.state,
            expires_here: leg.expires_here,
        };
        let no = self.legs.insert(record);
        let path = [
            SeatStatus::Available,
            SeatStatus::Held,
            SeatStatus::Pinned,
            SeatStatus::Sold,
        ];
        let steps = match leg.state {
            LegState::Held => 1,
            LegState::Pinned => 2,
            LegState::Sold => 3,
        };
        let show = *self
            .show_of
            .get(&leg.event)
            .expect("the event was just found");
        let show = &mut self.shows[show as usize];
        for step in 0..steps {
            let (from, to) = (path[step], path[step + 1]);
            self.sections[section as usize].shift(&leg.places, no, from, to);
            show.counts.shift(u32::from(leg.places.count()), from, to);
        }
        if leg.expires_here && leg.state == LegState::Held {
            due.set(leg.until, Due::Leg(leg.key));
        }
        Ok(())
    }

    /// Puts an event's marks back, after its legs.
    pub fn restore_event(&mut self, saved: &SavedEvent, due: &mut DueIndex) {
        let Some(show) = self.show_of.get(&saved.event).copied() else {
            return;
        };
        let show = &mut self.shows[show as usize];
        (show.stock.told, show.stock.told_at) = (saved.told, saved.told_at);
        show.stock.due_at = saved.due_at;
        if let Some(at) = saved.due_at {
            due.set(at, Due::Stock(saved.event));
        }
        let owned = show.sections.iter().filter(|at| **at != super::ELSEWHERE);
        for (at, revision) in owned.zip(&saved.revisions) {
            self.sections[*at as usize].restore_revision(*revision);
        }
    }

    /// The legs that may not come back, by when they are forgotten.
    pub fn ended(&self) -> impl Iterator<Item = SavedEnded> + '_ {
        self.ended
            .iter()
            .map(|(until, leg)| SavedEnded { leg, until })
    }

    /// Puts an ended leg back.
    pub fn restore_ended(&mut self, saved: SavedEnded) {
        self.ended.remember(saved.leg, saved.until, Timestamp(0));
    }

    /// Number of the last hold, and the longest hold of any event so far.
    pub fn marks(&self) -> (Generation, u64) {
        (self.generation, self.hold_ms_longest)
    }

    /// Puts [`SeatTable::marks`] back.
    pub fn restore_marks(&mut self, generation: Generation, hold_ms_longest: u64) {
        self.generation = generation;
        self.hold_ms_longest = hold_ms_longest;
    }

    /// Writes all of it into the state's digest.
    pub fn digest(&self, digest: &mut Digest) {
        digest.put_u64(self.generation.0);
        digest.put_u64(self.hold_ms_longest);
        digest.put_table("seats", self.shows.len());
        for event in self.events() {
            let Some(show) = self.show(event) else {
                continue;
            };
            digest.put_event(show.event);
            digest.put_bool(show.stock.watched);
            digest.put_u32(show.stock.told.available);
            digest.put_u32(show.stock.told.held);
            digest.put_time(show.stock.told_at);
            digest.put_time_option(show.stock.due_at);
            for section in self.sections(event) {
                digest.put_section(section.key());
                digest.put_u64(section.revision());
                digest.put_u32(section.counts().blocked);
            }
        }
        digest.put_table("legs", self.legs.len());
        for leg in self.legs() {
            digest_leg(&leg, digest);
        }
        self.ended.digest(digest);
    }
}

fn digest_leg(leg: &Leg, digest: &mut Digest) {
    digest.put_leg(leg.key);
    digest.put_event(leg.event);
    digest.put_u128(leg.buyer.0);
    digest.put_u16(leg.section.0);
    match &leg.places {
        Places::Seats(seats) => {
            digest.put_table("seats", seats.as_slice().len());
            seats
                .as_slice()
                .iter()
                .for_each(|seat| digest.put_u16(seat.0));
        }
        Places::Standing(count) => digest.put_table("standing", usize::from(*count)),
    }
    digest.put_u64(leg.generation.0);
    digest.put_time(leg.until);
    digest.put_u8(match leg.state {
        LegState::Held => 1,
        LegState::Pinned => 2,
        LegState::Sold => 3,
    });
    digest.put_bool(leg.expires_here);
    digest.put_u32(leg.content);
}
