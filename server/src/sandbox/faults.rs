//! What may go wrong, dialled in at run time.

use serde::{Deserialize, Serialize};

/// The dials. All off at first; `PUT /v1/faults` sets those it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// How long each call takes.
    pub delay_ms: u64,
    /// Calls that are carried out and whose answer is then lost.
    pub lost_answer_percent: u8,
    /// Calls answered by a 500 that is stored under their key. Half of the authorizations among
    /// them, and every other step, were carried out all the same: a stored failure of a capture
    /// that never happened could only be healed by hand.
    pub error_percent: u8,
    /// Authorizations declined.
    pub decline_percent: u8,
    /// Webhooks sent twice.
    pub duplicate_webhook_percent: u8,
    /// Lets webhooks overtake each other.
    pub reorder_webhooks: bool,
}

/// The dials that one request sets.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    delay_ms: Option<u64>,
    lost_answer_percent: Option<u8>,
    error_percent: Option<u8>,
    decline_percent: Option<u8>,
    duplicate_webhook_percent: Option<u8>,
    reorder_webhooks: Option<bool>,
}

impl Change {
    pub(super) fn over(self, old: Faults) -> Faults {
        Faults {
            delay_ms: self.delay_ms.unwrap_or(old.delay_ms),
            lost_answer_percent: self.lost_answer_percent.unwrap_or(old.lost_answer_percent),
            error_percent: self.error_percent.unwrap_or(old.error_percent),
            decline_percent: self.decline_percent.unwrap_or(old.decline_percent),
            duplicate_webhook_percent: self
                .duplicate_webhook_percent
                .unwrap_or(old.duplicate_webhook_percent),
            reorder_webhooks: self.reorder_webhooks.unwrap_or(old.reorder_webhooks),
        }
    }
}
