//! What shards tell each other. Delivered at least once and in order a pair of shards; the inbox
//! makes it exactly once.

use crate::command::HoldLeg;
use crate::ids::*;
use crate::outcome::{HeldLeg, Rejection};

/// A message from one shard to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Home to leg: hold these seats (the courier's repeat of the door's command).
    Hold(Box<HoldLeg>),
    /// Leg to home: held.
    LegHeld {
        /// The order.
        order: OrderId,
        /// What it got.
        held: HeldLeg,
    },
    /// Leg to home: could not be held.
    LegRefused {
        /// Which leg.
        leg: LegKey,
        /// Why.
        why: Rejection,
    },
    /// Home to leg: a payment starts; from now on no clock ends this hold.
    Pin {
        /// Which leg.
        leg: LegKey,
        /// Of which hold.
        generation: Generation,
    },
    /// Leg to home: pinned.
    LegPinned {
        /// Which leg.
        leg: LegKey,
    },
    /// Leg to home: that hold is over.
    PinRefused {
        /// Which leg.
        leg: LegKey,
    },
    /// Home to leg: the payment failed; the hold runs again, until this deadline.
    Unpin {
        /// Which leg.
        leg: LegKey,
        /// Its deadline.
        until: Timestamp,
    },
    /// Home to leg: sold. Follows the commit point; cannot be refused.
    Sell {
        /// Which leg.
        leg: LegKey,
    },
    /// Leg to home: sold, with these tickets.
    LegSold {
        /// Which leg.
        leg: LegKey,
        /// One ticket a place.
        tickets: Vec<TicketId>,
    },
    /// Home to leg: the order is over; free the seats (sold ones too, after a refund), and hold
    /// nothing for it ever again.
    Release {
        /// Which leg.
        leg: LegKey,
    },
    /// Home to leg: an outage extended the hold.
    Extend {
        /// Which leg.
        leg: LegKey,
        /// Its new deadline.
        until: Timestamp,
    },
    /// Section's shard to the waiting room's: how much is left there of an event.
    Stock {
        /// The show.
        event: EventId,
        /// Places for sale.
        available: u32,
        /// Places held or pinned, which may come back.
        held: u32,
    },
}
