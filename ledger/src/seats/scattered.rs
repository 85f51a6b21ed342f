//! Where to put people when no block of their size is left in one row. Deterministic, and it
//! finds something whenever enough seats are left:
//!
//! 1. two adjacent rows, the same columns (the larger half may sit in either row), nearest to the
//!    middle of the front;
//! 2. one row with a gap, when its seats span at most twice their number: the narrowest span;
//! 3. any seats near together: the seat whose nearest neighbours are nearest in sum, with them.
//!
//! Of equals, the one further to the front, then further left. Single seats left over are not
//! looked at here: so little is left that finding places at all comes first. Step 3 tries
//! no more than [`ANCHORS_MAX`] seats, evenly over the section, so that no search stalls a shard.

use super::best_available::{Seats, seat_list, takes};
use super::rows::{Row, nearest_bit};
use super::section::Seated;
use crate::limits::SEATS_PER_LEG_MAX;
use crate::seat_list::SeatList;

/// Seats looked at as the centre of a scattered party.
const ANCHORS_MAX: usize = 512;
/// How much further a row is than a neighbouring seat.
const ROW_DISTANCE: usize = 2;

/// Seats for `count` people who cannot sit in one block.
pub(super) fn choose(seated: &Seated, count: usize, seats: Seats) -> Option<SeatList> {
    let party = Party {
        seated,
        count,
        seats,
    };
    match seats {
        Seats::Ordinary | Seats::All => party
            .two_rows()
            .or_else(|| party.one_row_with_a_gap())
            .or_else(|| party.anywhere()),
        // The accessible seat decides; the others come as near to it as they can.
        Seats::OneAccessible | Seats::SomeAccessible => party.anywhere(),
    }
}

struct Party<'a> {
    seated: &'a Seated,
    count: usize,
    seats: Seats,
}

impl<'a> Party<'a> {
    fn accessible(&self, row: usize) -> Option<Row<'a>> {
        self.seated
            .accessible
            .as_ref()
            .map(|marked| marked.row(row))
    }

    fn row(&self, row: usize) -> Row<'a> {
        takes(&self.seated.free, self.accessible(row), row, self.seats)
    }

    fn number(&self, row: usize, column: usize) -> usize {
        row * self.seated.free.seats_per_row() + column
    }

    fn two_rows(&self) -> Option<SeatList> {
        let free = &self.seated.free;
        let (wide, narrow) = (self.count.div_ceil(2), self.count / 2);
        if narrow == 0 {
            return None;
        }
        let middle = free.seats_per_row().checked_sub(wide)?;
        // Distance, row, first column, whether the front row is the wide one, offset behind.
        let mut nearest: Option<(usize, usize, usize, bool, usize)> = None;
        for front in 0..free.rows().saturating_sub(1) {
            let depth = (front * 4).pow(2);
            if nearest.is_some_and(|(distance, ..)| depth >= distance) {
                break;
            }
            for front_is_wide in [true, false] {
                let (wider, other) = if front_is_wide {
                    (front, front + 1)
                } else {
                    (front + 1, front)
                };
                if free.count(wider) < wide || free.count(other) < narrow {
                    continue;
                }
                let (wider, other) = (self.row(wider), self.row(other));
                for offset in 0..=wide - narrow {
                    let fits = |i: usize| {
                        let runs = wider.starts(i, wide);
                        if runs == 0 {
                            0
                        } else {
                            runs & starts_at(other, i, narrow, offset)
                        }
                    };
                    let Some(start) = nearest_bit(wider.len(), middle, fits) else {
                        continue;
                    };
                    let distance = depth + (2 * start).abs_diff(middle).pow(2);
                    if nearest.is_none_or(|(best, ..)| distance < best) {
                        nearest = Some((distance, front, start, front_is_wide, offset));
                    }
                }
            }
        }
        let (_, front, start, front_is_wide, offset) = nearest?;
        let wide_seats = start..start + wide;
        let narrow_seats = start + offset..start + offset + narrow;
        let (ahead, behind) = if front_is_wide {
            (wide_seats, narrow_seats)
        } else {
            (narrow_seats, wide_seats)
        };
        let ahead = ahead.map(|column| self.number(front, column));
        seat_list(ahead.chain(behind.map(|column| self.number(front + 1, column))))
    }

    fn one_row_with_a_gap(&self) -> Option<SeatList> {
        let free = &self.seated.free;
        let mut narrowest: Option<(usize, usize, [usize; SEATS_PER_LEG_MAX])> = None;
        for row in (0..free.rows()).filter(|row| free.count(*row) >= self.count) {
            // The last `count` free columns seen, in a ring.
            let mut ring = [0; SEATS_PER_LEG_MAX];
            for (seen, column) in self.row(row).columns().enumerate() {
                ring[seen % self.count] = column;
                if seen + 1 < self.count {
                    continue;
                }
                let span = column - ring[(seen + 1) % self.count] + 1;
                if span <= 2 * self.count && narrowest.is_none_or(|(best, ..)| span < best) {
                    narrowest = Some((span, row, ring));
                }
            }
        }
        let (_, row, mut columns) = narrowest?;
        columns[..self.count].sort_unstable();
        seat_list(
            columns[..self.count]
                .iter()
                .map(|column| self.number(row, *column)),
        )
    }

    fn anywhere(&self) -> Option<SeatList> {
        let companions = self.companions();
        let mut nearest: Option<(usize, Near)> = None;
        let rows = 0..self.seated.free.rows();
        let anchors = rows.flat_map(|row| self.anchors(row).map(move |column| (row, column)));
        let anchors: Vec<(usize, usize)> = anchors.collect();
        let step = anchors.len().div_ceil(ANCHORS_MAX).max(1);
        for anchor in anchors.into_iter().step_by(step) {
            let to_beat = nearest.as_ref().map_or(usize::MAX, |(sum, _)| *sum);
            let Some(near) = self.near(&companions, anchor, to_beat) else {
                continue;
            };
            let sum = near.sum();
            if sum < to_beat {
                nearest = Some((sum, near));
            }
        }
        let (_, mut near) = nearest?;
        let seats = &mut near.found[..near.count];
        seats.sort_unstable_by_key(|(_, seat)| *seat);
        seat_list(seats.iter().map(|(_, seat)| *seat))
    }

    /// Columns of a row that may be the centre of the party.
    fn anchors(&self, row: usize) -> impl Iterator<Item = usize> + use<'a> {
        let accessible = self.accessible(row);
        let wanted = matches!(self.seats, Seats::OneAccessible | Seats::SomeAccessible);
        self.row(row)
            .columns()
            .filter(move |column| !wanted || accessible.is_some_and(|marked| marked.has(*column)))
    }

    /// The anchor and the `count - 1` seats nearest to it, unless their distances come to
    /// `to_beat` or more.
    fn near(
        &self,
        companions: &Companions,
        (row, column): (usize, usize),
        to_beat: usize,
    ) -> Option<Near> {
        let mut near = Near {
            wanted: self.count,
            count: 0,
            found: [(0, 0); SEATS_PER_LEG_MAX],
        };
        near.offer(0, self.number(row, column));
        let rows = self.seated.free.rows();
        for away in 0..rows {
            if near.is_closed_at(away * ROW_DISTANCE) || (away > row && row + away >= rows) {
                break;
            }
            if near.sum_at_least(away * ROW_DISTANCE) >= to_beat {
                return None;
            }
            let ahead = row.checked_sub(away);
            let behind = (away > 0 && row + away < rows).then_some(row + away);
            for other in ahead.into_iter().chain(behind) {
                let columns = companions.row(other);
                self.near_in_row(&mut near, columns, other, column, away * ROW_DISTANCE);
            }
        }
        (near.count == self.count).then_some(near)
    }

    /// The seats that may sit beside an anchor.
    fn companions(&self) -> Companions {
        let rows = self.seated.free.rows();
        let mut companions = Companions {
            columns: Vec::new(),
            ends: Vec::with_capacity(rows),
        };
        for row in 0..rows {
            let bits = match (self.seats, self.accessible(row)) {
                (Seats::OneAccessible, Some(accessible)) => self.row(row).without(accessible),
                _ => self.row(row),
            };
            companions.columns.extend(bits.columns());
            companions.ends.push(companions.columns.len());
        }
        companions
    }

    /// Offers the seats of a row, from `column` outwards, until they are too far.
    fn near_in_row(
        &self,
        near: &mut Near,
        columns: &[usize],
        row: usize,
        column: usize,
        depth: usize,
    ) {
        let middle = columns.partition_point(|other| *other < column);
        let mut left = columns[..middle].iter().rev().peekable();
        let mut right = columns[middle..].iter().peekable();
        loop {
            let from_left = left.peek().map(|other| column - **other);
            let from_right = right.peek().map(|other| **other - column);
            let (side, distance): (&mut dyn Iterator<Item = &usize>, usize) =
                match (from_left, from_right) {
                    (Some(l), r) if r.is_none_or(|r| l <= r) => (&mut left, l),
                    (_, Some(r)) => (&mut right, r),
                    (_, None) => return,
                };
            if near.is_closed_at(depth + distance) {
                return;
            }
            if let Some(other) = side.next() {
                near.offer(depth + distance, self.number(row, *other));
            }
        }
    }
}

/// Columns of the seats that may be taken, row after row.
struct Companions {
    columns: Vec<usize>,
    /// Where each row ends in `columns`.
    ends: Vec<usize>,
}

impl Companions {
    fn row(&self, row: usize) -> &[usize] {
        let from = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.columns[from..self.ends[row]]
    }
}

/// Word `i` of where a run of `count` starts `offset` to the right.
fn starts_at(row: Row<'_>, i: usize, count: usize, offset: usize) -> u64 {
    (0..count).fold(u64::MAX, |starts, by| {
        starts & row.shifted(i, (by + offset) as i32)
    })
}

/// The nearest seats seen so far, nearest first.
struct Near {
    wanted: usize,
    count: usize,
    found: [(usize, usize); SEATS_PER_LEG_MAX],
}

impl Near {
    fn offer(&mut self, distance: usize, seat: usize) {
        let found = &self.found[..self.count];
        if found.iter().any(|(_, known)| *known == seat) {
            return;
        }
        let at = found.partition_point(|(known, _)| *known <= distance);
        if at == self.wanted {
            return;
        }
        self.count = (self.count + 1).min(self.wanted);
        self.found.copy_within(at..self.count - 1, at + 1);
        self.found[at] = (distance, seat);
    }

    /// Whether nothing at this distance can still be among the nearest.
    fn is_closed_at(&self, distance: usize) -> bool {
        self.count == self.wanted && self.found[self.count - 1].0 <= distance
    }

    /// The least the sum can come to when all that was not yet seen is at least so far away.
    fn sum_at_least(&self, distance: usize) -> usize {
        let seen = self.found[..self.count]
            .iter()
            .map(|(known, _)| (*known).min(distance));
        seen.sum::<usize>() + (self.wanted - self.count) * distance
    }

    fn sum(&self) -> usize {
        self.found[..self.count]
            .iter()
            .map(|(distance, _)| distance)
            .sum()
    }
}
