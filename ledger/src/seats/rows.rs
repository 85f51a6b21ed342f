//! Which seats of a section are free, a bit a seat, row by row, with a count for each row.
//!
//! Best available asks for runs of free seats; with bits that is a few shifts for 64 seats, and a
//! row without enough free seats is skipped by its count alone. Nothing here decides anything: it
//! mirrors the seats and can be rebuilt from them.

/// The free seats of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FreeRows {
    seats_per_row: usize,
    words_per_row: usize,
    words: Vec<u64>,
    counts: Vec<u16>,
}

impl FreeRows {
    /// Nothing free yet.
    pub(super) fn new(rows: u16, seats_per_row: u16) -> Self {
        let words_per_row = usize::from(seats_per_row).div_ceil(64);
        Self {
            seats_per_row: usize::from(seats_per_row),
            words_per_row,
            words: vec![0; usize::from(rows) * words_per_row],
            counts: vec![0; usize::from(rows)],
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.counts.len()
    }

    pub(super) fn seats_per_row(&self) -> usize {
        self.seats_per_row
    }

    /// Free seats in a row.
    pub(super) fn count(&self, row: usize) -> usize {
        usize::from(self.counts[row])
    }

    /// Marks a seat free or taken.
    pub(super) fn set(&mut self, seat: usize, free: bool) {
        let (row, column) = (seat / self.seats_per_row, seat % self.seats_per_row);
        let word = &mut self.words[row * self.words_per_row + column / 64];
        let bit = 1 << (column % 64);
        if (*word & bit != 0) != free {
            *word ^= bit;
            if free {
                self.counts[row] += 1;
            } else {
                self.counts[row] -= 1;
            }
        }
    }

    /// The bits of a row.
    pub(super) fn row(&self, row: usize) -> Row<'_> {
        let from = row * self.words_per_row;
        Row {
            words: &self.words[from..from + self.words_per_row],
            hidden: &[],
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.words.capacity() * 8 + self.counts.capacity() * 2
    }
}

/// A row's bits, less some that are hidden from the search.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    words: &'a [u64],
    hidden: &'a [u64],
}

impl<'a> Row<'a> {
    /// The same row without the seats of `other`.
    pub(super) fn without(self, other: Row<'a>) -> Self {
        Self {
            words: self.words,
            hidden: other.words,
        }
    }

    /// 64-bit words in the row.
    pub(super) fn len(self) -> usize {
        self.words.len()
    }

    /// Word `i`; everything outside the row is taken.
    pub(super) fn word(self, i: isize) -> u64 {
        let Ok(i) = usize::try_from(i) else { return 0 };
        self.words
            .get(i)
            .map_or(0, |word| word & !self.hidden.get(i).copied().unwrap_or(0))
    }

    /// Word `i` of the row shifted so that bit `c` tells of seat `c + by`; `by` within ±63.
    pub(super) fn shifted(self, i: usize, by: i32) -> u64 {
        let i = i as isize;
        match by {
            0 => self.word(i),
            1.. => (self.word(i) >> by) | (self.word(i + 1) << (64 - by)),
            _ => (self.word(i) << -by) | (self.word(i - 1) >> (64 + by)),
        }
    }

    /// Whether the seat at `column` is free.
    pub(super) fn has(self, column: usize) -> bool {
        self.word((column / 64) as isize) >> (column % 64) & 1 == 1
    }

    /// Whether the two rows have a seat in common.
    pub(super) fn intersects(self, other: Row<'_>) -> bool {
        (0..self.len() as isize).any(|i| self.word(i) & other.word(i) != 0)
    }

    /// Word `i` of where a run of `count` free seats may start.
    pub(super) fn starts(self, i: usize, count: usize) -> u64 {
        (0..count as i32).fold(u64::MAX, |starts, by| {
            if starts == 0 {
                0
            } else {
                starts & self.shifted(i, by)
            }
        })
    }

    /// Word `i` of the starts at which a block of `count` would leave a single seat alone on
    /// its left or right.
    pub(super) fn orphaning(self, i: usize, count: usize) -> u64 {
        let after = count as i32;
        let left = self.shifted(i, -1) & !self.shifted(i, -2);
        let right = self.shifted(i, after) & !self.shifted(i, after + 1);
        left | right
    }

    /// The free seats, from the left.
    pub(super) fn columns(self) -> impl Iterator<Item = usize> + 'a {
        (0..self.len()).flat_map(move |i| {
            let mut word = self.word(i as isize);
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                (word != 0).then(|| {
                    word &= word - 1;
                    i * 64 + bit
                })
            })
        })
    }
}

/// The set bit of a row of words nearest to `twice / 2`; of two equally near, the lower.
/// The middle of a row may lie between two seats, hence the doubling.
pub(super) fn nearest_bit(
    words: usize,
    twice: usize,
    word: impl Fn(usize) -> u64,
) -> Option<usize> {
    let below_from = twice / 2;
    let below = find_down(words, below_from, &word);
    let above = find_up(words, below_from + 1, &word);
    match (below, above) {
        (Some(low), Some(high)) => Some(if twice - 2 * low <= 2 * high - twice {
            low
        } else {
            high
        }),
        (low, high) => low.or(high),
    }
}

fn find_down(words: usize, from: usize, word: &impl Fn(usize) -> u64) -> Option<usize> {
    let first = (from / 64).min(words.checked_sub(1)?);
    (0..=first).rev().find_map(|i| {
        let mask = if i == from / 64 {
            u64::MAX >> (63 - from % 64)
        } else {
            u64::MAX
        };
        let bits = word(i) & mask;
        (bits != 0).then(|| i * 64 + 63 - bits.leading_zeros() as usize)
    })
}

fn find_up(words: usize, from: usize, word: &impl Fn(usize) -> u64) -> Option<usize> {
    (from / 64..words).find_map(|i| {
        let mask = if i == from / 64 {
            u64::MAX << (from % 64)
        } else {
            u64::MAX
        };
        let bits = word(i) & mask;
        (bits != 0).then(|| i * 64 + bits.trailing_zeros() as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: shifts across words are right. Method: random rows of 1 to 200 seats, each question
    /// asked of the bits and of a plain list.
    #[test]
    fn bits_answer_like_a_plain_list_of_seats() {
        let mut random = 3u64;
        let mut next = move || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize
        };
        for _ in 0..400 {
            let width = 1 + next() % 200;
            let mut rows = FreeRows::new(1, width as u16);
            let free: Vec<bool> = (0..width).map(|_| next() % 4 > 0).collect();
            (0..width).for_each(|seat| rows.set(seat, free[seat]));
            let at = |c: isize| usize::try_from(c).is_ok_and(|c| free.get(c) == Some(&true));
            let row = rows.row(0);
            assert_eq!(rows.count(0), free.iter().filter(|f| **f).count());
            assert!(row.columns().eq((0..width).filter(|c| free[*c])));
            let count = 1 + next() % 16;
            for c in 0..width {
                let bit = |word: u64| word >> (c % 64) & 1 == 1;
                let s = c as isize;
                let run = (0..count as isize).all(|j| at(s + j));
                assert_eq!(bit(row.starts(c / 64, count)), run);
                let end = s + count as isize;
                let orphan = at(s - 1) && !at(s - 2) || at(end) && !at(end + 1);
                assert_eq!(bit(row.orphaning(c / 64, count)), orphan);
            }
            let twice = next() % (2 * width + 3);
            let nearest = nearest_bit(row.len(), twice, |i| row.word(i as isize));
            let expected = (0..width)
                .filter(|c| free[*c])
                .min_by_key(|c| (2 * c).abs_diff(twice));
            assert_eq!(nearest, expected);
        }
    }
}
