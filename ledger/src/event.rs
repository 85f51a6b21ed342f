//! What a shard must know of an event to decide by itself.

use crate::ids::{EventId, SeatNo, SectionNo, ShardId, Timestamp};

/// An event's rules, the same in every shard. A higher `version` replaces a lower one; sections
/// never change once installed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventPlan {
    /// The show.
    pub event: EventId,
    /// Grows with every change of `rules`.
    pub version: u64,
    /// What may change while it sells.
    pub rules: EventRules,
    /// All its sections, in order: entry `i` is section number `i`.
    pub sections: Vec<SectionPlan>,
}

/// Rules of a sale.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventRules {
    /// Whether it sells.
    pub sale: Sale,
    /// When the sale opens by itself.
    pub opens_at: Timestamp,
    /// How long a hold lasts, in ms.
    pub hold_ms: u64,
    /// Seats in one order.
    pub order_seats_max: u16,
    /// Seats one person may have at this event, held and bought together.
    pub buyer_seats_max: u16,
    /// ISO 4217 code of all prices.
    pub currency: [u8; 3],
    /// The waiting room, if there is one.
    pub queue: Option<QueueRules>,
    /// The shard that keeps the waiting room.
    pub room_shard: ShardId,
}

/// Whether an event sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sale {
    /// From `opens_at` on.
    Scheduled,
    /// Now, whatever `opens_at` says.
    Open,
    /// For the moment not: nobody is admitted, no new order opens; holds and payments go on.
    Paused,
    /// Not any more.
    Closed,
}

/// Rules of a waiting room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueRules {
    /// People admitted a minute; 0 admits nobody.
    pub admit_per_minute: u32,
    /// The operator's secret behind the draw. Its SHA-256 is published when the event is created,
    /// the secret itself after the draw.
    pub secret: [u8; 32],
    /// A public value nobody here could choose (a lottery's numbers, a block's hash), if any.
    pub beacon: Vec<u8>,
}

/// One section.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SectionPlan {
    /// The shard that owns its seats, for ever.
    pub shard: ShardId,
    /// How its places are arranged.
    pub layout: Layout,
    /// Price of one place in minor units of the event's currency.
    pub price: u64,
    /// Zone, for filters; smaller is better.
    pub tier: u16,
}

/// How a section's places are arranged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Numbered seats, row by row.
    Seated {
        /// Rows, from the front.
        rows: u16,
        /// Seats in each row.
        seats_per_row: u16,
        /// Seats that are not for sale, sorted.
        blocked: Vec<SeatNo>,
        /// Seats for wheelchair users, sorted; the seats beside them serve as companions'.
        accessible: Vec<SeatNo>,
    },
    /// Places without numbers (general admission).
    Standing {
        /// How many people fit.
        capacity: u32,
    },
}

impl Layout {
    /// Places, blocked ones included.
    pub fn capacity(&self) -> u32 {
        match self {
            Self::Seated {
                rows,
                seats_per_row,
                ..
            } => u32::from(*rows) * u32::from(*seats_per_row),
            Self::Standing { capacity } => *capacity,
        }
    }
}

impl EventPlan {
    /// The plan of a section.
    pub fn section(&self, section: SectionNo) -> Option<&SectionPlan> {
        self.sections.get(usize::from(section.0))
    }

    /// Whether the event sells at `now`: the rejection, if not.
    pub fn selling(&self, now: Timestamp) -> Result<(), crate::Rejection> {
        match self.rules.sale {
            Sale::Closed => Err(crate::Rejection::SaleClosed),
            Sale::Paused => Err(crate::Rejection::SalePaused),
            Sale::Scheduled if now < self.rules.opens_at => Err(crate::Rejection::SaleNotOpen),
            Sale::Scheduled | Sale::Open => Ok(()),
        }
    }
}
