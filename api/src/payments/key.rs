//! Keys of provider calls: derived, never drawn, so that whoever repeats a call uses the same one.

use ledger::OrderId;
use ledger::payment::PaymentStep;
use sha2::{Digest, Sha256};

use crate::text;

/// A step's name in requests, webhooks and metrics.
pub fn step_name(step: PaymentStep) -> &'static str {
    match step {
        PaymentStep::Authorize => "authorize",
        PaymentStep::Capture => "capture",
        PaymentStep::Cancel => "cancel",
        PaymentStep::Refund => "refund",
    }
}

/// The idempotency key of a call.
pub fn payment_key(cluster: &str, order: OrderId, step: PaymentStep, attempt: u8) -> String {
    let mut hash = Sha256::new();
    hash.update(b"usher payment 1");
    hash.update(cluster.as_bytes());
    hash.update([0]);
    hash.update(order.0.to_be_bytes());
    hash.update(step_name(step).as_bytes());
    hash.update([0, attempt]);
    text::hex(&hash.finalize()[..20])
}
