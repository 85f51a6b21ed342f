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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Layout, SectionPlan};
    use crate::ids::*;

    /// A section from a picture, a line a row from the front: `.` free, `x` taken, `a` accessible
    /// and free, `A` accessible and taken.
    fn section(picture: &str) -> Section {
        let rows: Vec<&str> = picture.split_whitespace().collect();
        let marks: Vec<char> = rows.concat().chars().collect();
        let all = |wanted: &str| -> Vec<SeatNo> {
            let at = |at: &usize| wanted.contains(marks[*at]);
            (0..marks.len())
                .filter(at)
                .map(|at| SeatNo(at as u16))
                .collect()
        };
        let layout = Layout::Seated {
            rows: rows.len() as u16,
            seats_per_row: rows[0].len() as u16,
            blocked: all("xA"),
            accessible: all("aA"),
        };
        let key = SectionKey {
            event: EventId(1),
            section: SectionNo(0),
        };
        Section::new(
            key,
            0,
            &SectionPlan {
                shard: ShardId(1),
                layout,
                price: 1,
                tier: 0,
            },
        )
    }

    fn seats(section: &Section, count: u8, accessible: bool) -> Vec<u16> {
        let candidates = std::iter::once((0, section));
        match best(candidates, count, accessible) {
            Ok((_, Places::Seats(seats))) => seats.as_slice().iter().map(|seat| seat.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_block_nearest_to_the_middle_of_the_front_row_wins() {
        assert_eq!(
            seats(&section(".......... .........."), 4, false),
            [3, 4, 5, 6]
        );
        // The front's corner is further away than the middle of the second row.
        assert_eq!(
            seats(&section("..xxxxxxxxxxxx .............."), 2, false),
            [20, 21]
        );
        // Two in a row of seven: of two equally near, the left one.
        assert_eq!(seats(&section("......."), 2, false), [2, 3]);
    }

    #[test]
    fn a_single_seat_is_left_alone_only_when_there_is_no_other_way() {
        // In the middle of `.....` three would leave one on each side.
        assert_eq!(seats(&section("....."), 3, false), [0, 1, 2]);
        assert_eq!(seats(&section("x.....x x.....x"), 3, false), [1, 2, 3]);
        // The front row's only place leaves an orphan, the back row's does not.
        assert_eq!(seats(&section("xx...xx xx..xxx"), 2, false), [9, 10]);
        assert_eq!(seats(&section("xx...xx"), 2, false), [2, 3]);
        // Somebody alone takes the orphan that is there rather than making another.
        assert_eq!(seats(&section("..x."), 1, false), [3]);
        // An orphan is avoided across sections too: both were asked for.
        let (first, second) = (section("..."), section("...."));
        let both = [(0, &first), (1, &second)];
        assert_eq!(
            best(both.into_iter(), 2, false).expect("there are seats").0,
            1
        );
    }

    #[test]
    fn candidate_sections_are_tried_in_the_order_given_and_a_block_beats_any_scatter() {
        let (full, split, whole) = (section("xxxx"), section(".x.x"), section("...."));
        let candidates = [(7, &full), (8, &split), (9, &whole)];
        assert_eq!(
            best(candidates.into_iter(), 2, false)
                .expect("there are seats")
                .0,
            9
        );
        let reversed = [(9, &whole), (8, &split), (7, &full)];
        assert_eq!(
            best(reversed.into_iter(), 1, false)
                .expect("there are seats")
                .0,
            9
        );
    }

    #[test]
    fn accessible_seats_are_left_to_those_who_need_them() {
        assert_eq!(seats(&section("...aa... ........"), 2, false), [11, 12]);
        // Unless nothing else is left.
        assert_eq!(seats(&section("xxaaxx xxxxxx"), 2, false), [2, 3]);
        // One accessible seat and ordinary ones beside it, although `aa` is nearer to the middle.
        assert_eq!(seats(&section("..aa..xx"), 2, true), [3, 4]);
        assert_eq!(seats(&section("aax"), 2, true), [0, 1]);
        // No ordinary seat beside it: the nearest ones.
        assert_eq!(seats(&section("xax. x..."), 3, true), [1, 3, 5]);
        let none = section("....A");
        let refused = best(std::iter::once((0, &none)), 1, true);
        assert_eq!(refused, Err(Rejection::NotEnoughSeats { left: 0 }));
    }

    #[test]
    fn without_a_block_people_sit_behind_each_other_then_with_a_gap_then_anywhere_near() {
        assert_eq!(seats(&section("xx..x xx..x x.x.x"), 4, false), [2, 3, 7, 8]);
        assert_eq!(seats(&section("xx..x x...x"), 5, false), [2, 3, 6, 7, 8]);
        assert_eq!(
            seats(&section("..x..xxxx xxxxxxxxx"), 4, false),
            [0, 1, 3, 4]
        );
        assert_eq!(
            seats(&section(".xxxxxxx. xxxxxxxx. x.xxxxxxx"), 3, false),
            [0, 8, 17]
        );
        assert_eq!(
            seats(
                &section(".xxxxxx.xxxx. xxxxxxxxxxxxx xxxxxxxxxxxx."),
                2,
                false
            ),
            [12, 38]
        );
    }

    #[test]
    fn a_refusal_names_the_most_any_candidate_has_left() {
        let (few, more) = (section("..x"), section("...x"));
        let candidates = [(0, &few), (1, &more)];
        let refused = best(candidates.into_iter(), 4, false);
        assert_eq!(refused, Err(Rejection::NotEnoughSeats { left: 3 }));
    }

    /// Goal: the bits choose what the rules in words choose, and it never refuses while enough
    /// seats are left. Method: random sections against a search that tries every block.
    #[test]
    fn it_agrees_with_trying_every_block_and_never_refuses_while_seats_are_left() {
        let mut random = 11u64;
        let mut next = move |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % below
        };
        for _ in 0..3_000 {
            let widest = if next(4) == 0 { 150 } else { 14 };
            let (rows, width) = (1 + next(6), 1 + next(widest));
            let (fill, marked) = (1 + next(5), next(3));
            let mut mark = |_| match (next(5) < fill, marked > 0 && next(8) == 0) {
                (false, false) => '.',
                (false, true) => 'a',
                (true, false) => 'x',
                (true, true) => 'A',
            };
            let lines: Vec<String> = (0..rows)
                .map(|_| (0..width).map(&mut mark).collect())
                .collect();
            let section = section(&lines.join(" "));
            for accessible in [false, true] {
                let count = 1 + next(SEATS_PER_LEG_MAX);
                let answer = best(std::iter::once((0, &section)), count as u8, accessible);
                let free: usize = lines.concat().matches(['.', 'a']).count();
                let serves = free >= count && (!accessible || lines.concat().contains('a'));
                let Ok((_, Places::Seats(chosen))) = answer else {
                    assert!(!serves, "{lines:?} {count} {accessible} {answer:?}");
                    continue;
                };
                assert!(serves);
                assert_eq!(section.check_seats(&chosen), Ok(()));
                let chosen: Vec<usize> =
                    chosen.as_slice().iter().map(|s| usize::from(s.0)).collect();
                assert_eq!(chosen.len(), count);
                let marks: Vec<char> = lines.concat().chars().collect();
                assert!(!accessible || chosen.iter().any(|seat| marks[*seat] == 'a'));
                if let Some(expected) = by_words(&lines, count, accessible) {
                    assert_eq!(chosen[0], expected, "{lines:?} {count} {accessible}");
                    assert_eq!(chosen[count - 1], expected + count - 1);
                }
            }
        }
    }

    /// First seat of the block that the module's rules name, if the first kind of seats tried has
    /// any block at all.
    fn by_words(lines: &[String], count: usize, accessible: bool) -> Option<usize> {
        let width = lines[0].len();
        let mut all = Vec::new();
        for (row, line) in lines.iter().enumerate() {
            let marks: Vec<char> = line.chars().collect();
            let may = |c: Option<&char>| match c {
                Some('.') => true,
                Some('a') => accessible,
                _ => false,
            };
            let at = |c: isize| may(usize::try_from(c).ok().and_then(|c| marks.get(c)));
            for start in 0..(width + 1).saturating_sub(count) {
                let block = &marks[start..start + count];
                let ones = block.iter().filter(|c| **c == 'a').count();
                if !block.iter().all(|c| may(Some(c))) || accessible && ones != 1 {
                    continue;
                }
                let (s, e) = (start as isize, (start + count) as isize);
                let orphan = at(s - 1) && !at(s - 2) || at(e) && !at(e + 1);
                let across = (2 * start + count).abs_diff(width);
                all.push((orphan, (row * 4).pow(2) + across.pow(2), row, start));
            }
        }
        all.into_iter()
            .min()
            .map(|(_, _, row, start)| row * width + start)
    }
}
