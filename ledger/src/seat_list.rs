//! A short list of seats without an allocation.

use crate::ids::SeatNo;
use crate::limits::SEATS_PER_LEG_MAX;

/// Up to [`SEATS_PER_LEG_MAX`] seats of one section, in the order they were named.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeatList {
    count: u8,
    seats: [SeatNo; SEATS_PER_LEG_MAX],
}

impl SeatList {
    /// The list of `seats`; `None` when there are too many.
    pub fn new(seats: &[SeatNo]) -> Option<Self> {
        let mut list = Self::default();
        list.seats.get_mut(..seats.len())?.copy_from_slice(seats);
        list.count = u8::try_from(seats.len()).ok()?;
        Some(list)
    }

    /// Adds a seat; `false` when the list is full.
    #[must_use]
    pub fn push(&mut self, seat: SeatNo) -> bool {
        let Some(slot) = self.seats.get_mut(usize::from(self.count)) else {
            return false;
        };
        *slot = seat;
        self.count += 1;
        true
    }

    /// The seats.
    pub fn as_slice(&self) -> &[SeatNo] {
        &self.seats[..usize::from(self.count)]
    }
}

impl std::fmt::Debug for SeatList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.as_slice().iter().map(|seat| seat.0))
            .finish()
    }
}
