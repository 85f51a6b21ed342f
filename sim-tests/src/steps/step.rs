//! The steps of an order that spans shards: every entry that moves it.

use std::fmt;

use ledger::message::Message;
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::{Command, OrderId};

/// One entry's part in an order. Which shard it belongs to follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Home opens the order.
    Open,
    /// A leg is held for the door.
    HoldLeg,
    /// A leg refuses the door.
    RefuseLeg,
    /// The door tells home that all legs hold.
    RecordHeld,
    /// The door or the buyer closes the order.
    Close,
    /// The door went silent: home's clock has the courier ask the legs.
    Drive,
    /// Home's clock ends the hold.
    Expire,
    /// A leg's clock ends its hold; home is not heard of.
    ExpireLeg,
    /// The buyer pays: home asks for pins.
    StartPayment,
    /// THE COMMIT POINT: the money is reserved, home decides.
    Commit,
    /// The provider declined: home unpins.
    Decline,
    /// Nobody knows what the provider did.
    Doubt,
    /// The money was taken.
    Capture,
    /// A message arrives.
    Deliver(Letter),
    /// Its sender forgets it.
    Acknowledge(Letter),
}

/// A message about one order, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Letter {
    /// Home to leg.
    Hold,
    /// Leg to home.
    LegHeld,
    /// Leg to home.
    LegRefused,
    /// Home to leg.
    Pin,
    /// Leg to home.
    LegPinned,
    /// Leg to home.
    PinRefused,
    /// Home to leg.
    Unpin,
    /// Home to leg.
    Sell,
    /// Leg to home.
    LegSold,
    /// Home to leg.
    Release,
    /// Home to leg.
    Extend,
}

impl Letter {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Hold,
        Self::LegHeld,
        Self::LegRefused,
        Self::Pin,
        Self::LegPinned,
        Self::PinRefused,
        Self::Unpin,
        Self::Sell,
        Self::LegSold,
        Self::Release,
        Self::Extend,
    ];

    /// What a message says of which order; a waiting room's messages say nothing of one.
    pub fn of(message: &Message) -> Option<(OrderId, Self)> {
        Some(match message {
            Message::Hold(hold) => (hold.leg.order, Self::Hold),
            Message::LegHeld { order, .. } => (*order, Self::LegHeld),
            Message::LegRefused { leg, .. } => (leg.order, Self::LegRefused),
            Message::Pin { leg, .. } => (leg.order, Self::Pin),
            Message::LegPinned { leg } => (leg.order, Self::LegPinned),
            Message::PinRefused { leg } => (leg.order, Self::PinRefused),
            Message::Unpin { leg, .. } => (leg.order, Self::Unpin),
            Message::Sell { leg } => (leg.order, Self::Sell),
            Message::LegSold { leg, .. } => (leg.order, Self::LegSold),
            Message::Release { leg } => (leg.order, Self::Release),
            Message::Extend { leg, .. } => (leg.order, Self::Extend),
            Message::Stock { .. } => return None,
        })
    }

    fn from_home(self) -> bool {
        matches!(
            self,
            Self::Hold | Self::Pin | Self::Unpin | Self::Sell | Self::Release | Self::Extend
        )
    }
}

impl Step {
    /// Every step.
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Open,
            Self::HoldLeg,
            Self::RefuseLeg,
            Self::RecordHeld,
            Self::Close,
            Self::Drive,
            Self::Expire,
            Self::ExpireLeg,
            Self::StartPayment,
            Self::Commit,
            Self::Decline,
            Self::Doubt,
            Self::Capture,
        ];
        all.extend(Letter::ALL.map(Self::Deliver));
        all.extend(Letter::ALL.map(Self::Acknowledge));
        all
    }

    /// Whether the entry is home's; a leg's otherwise.
    pub fn is_home(self) -> bool {
        match self {
            Self::HoldLeg | Self::RefuseLeg | Self::ExpireLeg => false,
            Self::Deliver(letter) => !letter.from_home(),
            Self::Acknowledge(letter) => letter.from_home(),
            _ => true,
        }
    }

    /// Whether only the machine can tell that an entry is this step.
    pub fn shows_when_applied(self) -> bool {
        self == Self::RefuseLeg
    }

    /// The step that a command by itself is, of which order. Ticks, deliveries and
    /// acknowledgements concern many, and are read elsewhere.
    pub fn of(command: &Command) -> Option<(OrderId, Self)> {
        Some(match command {
            Command::OpenOrder(open) => (open.order, Self::Open),
            Command::HoldLeg(hold) => (hold.leg.order, Self::HoldLeg),
            Command::RecordHeld { order, .. } => (*order, Self::RecordHeld),
            Command::CloseOrder { order, .. } => (*order, Self::Close),
            Command::StartPayment { order, .. } => (*order, Self::StartPayment),
            Command::RecordPayment {
                order,
                step,
                result,
                ..
            } => {
                let step = match (step, result) {
                    (PaymentStep::Authorize, PaymentResult::Done { .. }) => Self::Commit,
                    (PaymentStep::Authorize, PaymentResult::Refused { .. }) => Self::Decline,
                    (PaymentStep::Authorize, PaymentResult::Unknown) => Self::Doubt,
                    (PaymentStep::Capture, PaymentResult::Done { .. }) => Self::Capture,
                    _ => return None,
                };
                (*order, step)
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(letter) => write!(f, "Deliver.{letter:?}"),
            Self::Acknowledge(letter) => write!(f, "Acknowledge.{letter:?}"),
            step => write!(f, "{step:?}"),
        }
    }
}
