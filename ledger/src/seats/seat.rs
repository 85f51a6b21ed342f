//! One numbered seat, and the only moves it can make (P1).
//!
//! ```text
//! Available --hold--> Held --pin--> Pinned --sell--> Sold        Blocked: never moves
//!     ^                |  ^--unpin----|                |
//!     '----release-----'---release----'----refund------'
//! ```
//!
//! A seat is four bytes: what it is, and the number of the leg that has it. Everything else about
//! a hold stands once, in the leg. An illegal move is a bug that would oversell, so it stops the
//! replica.

/// What a seat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatStatus {
    /// For sale.
    Available,
    /// Not for sale.
    Blocked,
    /// Reserved until a deadline.
    Held,
    /// Reserved while a payment is in doubt; no clock ends it.
    Pinned,
    /// Sold.
    Sold,
}

impl SeatStatus {
    /// Whether a seat may go from `self` to `next`.
    pub fn may_become(self, next: Self) -> bool {
        use SeatStatus::*;
        matches!(
            (self, next),
            (Available, Held)
                | (Held, Pinned | Available)
                | (Pinned, Held | Sold | Available)
                | (Sold, Available)
        )
    }
}

/// Number of a leg in the shard's slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LegNo(pub u32);

/// Legs a shard can number: what is left of 32 bits after the status.
pub(super) const LEGS_MAX: u32 = 1 << 29;

/// A seat in four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat(u32);

impl Seat {
    pub(super) const AVAILABLE: Self = Self(0);
    pub(super) const BLOCKED: Self = Self(1 << 29);

    pub(super) fn status(self) -> SeatStatus {
        match self.0 >> 29 {
            0 => SeatStatus::Available,
            1 => SeatStatus::Blocked,
            2 => SeatStatus::Held,
            3 => SeatStatus::Pinned,
            _ => SeatStatus::Sold,
        }
    }

    /// The leg that has it.
    pub(super) fn leg(self) -> Option<LegNo> {
        (self.0 >> 29 >= 2).then_some(LegNo(self.0 & (LEGS_MAX - 1)))
    }

    /// Moves a seat that is `from`, and `leg`'s unless it was available, on to `to`.
    pub(super) fn shift(&mut self, from: SeatStatus, to: SeatStatus, leg: LegNo) {
        assert!(
            self.status() == from && from.may_become(to),
            "{self:?}: {from:?} to {to:?}"
        );
        assert!(
            self.leg().is_none_or(|owner| owner == leg),
            "only its own leg moves a seat"
        );
        *self = Self::of(to, leg);
    }

    fn of(status: SeatStatus, leg: LegNo) -> Self {
        debug_assert!(leg.0 < LEGS_MAX);
        match status {
            SeatStatus::Available => Self::AVAILABLE,
            SeatStatus::Blocked => Self::BLOCKED,
            SeatStatus::Held => Self((2 << 29) | leg.0),
            SeatStatus::Pinned => Self((3 << 29) | leg.0),
            SeatStatus::Sold => Self((4 << 29) | leg.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SeatStatus::*;
    use super::*;

    #[test]
    fn a_seat_walks_from_available_to_sold_and_back_through_legal_moves_only() {
        let leg = LegNo(77);
        let mut seat = Seat::AVAILABLE;
        for (from, to) in [
            (Available, Held),
            (Held, Pinned),
            (Pinned, Held),
            (Held, Pinned),
            (Pinned, Sold),
            (Sold, Available),
        ] {
            seat.shift(from, to, leg);
            assert_eq!(seat.status(), to);
            assert_eq!(seat.leg(), (to != Available).then_some(leg));
        }
        assert!(!Available.may_become(Sold) && !Held.may_become(Sold) && !Sold.may_become(Held));
        assert!(
            [Available, Held, Pinned, Sold]
                .iter()
                .all(|s| !Blocked.may_become(*s))
        );
    }

    #[test]
    #[should_panic(expected = "only its own leg")]
    fn a_leg_cannot_move_the_seat_of_another() {
        let mut seat = Seat::AVAILABLE;
        seat.shift(Available, Held, LegNo(1));
        seat.shift(Held, Available, LegNo(2));
    }
}
