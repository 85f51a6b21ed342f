//! The part of an order in one section's shard, as home knows it.
//!
//! A leg that is not held yet remembers what was asked for, because the courier may have to ask
//! again. Once it holds, that is only needed to tell a repeated request from another one, so a
//! mark of it is left: there is a leg for every few seats of every sale.

use super::saved::{Asked, SavedOrderLeg};
use crate::command::{LegWant, Want};
use crate::ids::*;
use crate::kept::Kept;
use crate::outcome::{HeldLeg, Places};
use crate::table::hash_of;

/// A leg, in 48 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderLeg {
    /// The shard that owns its seats.
    pub shard: ShardId,
    place: Place,
    /// Pins sent and not answered yet. Messages of a pair of shards keep their order, so only the
    /// answer that brings this to 0 speaks of the newest pin: an older one may have been undone.
    pub pins_unanswered: u8,
    /// Whether the newest pin was confirmed.
    pub pinned: bool,
    /// Whether it is sold and its tickets are those that follow from its id.
    pub(super) sold: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Wanted(Box<Want>),
    Held(Hold),
}

/// A [`HeldLeg`] without its number, which is the leg's place in its order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Hold {
    section: SectionNo,
    places: Kept,
    generation: Generation,
    price_each: u64,
    asked: u32,
}

const _: () = assert!(size_of::<OrderLeg>() <= 48);

impl OrderLeg {
    /// Nothing is held for it yet.
    pub(super) fn wanted(leg: &LegWant) -> Self {
        Self::new(leg.shard, Place::Wanted(Box::new(leg.want.clone())))
    }

    /// It was held in the entry that opened it.
    pub(super) fn held_at_once(leg: &LegWant, held: &HeldLeg) -> Self {
        Self::new(leg.shard, Place::Held(Hold::new(held, mark(&leg.want))))
    }

    fn new(shard: ShardId, place: Place) -> Self {
        Self {
            shard,
            place,
            pins_unanswered: 0,
            pinned: false,
            sold: false,
        }
    }

    /// It holds these places now.
    pub(super) fn hold(&mut self, held: &HeldLeg) {
        self.place = Place::Held(Hold::new(held, self.asked_mark()));
    }

    /// What was asked for: known while it is not held, and after that when exactly what was asked
    /// for is what it holds.
    pub fn want(&self) -> Option<Want> {
        match &self.place {
            Place::Wanted(want) => Some((**want).clone()),
            Place::Held(hold) => Some(hold.exactly()).filter(|want| mark(want) == hold.asked),
        }
    }

    /// Whether this is what was asked for. Told by 32 bits once it holds: whoever makes two wishes
    /// collide under an order of their own is answered with what they hold already.
    pub(super) fn asked_for(&self, leg: &LegWant) -> bool {
        self.shard == leg.shard
            && match &self.place {
                Place::Wanted(want) => **want == leg.want,
                Place::Held(hold) => hold.asked == mark(&leg.want),
            }
    }

    /// A mark of what was asked for.
    pub(super) fn asked_mark(&self) -> u32 {
        match &self.place {
            Place::Wanted(want) => mark(want),
            Place::Held(hold) => hold.asked,
        }
    }

    /// Whether it holds its places.
    pub fn is_held(&self) -> bool {
        matches!(self.place, Place::Held(_))
    }

    /// What it got; it is leg `number` of its order.
    pub fn held(&self, number: u8) -> Option<HeldLeg> {
        self.as_hold().map(|hold| HeldLeg {
            leg: number,
            section: hold.section,
            places: hold.places.places(),
            generation: hold.generation,
            price_each: hold.price_each,
        })
    }

    /// Number of its hold.
    pub fn generation(&self) -> Option<Generation> {
        self.as_hold().map(|hold| hold.generation)
    }

    /// How many places are wanted or held.
    pub fn count(&self) -> u16 {
        match &self.place {
            Place::Wanted(want) => want.count(),
            Place::Held(hold) => hold.places.count(),
        }
    }

    /// What it costs, in minor units; 0 before it is held.
    pub(crate) fn amount(&self) -> u64 {
        self.as_hold().map_or(0, |hold| {
            hold.price_each
                .saturating_mul(u64::from(hold.places.count()))
        })
    }

    fn as_hold(&self) -> Option<&Hold> {
        match &self.place {
            Place::Held(hold) => Some(hold),
            Place::Wanted(_) => None,
        }
    }

    /// For a snapshot, as leg `number`; its order adds the tickets.
    pub(super) fn save(&self, number: u8) -> SavedOrderLeg {
        SavedOrderLeg {
            shard: self.shard,
            asked: match self.want() {
                Some(want) => Asked::Want(want),
                None => Asked::Mark(self.asked_mark()),
            },
            held: self.held(number),
            pins_unanswered: self.pins_unanswered,
            pinned: self.pinned,
            tickets: Vec::new(),
        }
    }

    /// From a snapshot. `None`: it neither holds nor says what it wants.
    pub(super) fn restored(saved: &SavedOrderLeg) -> Option<Self> {
        let place = match (&saved.held, &saved.asked) {
            (None, Asked::Mark(_)) => return None,
            (None, Asked::Want(want)) => Place::Wanted(Box::new(want.clone())),
            (Some(held), Asked::Want(want)) => Place::Held(Hold::new(held, mark(want))),
            (Some(held), Asked::Mark(asked)) => Place::Held(Hold::new(held, *asked)),
        };
        Some(Self {
            pins_unanswered: saved.pins_unanswered,
            pinned: saved.pinned,
            ..Self::new(saved.shard, place)
        })
    }
}

impl Hold {
    fn new(held: &HeldLeg, asked: u32) -> Self {
        Self {
            section: held.section,
            places: Kept::from(&held.places),
            generation: held.generation,
            price_each: held.price_each,
            asked,
        }
    }

    /// The wish for exactly what it holds.
    fn exactly(&self) -> Want {
        let section = self.section;
        match self.places.places() {
            Places::Seats(seats) => Want::Seats { section, seats },
            Places::Standing(count) => Want::Standing { section, count },
        }
    }
}

/// 32 bits that tell a wish from others. Kept in snapshots, so it stays as it is for ever.
pub(super) fn mark(want: &Want) -> u32 {
    let hash = match want {
        Want::Seats { section, seats } => hash_of(&(1u8, section, seats.as_slice())),
        Want::Standing { section, count } => hash_of(&(2u8, section, count)),
        Want::Best {
            sections,
            count,
            accessible,
        } => hash_of(&(3u8, sections.as_slice(), count, accessible)),
    };
    (hash >> 32) as u32
}

/// The legs of an order. Most orders have one, which then needs no allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LegList(List);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum List {
    One(OrderLeg),
    Many(Box<[OrderLeg]>),
}

impl LegList {
    /// `count` legs, made one after the other, or the first failure.
    pub(super) fn make<E>(
        count: usize,
        mut make: impl FnMut(usize) -> Result<OrderLeg, E>,
    ) -> Result<Self, E> {
        Ok(Self(if count == 1 {
            List::One(make(0)?)
        } else {
            List::Many((0..count).map(make).collect::<Result<_, E>>()?)
        }))
    }
}

impl std::ops::Deref for LegList {
    type Target = [OrderLeg];

    fn deref(&self) -> &[OrderLeg] {
        match &self.0 {
            List::One(leg) => std::slice::from_ref(leg),
            List::Many(legs) => legs,
        }
    }
}

impl std::ops::DerefMut for LegList {
    fn deref_mut(&mut self) -> &mut [OrderLeg] {
        match &mut self.0 {
            List::One(leg) => std::slice::from_mut(leg),
            List::Many(legs) => legs,
        }
    }
}
