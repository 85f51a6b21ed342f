//! What is left. There are no seats here, only how many: whether one that somebody saw is still free follows
//! from how many were taken since.

use crate::model::chance::Chance;

/// What somebody saw on a seat map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) revision: u64,
    taken: u64,
    available: u64,
}

/// The event's seats.
#[derive(Debug)]
pub(super) struct Stock {
    pub(super) available: u64,
    pub(super) held: u64,
    pub(super) sold: u64,
    revision: u64,
    /// Seats ever held.
    taken: u64,
    crowding: u32,
}

impl Stock {
    pub(super) fn new(seats: u64, crowding: u32) -> Self {
        Self {
            available: seats,
            held: 0,
            sold: 0,
            revision: 0,
            taken: 0,
            crowding,
        }
    }

    pub(super) fn look(&self) -> Seen {
        Seen {
            revision: self.revision,
            taken: self.taken,
            available: self.available,
        }
    }

    /// Holds so many seats, or none. Named ones (not `best`) were free when they were `seen`: each of them was
    /// taken since with a chance of (seats taken since) / (seats free then), `crowding` times as likely as
    /// any other, because people want the same.
    pub(super) fn hold(&mut self, seats: u32, seen: Seen, best: bool, chance: &mut Chance) -> bool {
        let count = u64::from(seats);
        if self.available < count {
            return false;
        }
        if !best {
            let since = (self.taken - seen.taken) as f64 * f64::from(self.crowding);
            let gone = (since / seen.available.max(1) as f64).min(1.0);
            if (0..seats).any(|_| chance.happens(gone)) {
                return false;
            }
        }
        self.available -= count;
        self.held += count;
        self.taken += count;
        self.revision += 1;
        true
    }

    pub(super) fn sell(&mut self, seats: u32) {
        self.held -= u64::from(seats);
        self.sold += u64::from(seats);
        self.revision += 1;
    }

    pub(super) fn give_back(&mut self, seats: u32) {
        self.held -= u64::from(seats);
        self.available += u64::from(seats);
        self.revision += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_seen_free_is_taken_the_likelier_the_more_were_taken_since() {
        let mut chance = Chance::new(1, 1);
        let mut stock = Stock::new(1_000, 1);
        let seen = stock.look();
        assert!(
            stock.hold(4, seen, false, &mut chance),
            "nobody came before"
        );
        for _ in 0..124 {
            assert!(stock.hold(4, stock.look(), true, &mut chance));
        }
        // Half of what was seen is gone: one seat is there with one half.
        let mut granted = 0;
        for _ in 0..1_000 {
            if stock.hold(1, seen, false, &mut chance) {
                granted += 1;
                stock.give_back(1);
                stock.taken -= 1;
            }
        }
        assert!((450..550).contains(&granted), "{granted}");
        assert!(
            !stock.hold(501, stock.look(), true, &mut chance),
            "500 are left"
        );
        stock.sell(4);
        assert_eq!((stock.available, stock.held, stock.sold), (500, 496, 4));
    }
}
