//! A section: its places, how many are in which state, and a revision that grows with each
//! change, so that a seat map can be cached by it.
//!
//! Invariant: available + held + pinned + sold + blocked = capacity, after every move. Both sides
//! of the sum move in [`Section::shift`] and nowhere else.

use probes::Bug;

use super::rows::FreeRows;
use super::seat::{LegNo, Seat, SeatStatus};
use crate::event::{Layout, SectionPlan};
use crate::ids::*;
use crate::outcome::{Places, Rejection};
use crate::seat_list::SeatList;

/// How many places are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// For sale.
    pub available: u32,
    /// Reserved until a deadline.
    pub held: u32,
    /// Reserved while a payment is in doubt.
    pub pinned: u32,
    /// Sold.
    pub sold: u32,
    /// Not for sale.
    pub blocked: u32,
}

impl Counts {
    /// All places.
    pub fn capacity(&self) -> u32 {
        self.available + self.held + self.pinned + self.sold + self.blocked
    }

    /// How many are `status`.
    pub fn of(&self, status: SeatStatus) -> u32 {
        match status {
            SeatStatus::Available => self.available,
            SeatStatus::Blocked => self.blocked,
            SeatStatus::Held => self.held,
            SeatStatus::Pinned => self.pinned,
            SeatStatus::Sold => self.sold,
        }
    }

    pub(super) fn shift(&mut self, places: u32, from: SeatStatus, to: SeatStatus) {
        *self.of_mut(from) -= places;
        *self.of_mut(to) += places;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.available += other.available;
        self.held += other.held;
        self.pinned += other.pinned;
        self.sold += other.sold;
        self.blocked += other.blocked;
    }

    fn of_mut(&mut self, status: SeatStatus) -> &mut u32 {
        match status {
            SeatStatus::Available => &mut self.available,
            SeatStatus::Blocked => &mut self.blocked,
            SeatStatus::Held => &mut self.held,
            SeatStatus::Pinned => &mut self.pinned,
            SeatStatus::Sold => &mut self.sold,
        }
    }
}

/// How a section's places are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Numbered seats, row by row from the front.
    Seated {
        /// Rows.
        rows: u16,
        /// Seats in each.
        seats_per_row: u16,
    },
    /// Places without numbers.
    Standing,
}

/// A section of an event, in the shard that owns it.
#[derive(Clone, Debug)]
pub struct Section {
    key: SectionKey,
    /// Its event's number in the shard.
    show: u32,
    price: u64,
    tier: u16,
    /// Numbered seats; `None` in a standing section.
    seated: Option<Seated>,
    counts: Counts,
    revision: u64,
}

/// The numbered seats of a section.
#[derive(Clone, Debug)]
pub(super) struct Seated {
    seats: Vec<Seat>,
    /// Mirrors which of `seats` are available.
    pub(super) free: FreeRows,
    /// The accessible seats, whatever their state; `None` when there are none.
    pub(super) accessible: Option<FreeRows>,
}

impl Seated {
    fn new(rows: u16, seats_per_row: u16, blocked: &[SeatNo], accessible: &[SeatNo]) -> Self {
        let mut seats = vec![Seat::AVAILABLE; usize::from(rows) * usize::from(seats_per_row)];
        for seat in blocked {
            if probes::planted(Bug::BlockedSeatOnSale) {
                break;
            }
            if let Some(slot) = seats.get_mut(usize::from(seat.0)) {
                *slot = Seat::BLOCKED;
            }
        }
        let mut free = FreeRows::new(rows, seats_per_row);
        (0..seats.len()).for_each(|at| free.set(at, seats[at] == Seat::AVAILABLE));
        let mut marked = FreeRows::new(rows, seats_per_row);
        let known = accessible
            .iter()
            .map(|seat| usize::from(seat.0))
            .filter(|at| *at < seats.len());
        known.for_each(|at| marked.set(at, true));
        Self {
            seats,
            free,
            accessible: (!accessible.is_empty()).then_some(marked),
        }
    }
}

impl Section {
    pub(super) fn new(key: SectionKey, show: u32, plan: &SectionPlan) -> Self {
        let seated = match &plan.layout {
            Layout::Seated {
                rows,
                seats_per_row,
                blocked,
                accessible,
            } => Some(Seated::new(*rows, *seats_per_row, blocked, accessible)),
            Layout::Standing { .. } => None,
        };
        let available = seated.as_ref().map_or(plan.layout.capacity(), |seated| {
            seated
                .seats
                .iter()
                .filter(|seat| **seat == Seat::AVAILABLE)
                .count() as u32
        });
        let blocked = plan.layout.capacity() - available;
        let extra = seated.is_none() && probes::planted(Bug::StandingPlaceTooMany);
        let counts = Counts {
            available: available + u32::from(extra),
            blocked,
            ..Counts::default()
        };
        Self {
            key,
            show,
            price: plan.price,
            tier: plan.tier,
            seated,
            counts,
            revision: 0,
        }
    }

    /// Its event and number.
    pub fn key(&self) -> SectionKey {
        self.key
    }

    /// Price of one place, minor units.
    pub fn price(&self) -> u64 {
        self.price
    }

    /// Its zone; smaller is better.
    pub fn tier(&self) -> u16 {
        self.tier
    }

    /// How its places are arranged.
    pub fn shape(&self) -> Shape {
        self.seated
            .as_ref()
            .map_or(Shape::Standing, |seated| Shape::Seated {
                rows: seated.free.rows() as u16,
                seats_per_row: seated.free.seats_per_row() as u16,
            })
    }

    /// How many places are in which state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Grows with each change of any place.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What a numbered seat is; `None` when there is no such seat.
    pub fn state_of(&self, seat: SeatNo) -> Option<SeatStatus> {
        self.seat(seat).map(Seat::status)
    }

    /// What every numbered seat is, in order; nothing in a standing section.
    pub fn states(&self) -> impl Iterator<Item = SeatStatus> + '_ {
        self.seated
            .iter()
            .flat_map(|seated| seated.seats.iter().map(|seat| seat.status()))
    }

    /// Whether a seat is one for a wheelchair user.
    pub fn is_accessible(&self, seat: SeatNo) -> bool {
        let accessible = self
            .seated
            .as_ref()
            .and_then(|seated| seated.accessible.as_ref());
        accessible.is_some_and(|rows| {
            let (row, column) = rows_and_column(rows, seat);
            row < rows.rows() && rows.row(row).has(column)
        })
    }

    /// Whether exactly these seats can be held.
    pub(super) fn check_seats(&self, wanted: &SeatList) -> Result<(), Rejection> {
        let section = self.key.section;
        let wanted = wanted.as_slice();
        if wanted.is_empty() || (1..wanted.len()).any(|i| wanted[..i].contains(&wanted[i])) {
            return Err(Rejection::OrderInvalid);
        }
        if let Some(seat) = wanted.iter().find(|seat| self.seat(**seat).is_none()) {
            return Err(Rejection::SeatUnknown {
                section,
                seat: *seat,
            });
        }
        match wanted
            .iter()
            .find(|seat| self.seat(**seat) != Some(Seat::AVAILABLE))
            .filter(|_| !probes::planted(Bug::HoldTakesHeldSeat))
        {
            Some(seat) => Err(Rejection::SeatNotAvailable {
                section,
                seat: *seat,
            }),
            None => Ok(()),
        }
    }

    /// Moves places from one state to another, on behalf of `leg`.
    pub(super) fn shift(&mut self, places: &Places, leg: LegNo, from: SeatStatus, to: SeatStatus) {
        match (places, &mut self.seated) {
            (Places::Seats(seats), Some(seated)) => {
                for seat in seats.as_slice() {
                    let at = usize::from(seat.0);
                    seated.seats[at].shift(from, to, leg);
                    if from == SeatStatus::Available || to == SeatStatus::Available {
                        seated.free.set(at, to == SeatStatus::Available);
                    }
                }
            }
            (Places::Standing(_), None) => assert!(from.may_become(to), "{from:?} to {to:?}"),
            _ => panic!("a leg's places are of the kind its section has"),
        }
        self.counts.shift(u32::from(places.count()), from, to);
        if to == SeatStatus::Available && probes::planted(Bug::FreedSeatCountsTwice) {
            self.counts.available += 1;
        }
        self.revision += 1;
    }

    pub(super) fn show(&self) -> usize {
        self.show as usize
    }

    pub(super) fn seated(&self) -> Option<&Seated> {
        self.seated.as_ref()
    }

    pub(super) fn seat(&self, seat: SeatNo) -> Option<Seat> {
        self.seated
            .as_ref()?
            .seats
            .get(usize::from(seat.0))
            .copied()
    }

    pub(super) fn restore_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.seated.as_ref().map_or(0, |seated| {
            seated.seats.capacity() * size_of::<Seat>()
                + seated.free.heap_bytes()
                + seated.accessible.as_ref().map_or(0, FreeRows::heap_bytes)
        })
    }
}

fn rows_and_column(rows: &FreeRows, seat: SeatNo) -> (usize, usize) {
    (
        usize::from(seat.0) / rows.seats_per_row(),
        usize::from(seat.0) % rows.seats_per_row(),
    )
}
