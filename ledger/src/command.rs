//! All that can change a ledger.

use crate::event::{EventPlan, EventRules};
use crate::ids::*;
use crate::message::Message;
use crate::outcome::HeldLeg;
use crate::payment::{PaymentResult, PaymentStep};
use crate::seat_list::SeatList;

/// Time and chance of a log entry, drawn by the leader that proposed it. Commands of one entry
/// share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The leader's clock.
    pub at: Timestamp,
    /// 32 unpredictable bytes.
    pub draw: [u8; 32],
}

/// A request to change the ledger. Imperative; answered by an [`crate::Outcome`].
///
/// Every command may be repeated: the same content gets the same receipt, other content under
/// the same id is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Makes an event known to this shard. From the system group.
    InstallEvent(Box<EventPlan>),
    /// Replaces an event's rules when `version` is higher than what the shard has.
    SetRules {
        /// The show.
        event: EventId,
        /// Grows with every change.
        version: u64,
        /// The new rules.
        rules: Box<EventRules>,
    },
    /// Puts people into the event's waiting room. A person who is in it keeps their index.
    JoinQueue {
        /// The show.
        event: EventId,
        /// Who joins, in order of arrival.
        buyers: Vec<BuyerId>,
    },
    /// Opens an order at its home: spends the pass, takes from the allowance, records the legs.
    /// When this shard owns every leg too, the seats are held in the same entry.
    OpenOrder(Box<OpenOrder>),
    /// Holds the seats of one leg, all or nothing. At the leg's shard.
    HoldLeg(Box<HoldLeg>),
    /// Tells home that every leg holds its seats.
    RecordHeld {
        /// The order.
        order: OrderId,
        /// What each leg got, leg by leg.
        legs: Vec<HeldLeg>,
    },
    /// Gives an order up before it is paid: its seats and allowance go back.
    CloseOrder {
        /// The order.
        order: OrderId,
        /// Its buyer; somebody else's order is refused.
        buyer: BuyerId,
        /// Why.
        why: CloseReason,
    },
    /// The buyer wants to pay for a held order.
    StartPayment {
        /// The order.
        order: OrderId,
        /// Its buyer; somebody else's order is refused.
        buyer: BuyerId,
        /// The provider's opaque token for card, wallet, ...
        method: String,
    },
    /// What the payment provider answered.
    RecordPayment {
        /// The order.
        order: OrderId,
        /// Which call.
        step: PaymentStep,
        /// Which try; older ones are ignored.
        attempt: u8,
        /// The answer.
        result: PaymentResult,
    },
    /// Gives the money of a paid order back and frees its seats.
    StartRefund {
        /// The order.
        order: OrderId,
    },
    /// Messages from another shard's outbox, in order.
    Deliver {
        /// Whose outbox.
        from: ShardId,
        /// Number of the first message.
        first: u64,
        /// The messages, numbered on from `first`.
        messages: Vec<Message>,
    },
    /// The receiving shard has everything up to `through`: forget it.
    Acknowledge {
        /// Whom the messages were for.
        to: ShardId,
        /// Number of the last message it has.
        through: u64,
    },
    /// Sweeps what is due.
    Tick,
    /// First command of a new leader: gives holds back what an outage took from them.
    ExtendHolds,
}

/// See [`Command::OpenOrder`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenOrder {
    /// Chosen by the caller; its home is this shard.
    pub order: OrderId,
    /// The show.
    pub event: EventId,
    /// Who buys.
    pub buyer: BuyerId,
    /// Their place in the waiting room, checked at the door; required when the event has one.
    pub pass: Option<Pass>,
    /// What they want, a leg a section.
    pub legs: Vec<LegWant>,
}

/// The right to reserve, got when a place came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pass {
    /// Index in the waiting room.
    pub index: u64,
    /// When the pass ends, as the door computed it from the admission cursor.
    pub until: Timestamp,
}

/// What an order wants of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LegWant {
    /// The shard that owns the section(s).
    pub shard: ShardId,
    /// The seats.
    pub want: Want,
}

/// Which seats.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// Exactly these seats of a numbered section.
    Seats {
        /// The section.
        section: SectionNo,
        /// Distinct seats.
        seats: SeatList,
    },
    /// `count` places of a standing section.
    Standing {
        /// The section.
        section: SectionNo,
        /// How many.
        count: u8,
    },
    /// The best `count` seats together, in one of these sections of the shard.
    Best {
        /// Candidates, best first; all in the leg's shard.
        sections: Vec<SectionNo>,
        /// How many.
        count: u8,
        /// Whether one of them must be an accessible seat (the others are its companions).
        accessible: bool,
    },
}

impl Want {
    /// How many places are wanted.
    pub fn count(&self) -> u16 {
        match self {
            Self::Seats { seats, .. } => seats.as_slice().len() as u16,
            Self::Standing { count, .. } | Self::Best { count, .. } => u16::from(*count),
        }
    }
}

/// See [`Command::HoldLeg`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HoldLeg {
    /// The order and which leg of it. The order's home is in its id.
    pub leg: LegKey,
    /// The show.
    pub event: EventId,
    /// Who buys.
    pub buyer: BuyerId,
    /// The seats.
    pub want: Want,
    /// When the hold ends, as home fixed it.
    pub until: Timestamp,
}

/// Why an unpaid order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// A leg could not be held.
    Refused,
    /// The buyer gave it back.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// The provider declined too often.
    Declined,
    /// Its payment's outcome stayed unknown and was cancelled.
    PaymentCancelled,
    /// A pin was refused: a leg's hold had ended.
    LegLost,
    /// The provider would not take the money it had reserved; the sale was revoked.
    CaptureRefused,
}
