//! Answers. A rejection is a healthy ledger's answer, not an error: it is replicated, has a
//! stable number, and changed nothing.

use crate::command::CloseReason;
use crate::ids::*;
use crate::seat_list::SeatList;

/// The answer to a command.
pub type Outcome = Result<Receipt, Rejection>;

/// What one leg holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeldLeg {
    /// Which leg of the order.
    pub leg: u8,
    /// The section chosen.
    pub section: SectionNo,
    /// The places.
    pub places: Places,
    /// Number of the hold.
    pub generation: Generation,
    /// Price of one place, minor units.
    pub price_each: u64,
}

/// Places of one section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Places {
    /// Numbered seats.
    Seats(SeatList),
    /// So many places without numbers.
    Standing(u8),
}

impl Places {
    /// How many.
    pub fn count(&self) -> u16 {
        match self {
            Self::Seats(seats) => seats.as_slice().len() as u16,
            Self::Standing(count) => u16::from(*count),
        }
    }
}

/// Where an order stands, in a word. `Order::state` has the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderPhase {
    /// Its legs are being held.
    Opening,
    /// Held, waiting for its buyer to pay.
    Held,
    /// A payment runs (pins, authorization).
    Paying,
    /// The payment's outcome is unknown, or it is being cancelled.
    InDoubt,
    /// Authorized, the commit point: seats are being sold, money captured.
    Committed,
    /// Sold, captured, tickets issued.
    Paid,
    /// Money is going back.
    Refunding,
    /// Money went back.
    Refunded,
    /// Over, nothing charged.
    Closed(CloseReason),
}

/// What a command did. Past tense.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// The event (this version or a newer one) is known here.
    EventInstalled,
    /// Indexes in the waiting room, one a buyer, in the command's order.
    QueueJoined {
        /// Index of each buyer.
        indexes: Vec<u64>,
    },
    /// Opened; its legs are to be held by `until`.
    OrderOpened {
        /// When the holds end.
        until: Timestamp,
    },
    /// All seats are held.
    OrderHeld {
        /// When the holds end.
        until: Timestamp,
        /// What each leg got.
        legs: Vec<HeldLeg>,
    },
    /// This leg's seats are held.
    LegHeld(HeldLeg),
    /// This leg gets nothing, now and for ever: several doors may ask for one leg, and all of them
    /// have to hear the same.
    LegRefused(Rejection),
    /// The order is over.
    OrderClosed,
    /// Where the order's payment stands.
    Payment {
        /// The order's phase.
        phase: OrderPhase,
    },
    /// Everything up to this message has been received.
    Delivered {
        /// Number of the last message.
        through: u64,
    },
    /// The outbox has forgotten what was acknowledged.
    Acknowledged,
    /// So many due things were handled.
    Ticked {
        /// How many.
        swept: u32,
    },
    /// So many holds were extended.
    HoldsExtended {
        /// How many.
        holds: u32,
        /// By so much.
        by_ms: u64,
    },
}

/// Why nothing was changed. A fact; in the order they are checked; numbered for ever by
/// [`Rejection::number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// The bytes are no command this release knows.
    #[error("the command could not be understood")]
    Malformed,
    /// No such event here.
    #[error("no such event")]
    EventUnknown,
    /// The event was installed before with other sections.
    #[error("this event exists with other content")]
    EventExistsWithDifferentContent,
    /// A plan breaks a bound.
    #[error("the event's plan breaks a limit")]
    EventInvalid,
    /// The event has no waiting room.
    #[error("this event has no waiting room")]
    QueueNone,
    /// The waiting room takes nobody any more.
    #[error("the waiting room is closed")]
    QueueClosed,
    /// The lobby is full.
    #[error("the waiting room is full")]
    QueueFull,
    /// Before `opens_at`.
    #[error("the sale has not opened yet")]
    SaleNotOpen,
    /// Paused by the organizer.
    #[error("the sale is paused")]
    SalePaused,
    /// Closed by the organizer.
    #[error("the sale is closed")]
    SaleClosed,
    /// Too many unacknowledged messages; try again.
    #[error("the shard is catching up")]
    Overloaded,
    /// The id names another home shard.
    #[error("this order belongs to another shard")]
    WrongShard,
    /// The same order id came with other content.
    #[error("this order exists with other content")]
    OrderExistsWithDifferentContent,
    /// No legs, too many legs, zero seats, too many seats, the same section twice, ...
    #[error("the order's legs are not well formed")]
    OrderInvalid,
    /// A section number the event does not have.
    #[error("no such section")]
    SectionUnknown {
        /// Which.
        section: SectionNo,
    },
    /// A seat number the section does not have, or numbered seats of a standing section.
    #[error("no such seat")]
    SeatUnknown {
        /// The section.
        section: SectionNo,
        /// Which.
        seat: SeatNo,
    },
    /// More seats than one order may have.
    #[error("more than {max} seats in one order")]
    OrderSeatsMax {
        /// The bound.
        max: u16,
    },
    /// The event wants a pass and none was given.
    #[error("a pass from the waiting room is needed")]
    PassRequired,
    /// The pass is over.
    #[error("the pass has ended")]
    PassExpired,
    /// Another pass of this person was used before.
    #[error("the pass was used before")]
    PassSpent,
    /// More seats than one person may have.
    #[error("only {left} more seats for this person")]
    BuyerSeatsMax {
        /// What is left of the allowance.
        left: u16,
    },
    /// No such order.
    #[error("no such order")]
    OrderUnknown,
    /// The order belongs to somebody else.
    #[error("this order belongs to somebody else")]
    OrderNotOfBuyer,
    /// The order is over.
    #[error("the order is over")]
    OrderOver {
        /// Why.
        why: CloseReason,
    },
    /// Its legs are still being held; try again at once.
    #[error("the order is still being held")]
    OrderNotHeldYet,
    /// Its time has run out.
    #[error("the hold has ended")]
    HoldExpired,
    /// A payment runs or is done; it can no longer be given back or paid anew.
    #[error("the order is being paid")]
    OrderInPayment,
    /// Declined too often.
    #[error("no payment attempts left")]
    PaymentAttemptsMax,
    /// An answer to an earlier try, or to a call nobody waits for.
    #[error("the payment answer is stale")]
    PaymentStale,
    /// Not paid, so nothing to refund.
    #[error("the order has not been paid")]
    RefundImpossible,
    /// A text is longer than allowed.
    #[error("a text is too long")]
    TextTooLong,
    /// A seat is held, pinned, sold or blocked.
    #[error("a seat is taken")]
    SeatNotAvailable {
        /// The section.
        section: SectionNo,
        /// The first such seat.
        seat: SeatNo,
    },
    /// No such seats together (best available), or not enough places.
    #[error("not enough seats are left")]
    NotEnoughSeats {
        /// The largest number of places left in any one candidate section.
        left: u32,
    },
    /// The order's leg was released before; nothing is held for it any more.
    #[error("this leg is over")]
    LegOver,
    /// No such leg.
    #[error("no such leg")]
    LegUnknown,
    /// A message is missing before these.
    #[error("expected message {expected}")]
    DeliveryGap {
        /// Number of the next message.
        expected: u64,
    },
    /// A command for the past: its number is behind what is installed.
    #[error("an older version")]
    VersionOld,
}

impl Rejection {
    /// Its number for ever, on the wire and on disk. Never reused.
    pub fn number(self) -> u32 {
        match self {
            Self::Malformed => 1,
            Self::EventUnknown => 2,
            Self::EventExistsWithDifferentContent => 3,
            Self::EventInvalid => 4,
            Self::QueueNone => 5,
            Self::QueueClosed => 6,
            Self::QueueFull => 7,
            Self::SaleNotOpen => 8,
            Self::SalePaused => 9,
            Self::SaleClosed => 10,
            Self::Overloaded => 11,
            Self::WrongShard => 12,
            Self::OrderExistsWithDifferentContent => 13,
            Self::OrderInvalid => 14,
            Self::SectionUnknown { .. } => 15,
            Self::SeatUnknown { .. } => 16,
            Self::OrderSeatsMax { .. } => 17,
            Self::PassRequired => 18,
            Self::PassExpired => 19,
            Self::PassSpent => 20,
            Self::BuyerSeatsMax { .. } => 21,
            Self::OrderUnknown => 22,
            Self::OrderNotOfBuyer => 23,
            Self::OrderOver { .. } => 24,
            Self::OrderNotHeldYet => 25,
            Self::HoldExpired => 26,
            Self::OrderInPayment => 27,
            Self::PaymentAttemptsMax => 28,
            Self::PaymentStale => 29,
            Self::RefundImpossible => 30,
            Self::TextTooLong => 31,
            Self::SeatNotAvailable { .. } => 32,
            Self::NotEnoughSeats { .. } => 33,
            Self::LegOver => 34,
            Self::LegUnknown => 35,
            Self::DeliveryGap { .. } => 36,
            Self::VersionOld => 37,
        }
    }

    /// Whether the same command may be answered differently a moment later.
    pub fn transient(self) -> bool {
        matches!(
            self,
            Self::SaleNotOpen
                | Self::SalePaused
                | Self::Overloaded
                | Self::OrderNotHeldYet
                | Self::OrderInPayment
                | Self::SeatNotAvailable { .. }
                | Self::NotEnoughSeats { .. }
                | Self::DeliveryGap { .. }
                | Self::EventUnknown
        )
    }
}
