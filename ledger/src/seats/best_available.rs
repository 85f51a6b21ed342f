//! The best `count` seats together, chosen inside the log entry, so that a race cannot refuse
//! somebody while a fit exists.
//!
//! In this order, over the candidate sections in the order given:
//!
//! 1. a block in one row that leaves no single seat alone beside it;
//! 2. any block in one row;
//! 3. the fall-back of `scattered.rs`: adjacent rows, one row with a gap, any seats near together.
//!
//! Within a section the block nearest to the middle of the front row wins; of two equally near,
//! the one further to the front, then further left. Distances are measured in half seats; a row
//! is as deep as two seats are wide.
//!
//! Accessible seats are left to those who need them: a search without `accessible` takes them
//! only when it would otherwise refuse. A search with `accessible` wants one of them and ordinary
//! seats beside it for the companions; more than one only if there is no other way.
//!
//! Rows are skipped by their count of free seats and, once a block is found, by their depth; a
//! row is judged 64 seats at a time. It never refuses while `count` seats are available in one
//! candidate section (for `accessible`: and one of them is accessible).

use super::rows::{FreeRows, Row, nearest_bit};
use super::scattered;
use super::section::{Seated, Section};
use crate::ids::SeatNo;
use crate::limits::SEATS_PER_LEG_MAX;
use crate::outcome::{Places, Rejection};
use crate::seat_list::SeatList;

/// Half seats from one row to the next.
const ROW_DEPTH: usize = 4;

/// Which seats a search may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seats {
    /// Those that are not accessible.
    Ordinary,
    /// All.
    All,
    /// All, exactly one of them accessible.
    OneAccessible,
    /// All, at least one of them accessible.
    SomeAccessible,
}

/// The best places for `count` people, and the number of the section they are in.
pub(super) fn best<'a>(
    candidates: impl Iterator<Item = (u32, &'a Section)> + Clone,
    count: u8,
    accessible: bool,
) -> Result<(u32, Places), Rejection> {
    let count = usize::from(count);
    debug_assert!((1..=SEATS_PER_LEG_MAX).contains(&count));
    let tries: &[Seats] = match accessible {
        true => &[Seats::OneAccessible, Seats::SomeAccessible],
        false => &[Seats::Ordinary, Seats::All],
    };
    let fitting = candidates
        .clone()
        .filter(|(_, section)| left(section, accessible) >= count);
    for seats in tries {
        for orphans in [false, true] {
            for (at, section) in fitting.clone() {
                if let Some(places) = block(section, count, *seats, orphans) {
                    return Ok((at, places));
                }
            }
        }
        for (at, section) in fitting.clone() {
            if let Some(seats) = section
                .seated()
                .and_then(|s| scattered::choose(s, count, *seats))
            {
                return Ok((at, Places::Seats(seats)));
            }
        }
    }
    let left = candidates
        .map(|(_, section)| left(section, accessible))
        .max()
        .unwrap_or(0);
    Err(Rejection::NotEnoughSeats { left: left as u32 })
}

/// Places a section could give to such a search.
fn left(section: &Section, accessible: bool) -> usize {
    let available = section.counts().available as usize;
    if !accessible {
        return available;
    }
    let any = section.seated().and_then(|seated| {
        let marked = seated.accessible.as_ref()?;
        (0..marked.rows()).find(|row| seated.free.row(*row).intersects(marked.row(*row)))
    });
    if any.is_some() { available } else { 0 }
}

fn block(section: &Section, count: usize, seats: Seats, orphans: bool) -> Option<Places> {
    let Some(seated) = section.seated() else {
        // Nobody stands alone, and nobody needs to be asked where.
        let serves = matches!(seats, Seats::Ordinary | Seats::All);
        return serves.then_some(Places::Standing(count as u8));
    };
    if seats == Seats::All && seated.accessible.is_none() {
        return None; // The same search as `Ordinary`, which came before.
    }
    let (row, start) = block_in_rows(seated, count, seats, orphans)?;
    let first = row * seated.free.seats_per_row() + start;
    seat_list(first..first + count).map(Places::Seats)
}

/// The row and first column of the nearest block.
fn block_in_rows(
    seated: &Seated,
    count: usize,
    seats: Seats,
    orphans: bool,
) -> Option<(usize, usize)> {
    let free = &seated.free;
    // Twice the column at which a block of `count` is exactly in the middle.
    let middle = free.seats_per_row().checked_sub(count)?;
    let mut nearest: Option<(usize, usize, usize)> = None;
    for row in 0..free.rows() {
        let depth = (row * ROW_DEPTH).pow(2);
        if nearest.is_some_and(|(distance, ..)| depth >= distance) {
            break;
        }
        if free.count(row) < count {
            continue;
        }
        let search = Search::new(seated, row, seats);
        let word = |i: usize| search.starts(i, count, orphans);
        if let Some(start) = nearest_bit(free.row(row).len(), middle, word) {
            let distance = depth + (2 * start).abs_diff(middle).pow(2);
            if nearest.is_none_or(|(best, ..)| distance < best) {
                nearest = Some((distance, row, start));
            }
        }
    }
    nearest.map(|(_, row, start)| (row, start))
}

/// One row as a search sees it.
#[derive(Clone, Copy)]
struct Search<'a> {
    takes: Row<'a>,
    accessible: Option<Row<'a>>,
    seats: Seats,
}

impl<'a> Search<'a> {
    fn new(seated: &'a Seated, row: usize, seats: Seats) -> Self {
        let accessible = seated.accessible.as_ref().map(|marked| marked.row(row));
        Self {
            takes: takes(&seated.free, accessible, row, seats),
            accessible,
            seats,
        }
    }

    /// Word `i` of the columns at which a block may start.
    fn starts(&self, i: usize, count: usize, orphans: bool) -> u64 {
        let mut starts = self.takes.starts(i, count);
        if starts != 0 && !orphans {
            starts &= !self.takes.orphaning(i, count);
        }
        if starts == 0 || matches!(self.seats, Seats::Ordinary | Seats::All) {
            return starts;
        }
        let Some(accessible) = self.accessible else {
            return 0;
        };
        let (mut some, mut several) = (0, 0);
        for by in 0..count as i32 {
            let here = accessible.shifted(i, by);
            several |= some & here;
            some |= here;
        }
        match self.seats {
            Seats::OneAccessible => starts & some & !several,
            _ => starts & some,
        }
    }
}

/// The seats of a row that a search may take.
pub(super) fn takes<'a>(
    free: &'a FreeRows,
    accessible: Option<Row<'a>>,
    row: usize,
    seats: Seats,
) -> Row<'a> {
    match (seats, accessible) {
        (Seats::Ordinary, Some(accessible)) => free.row(row).without(accessible),
        _ => free.row(row),
    }
}

/// Seats by number as a leg's list.
pub(super) fn seat_list(seats: impl IntoIterator<Item = usize>) -> Option<SeatList> {
    let mut list = SeatList::default();
    seats
        .into_iter()
        .all(|seat| list.push(SeatNo(seat as u16)))
        .then_some(list)
}
