//! Whose turn it is: the rule of `ledger/src/queue/admission.rs`, step by step.
//!
//! A bucket of at most a second's worth fills at the rate; nobody is admitted whom nothing is left for: of
//! those admitted within a hold's length one is taken to be served for each place gone, the others are still
//! choosing, and there may be two people for each place left.

use std::collections::VecDeque;

use super::stock::Stock;
use crate::model::calendar::{MILLISECOND, Nanos, SECOND};

const PERSON: u64 = 60_000;
const BURST_MS: u64 = 1_000;
const CHOOSING_MAX: Nanos = 600 * SECOND;
const PEOPLE_PER_PLACE: u64 = 2;
/// A shard tells its stock at most so often.
const STOCK_EVERY: Nanos = SECOND;

/// The cursor.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) cursor: u64,
    pub(super) per_minute: u64,
    window: Nanos,
    credit: u64,
    stepped_at: Option<Nanos>,
    /// Where the cursor was when, and what was left then.
    marks: VecDeque<(Nanos, u64, u64)>,
    told: u64,
    told_at: Nanos,
}

impl Room {
    pub(super) fn new(per_minute: u64, hold: Nanos, seats: u64) -> Self {
        Self {
            cursor: 0,
            per_minute,
            window: hold.min(CHOOSING_MAX),
            credit: 0,
            stepped_at: None,
            marks: VecDeque::new(),
            told: seats,
            told_at: 0,
        }
    }

    /// How many people are admitted.
    pub(super) fn turn(&mut self, now: Nanos, joined: u64, stock: &Stock) -> u64 {
        if now >= self.told_at + STOCK_EVERY {
            (self.told, self.told_at) = (stock.available, now);
        }
        let Some(before) = self.stepped_at.replace(now) else {
            self.marks.push_back((now, self.cursor, self.told));
            return 0;
        };
        let earned = (now - before) / MILLISECOND * self.per_minute;
        let full = PERSON.max(self.per_minute * BURST_MS) + PERSON - 1;
        self.credit = (self.credit + earned).min(full);
        let waiting = joined - self.cursor;
        let admitted = (self.credit / PERSON).min(waiting).min(self.servable(now));
        if admitted > 0 {
            self.credit -= admitted * PERSON;
            self.cursor += admitted;
            self.marks.push_back((now, self.cursor, self.told));
        }
        admitted
    }

    fn servable(&mut self, now: Nanos) -> u64 {
        while self
            .marks
            .get(1)
            .is_some_and(|mark| now - mark.0 >= self.window)
        {
            self.marks.pop_front();
        }
        let Some((_, cursor, available)) = self.marks.front() else {
            return 0;
        };
        let served = available.saturating_sub(self.told);
        let choosing = (self.cursor - cursor).saturating_sub(served);
        (self.told * PEOPLE_PER_PLACE).saturating_sub(choosing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_moves_at_its_rate_and_stops_where_nothing_is_left() {
        let stock = Stock::new(1_000, 1);
        let mut room = Room::new(600, 600 * SECOND, 1_000);
        let mut at = 0;
        let mut turns = |room: &mut Room, stock: &Stock, count: u64| -> u64 {
            let turns = (0..count).map(|_| {
                at += SECOND / 4;
                room.turn(at, 1_000_000, stock)
            });
            turns.sum()
        };
        let minute = turns(&mut room, &stock, 241);
        assert_eq!(minute, 600, "a minute's worth");
        turns(&mut room, &stock, 2_000);
        assert_eq!(room.cursor, 2_000, "two for each place, all still choosing");
        assert_eq!(turns(&mut room, &stock, 100), 0);
    }
}
