//! Places as they are kept for the length of a sale.
//!
//! [`Places`] has room for the largest leg and is copied freely; but there is one for every leg of
//! every order, and most people buy two to four seats. Up to six stand in place here, more in an
//! allocation of their own.

use crate::ids::SeatNo;
use crate::outcome::Places;
use crate::seat_list::SeatList;

/// Seats that need no allocation.
const FEW: usize = 6;

/// Places in 16 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kept(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Few { count: u8, seats: [SeatNo; FEW] },
    Many(Box<SeatList>),
    Standing(u8),
}

const _: () = assert!(size_of::<Kept>() <= 16);

impl From<&Places> for Kept {
    fn from(places: &Places) -> Self {
        Self(match places {
            Places::Standing(count) => Kind::Standing(*count),
            Places::Seats(list) => {
                let mut seats = [SeatNo::default(); FEW];
                let named = list.as_slice();
                match seats.get_mut(..named.len()) {
                    Some(few) => {
                        few.copy_from_slice(named);
                        let count = named.len() as u8;
                        Kind::Few { count, seats }
                    }
                    None => Kind::Many(Box::new(*list)),
                }
            }
        })
    }
}

impl Kept {
    /// The places.
    pub(crate) fn places(&self) -> Places {
        match &self.0 {
            Kind::Few { count, seats } => Places::Seats(
                SeatList::new(&seats[..usize::from(*count)]).expect("a few are not too many"),
            ),
            Kind::Many(list) => Places::Seats(**list),
            Kind::Standing(count) => Places::Standing(*count),
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> u16 {
        match &self.0 {
            Kind::Few { count, .. } | Kind::Standing(count) => u16::from(*count),
            Kind::Many(list) => list.as_slice().len() as u16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SEATS_PER_LEG_MAX;

    #[test]
    fn what_is_kept_is_what_was_given_in_its_order_few_or_many() {
        for count in 0..=SEATS_PER_LEG_MAX as u16 {
            let seats: Vec<SeatNo> = (0..count).rev().map(|n| SeatNo(n * 3_700)).collect();
            let places = Places::Seats(SeatList::new(&seats).unwrap());
            let kept = Kept::from(&places);
            assert_eq!((kept.places(), kept.count()), (places, count));
        }
        let kept = Kept::from(&Places::Standing(9));
        assert_eq!((kept.places(), kept.count()), (Places::Standing(9), 9));
    }
}
