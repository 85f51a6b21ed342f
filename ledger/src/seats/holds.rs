//! What a leg can do: hold, pin, unpin, extend, sell, release, expire (P1, P5).
//!
//! Each may be repeated and then changes nothing. A hold is live iff `now < until`.

use std::hash::Hash;

use probes::Bug;

use super::best_available::best;
use super::legs::{LegState, Record};
use super::seat::{LegNo, SeatStatus};
use super::{SeatTable, Show};
use crate::change::{Change, Moved};
use crate::command::{HoldLeg, Want};
use crate::due::{Due, DueIndex};
use crate::ids::*;
use crate::kept::Kept;
use crate::limits::*;
use crate::outcome::{HeldLeg, Places, Rejection};
use crate::slab::Keyed;
use crate::table::hash_of;
use crate::tickets::{Ticket, TicketState, TicketTable, ticket_id};

impl SeatTable {
    /// Holds a leg's places, all or nothing, under a new generation.
    ///
    /// The same leg with the same content gets the same answer while it has its places. With
    /// `expires_here` this shard's clock ends the hold; without, the order's own deadline must.
    pub fn hold(
        &mut self,
        hold: &HoldLeg,
        now: Timestamp,
        due: &mut DueIndex,
        expires_here: bool,
    ) -> Result<HeldLeg, Rejection> {
        let content = fingerprint(hold);
        if let Some(no) = self.legs.find(hold.leg)
            && !probes::planted(Bug::RepeatHoldsAgain)
        {
            return self.hold_again(no, content, now);
        }
        let show_at = *self
            .show_of
            .get(&hold.event)
            .ok_or(Rejection::EventUnknown)?;
        check_shape(&hold.want)?;
        if now >= hold.until {
            return Err(Rejection::HoldExpired);
        }
        if self.ended.contains(hold.leg) && !probes::planted(Bug::ReleasedLegHeldAgain) {
            probes::reached(probes::Mark::LateHoldRefused);
            return Err(Rejection::LegOver);
        }
        let (section, places) = self.choose(&self.shows[show_at as usize], &hold.want)?;

        self.generation.0 += 1;
        let record = Record {
            order: hold.leg.order,
            buyer: hold.buyer,
            generation: self.generation,
            until: hold.until,
            content,
            section,
            places: Kept::from(&places),
            leg: hold.leg.leg,
            state: LegState::Held,
            expires_here,
        };
        let no = self.legs.insert(record.clone());
        self.shift(
            &record,
            no,
            SeatStatus::Available,
            SeatStatus::Held,
            now,
            due,
        );
        if expires_here {
            due.set(hold.until, Due::Leg(hold.leg));
        }
        Ok(self.view(&record).held())
    }

    /// Makes a live hold of this generation immune to the clock: a payment starts.
    pub fn pin(
        &mut self,
        leg: LegKey,
        generation: Generation,
        now: Timestamp,
        due: &mut DueIndex,
    ) -> Result<(), Rejection> {
        let no = self.legs.find(leg).ok_or(Rejection::LegUnknown)?;
        let record = self.legs.get(no).clone();
        if record.generation != generation {
            return Err(Rejection::LegOver);
        }
        match record.state {
            LegState::Pinned | LegState::Sold => Ok(()),
            // Another shard's order stands as long as its home says so, and home asks for a pin.
            LegState::Held
                if now >= record.until
                    && !record.expires_here
                    && !probes::planted(Bug::ExpiredHoldPaid) =>
            {
                Err(Rejection::HoldExpired)
            }
            LegState::Held if record.expires_here && probes::planted(Bug::PinThatExpires) => Ok(()),
            LegState::Held => {
                due.clear(record.until, Due::Leg(leg));
                self.legs.get_mut(no).state = LegState::Pinned;
                self.shift(&record, no, SeatStatus::Held, SeatStatus::Pinned, now, due);
                Ok(())
            }
        }
    }

    /// The payment failed: the pin is a hold again, until this deadline.
    pub fn unpin(&mut self, leg: LegKey, until: Timestamp, now: Timestamp, due: &mut DueIndex) {
        let Some(no) = self.legs.find(leg) else {
            return;
        };
        let record = self.legs.get(no).clone();
        if record.state != LegState::Pinned {
            return;
        }
        let changed = self.legs.get_mut(no);
        changed.state = LegState::Held;
        changed.until = until;
        self.shift(&record, no, SeatStatus::Pinned, SeatStatus::Held, now, due);
        if record.expires_here {
            due.set(until, Due::Leg(leg));
        }
    }

    /// An outage is given back: the hold ends later. Never earlier than it was.
    pub fn extend(&mut self, leg: LegKey, until: Timestamp, due: &mut DueIndex) {
        let Some(no) = self.legs.find(leg) else {
            return;
        };
        let record = self.legs.get_mut(no);
        if until <= record.until || record.state == LegState::Sold {
            return;
        }
        let before = std::mem::replace(&mut record.until, until);
        if record.expires_here && record.state == LegState::Held {
            due.clear(before, Due::Leg(leg));
            due.set(until, Due::Leg(leg));
        }
    }

    /// Sells a pinned leg and issues its tickets. A leg that is not pinned is refused: only the
    /// order's commit point may cause a sale, and it stands behind a pin.
    pub fn sell(
        &mut self,
        leg: LegKey,
        now: Timestamp,
        tickets: &mut TicketTable,
        due: &mut DueIndex,
    ) -> Result<Vec<TicketId>, Rejection> {
        let no = self.legs.find(leg).ok_or(Rejection::LegUnknown)?;
        let record = self.legs.get(no).clone();
        match record.state {
            LegState::Held => Err(Rejection::LegUnknown),
            LegState::Pinned => {
                self.legs.get_mut(no).state = LegState::Sold;
                self.shift(&record, no, SeatStatus::Pinned, SeatStatus::Sold, now, due);
                let ids: Vec<TicketId> = self.ticket_ids(&record).collect();
                tickets.issue(&ids, no.0);
                Ok(ids)
            }
            LegState::Sold => Ok(self.ticket_ids(&record).collect()),
        }
    }

    /// The order is over: its places are free again, sold ones too (a refund; their tickets
    /// become void), and nothing is held for this leg ever again. Whether any place was freed.
    pub fn release(
        &mut self,
        leg: LegKey,
        now: Timestamp,
        tickets: &mut TicketTable,
        due: &mut DueIndex,
    ) -> bool {
        let Some(no) = self.legs.find(leg) else {
            probes::reached(probes::Mark::ReleasedBeforeHeld);
            self.refuse(leg, now);
            return false;
        };
        let record = self.free(no, now, due);
        if record.state == LegState::Sold {
            let void = 0..record.places.count() as u8;
            tickets.void(void.map(|ordinal| self.ticket(&record, ordinal)), no.0);
        }
        let latest = record.until.max(now).plus_ms(ENDED_LEG_MARGIN_MS);
        self.ended.remember(leg, latest, now);
        true
    }

    /// Nothing is held for a leg of another shard's order, and nothing will be.
    pub fn refuse(&mut self, leg: LegKey, now: Timestamp) {
        let latest = now
            .plus_ms(self.hold_ms_longest)
            .plus_ms(ENDED_LEG_MARGIN_MS);
        self.ended.remember(leg, latest, now);
    }

    /// Gives unsold places back and remembers nothing of the leg: for an order that this shard
    /// decides alone, whose own record says that it is over. Whether any place was freed.
    pub fn undo(&mut self, leg: LegKey, now: Timestamp, due: &mut DueIndex) -> bool {
        match self.legs.find(leg) {
            Some(no) if self.legs.get(no).state != LegState::Sold => {
                self.free(no, now, due);
                true
            }
            _ => false,
        }
    }

    /// `Due::Leg` has come: frees the places of a hold that has ended. Whether it had.
    pub fn expire(&mut self, leg: LegKey, now: Timestamp, due: &mut DueIndex) -> bool {
        let Some(no) = self.legs.find(leg) else {
            return false;
        };
        let record = self.legs.get(no);
        if record.state != LegState::Held || !record.expires_here || now < record.until {
            return false;
        }
        probes::reached(probes::Mark::LegExpired);
        self.free(no, now, due);
        true
    }

    fn hold_again(&self, no: LegNo, content: u32, now: Timestamp) -> Result<HeldLeg, Rejection> {
        probes::reached(probes::Mark::RepeatedCommand);
        let record = self.legs.get(no);
        if record.content != content {
            return Err(Rejection::OrderExistsWithDifferentContent);
        }
        if record.state == LegState::Held && now >= record.until && !record.expires_here {
            return Err(Rejection::HoldExpired);
        }
        Ok(self.view(record).held())
    }

    /// The section and places that serve `want`.
    fn choose(&self, show: &Show, want: &Want) -> Result<(u32, Places), Rejection> {
        let find = |section: SectionNo| {
            let at = show
                .section(section)
                .ok_or(Rejection::SectionUnknown { section })?;
            Ok((at, &self.sections[at as usize]))
        };
        match want {
            Want::Seats { section, seats } => {
                let (at, section) = find(*section)?;
                section.check_seats(seats)?;
                Ok((at, Places::Seats(*seats)))
            }
            Want::Standing {
                section: number,
                count,
            } => {
                let (at, section) = find(*number)?;
                if section.seated().is_some() {
                    let seat = SeatNo::default();
                    return Err(Rejection::SeatUnknown {
                        section: *number,
                        seat,
                    });
                }
                let left = section.counts().available;
                if left < u32::from(*count) {
                    return Err(Rejection::NotEnoughSeats { left });
                }
                Ok((at, Places::Standing(*count)))
            }
            Want::Best {
                sections,
                count,
                accessible,
            } => {
                sections
                    .iter()
                    .try_for_each(|section| find(*section).map(|_| ()))?;
                let candidates = sections.iter().filter_map(|section| find(*section).ok());
                if probes::planted(Bug::NodeChanceInBest) {
                    let first = probes::chance(sections.len());
                    return best(candidates.skip(first), *count, *accessible);
                }
                best(candidates, *count, *accessible)
            }
        }
    }

    /// Moves a leg's places, tells the waiting room's watch and the journal.
    fn shift(
        &mut self,
        record: &Record,
        no: LegNo,
        from: SeatStatus,
        to: SeatStatus,
        now: Timestamp,
        due: &mut DueIndex,
    ) {
        let section = &mut self.sections[record.section as usize];
        let places = record.places.places();
        section.shift(&places, no, from, to);
        let key = section.key();
        let event = key.event;
        self.moved.push(fact(record, places, key, from, to));
        let show = &mut self.shows[section.show()];
        show.counts.shift(u32::from(places.count()), from, to);
        show.stock.changed(event, now, due);
    }

    /// Takes a leg out and makes its places available.
    fn free(&mut self, no: LegNo, now: Timestamp, due: &mut DueIndex) -> Record {
        let record = self.legs.remove(no);
        let from = match record.state {
            LegState::Held => SeatStatus::Held,
            LegState::Pinned => SeatStatus::Pinned,
            LegState::Sold => SeatStatus::Sold,
        };
        if record.expires_here && record.state == LegState::Held {
            due.clear(record.until, Due::Leg(record.key()));
        }
        self.shift(&record, no, from, SeatStatus::Available, now, due);
        record
    }

    /// The tickets that follow from a leg that was sold.
    pub(crate) fn tickets_of(&self, leg: u32) -> impl Iterator<Item = Ticket> + '_ {
        let record = self.legs.get(LegNo(leg));
        (0..record.places.count() as u8).map(|ordinal| self.ticket(record, ordinal))
    }

    /// The sold leg that a ticket follows from.
    pub(crate) fn leg_of_ticket(&self, ticket: &Ticket) -> Option<u32> {
        let (order, leg) = (ticket.order, ticket.leg);
        let no = self.legs.find(LegKey { order, leg })?;
        let record = self.legs.get(no);
        let sold = record.state == LegState::Sold
            && u16::from(ticket.ordinal) < record.places.count()
            && self.ticket(record, ticket.ordinal) == *ticket;
        sold.then_some(no.0)
    }

    fn ticket(&self, record: &Record, ordinal: u8) -> Ticket {
        let section = &self.sections[record.section as usize];
        let seat = match record.places.places() {
            Places::Seats(seats) => seats.as_slice().get(usize::from(ordinal)).copied(),
            Places::Standing(_) => None,
        };
        Ticket {
            id: ticket_id(self.shows[section.show()].shard, record.key(), ordinal),
            order: record.order,
            leg: record.leg,
            ordinal,
            buyer: record.buyer,
            section: section.key(),
            seat,
            state: TicketState::Valid,
        }
    }

    fn ticket_ids(&self, record: &Record) -> impl Iterator<Item = TicketId> + use<> {
        let shard = self.shows[self.sections[record.section as usize].show()].shard;
        let (key, count) = (record.key(), record.places.count() as u8);
        (0..count).map(move |ordinal| ticket_id(shard, key, ordinal))
    }
}

/// What the journal says of a move.
fn fact(
    record: &Record,
    places: Places,
    section: SectionKey,
    from: SeatStatus,
    to: SeatStatus,
) -> Change {
    let moved = Moved {
        leg: record.key(),
        buyer: record.buyer,
        section,
        places,
    };
    match (from, to) {
        (SeatStatus::Available, _) => Change::SeatsHeld(moved),
        (SeatStatus::Sold, _) => Change::SaleRevoked(moved),
        (_, SeatStatus::Available) => Change::SeatsFreed(moved),
        (_, SeatStatus::Pinned) => Change::SeatsPinned(moved),
        (_, SeatStatus::Sold) => Change::SeatsSold(moved),
        (_, SeatStatus::Held | SeatStatus::Blocked) => Change::SeatsUnpinned(moved),
    }
}

/// Whether a wish makes sense at all, whatever is free.
fn check_shape(want: &Want) -> Result<(), Rejection> {
    let valid = match want {
        Want::Seats { seats, .. } => !seats.as_slice().is_empty(),
        Want::Standing { count, .. } => (1..=SEATS_PER_ORDER_MAX).contains(&u16::from(*count)),
        Want::Best {
            sections, count, ..
        } => {
            (1..=SEATS_PER_LEG_MAX).contains(&usize::from(*count))
                && (1..=SECTIONS_PER_EVENT_MAX).contains(&sections.len())
        }
    };
    if valid {
        Ok(())
    } else {
        Err(Rejection::OrderInvalid)
    }
}

/// 32 bits that tell a repeated `HoldLeg` from another with the same key. Whoever makes two that
/// collide is answered with what they hold already; nothing moves. The deadline is left out: an
/// extension changes it.
fn fingerprint(hold: &HoldLeg) -> u32 {
    fn of(hold: &HoldLeg, want: impl Hash) -> u32 {
        (hash_of(&(hold.event, hold.buyer, want)) >> 32) as u32
    }
    match &hold.want {
        Want::Seats { section, seats } => of(hold, (1u8, section, seats.as_slice())),
        Want::Standing { section, count } => of(hold, (2u8, section, count)),
        Want::Best {
            sections,
            count,
            accessible,
        } => of(hold, (3u8, sections.as_slice(), count, accessible)),
    }
}
