//! Words shared by an order's payment and whoever talks to the provider.

use crate::ids::OrderId;

/// A call to the payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentStep {
    /// Reserve the money.
    Authorize,
    /// Take the reserved money.
    Capture,
    /// Undo an authorization.
    Cancel,
    /// Give captured money back.
    Refund,
}

/// What the provider said of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PaymentResult {
    /// It is done; the provider's reference.
    Done {
        /// The provider's id of the payment.
        reference: String,
    },
    /// It is certain that it was not and will not be done.
    Refused {
        /// The provider's reason.
        reason: String,
    },
    /// Nobody knows (time-out, 5xx, conflict). Never treated as a failure.
    Unknown,
}

/// A call somebody must make until its outcome is recorded. Kept in the state; a new leader
/// reads it and remembers nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentDue {
    /// The order.
    pub order: OrderId,
    /// Which call.
    pub step: PaymentStep,
    /// Which try; part of the idempotency key.
    pub attempt: u8,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// The buyer's opaque payment method.
    pub method: String,
    /// The provider's reference, once known.
    pub reference: String,
    /// Whether an earlier answer was unknown: look the payment up before (or instead of)
    /// repeating the call with the same key.
    pub unknown: bool,
}
