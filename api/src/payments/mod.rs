//! Payments: the port to a provider, and who serves the ledger's payment obligations.
//!
//! No lock and no log slot is ever held across a provider call. Every call carries an idempotency
//! key derived from (cluster, order, step, attempt), so repeating it can not charge twice (P4).

mod client;
mod key;
mod sandbox;
mod webhook;
mod worker;

pub use key::{payment_key, step_name};
pub use sandbox::SandboxGateway;
pub use webhook::{WebhookBody, attempt_of, webhook, webhook_signature};
pub use worker::{PaymentTerms, serve_payments};

pub(crate) use webhook::__path_webhook;

use futures::future::BoxFuture;

/// What a provider needs to know of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentCall {
    /// Idempotency key; the same for every repeat of this step and attempt.
    pub key: String,
    /// Our order, in the provider's metadata.
    pub order: String,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// The buyer's opaque payment method.
    pub method: String,
    /// The provider's id of the payment; empty before it has been authorized.
    pub reference: String,
}

/// A provider's answer. *Unknown* is never folded into failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayAnswer {
    /// Done; the provider's id of the payment.
    Done {
        /// The id.
        reference: String,
    },
    /// Certainly not done, and it will not be done by this key.
    Refused {
        /// The provider's reason.
        reason: String,
    },
    /// Time-out, 5xx, conflict: nobody knows.
    Unknown,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// The provider has the payment in this state.
    Found {
        /// The provider's id.
        reference: String,
        /// Its state.
        state: ProviderState,
    },
    /// The provider certainly has no payment under this key.
    Absent,
    /// The provider could not be asked.
    Unknown,
}

/// A payment's state at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// Money reserved.
    Authorized,
    /// Money taken.
    Captured,
    /// Undone before capture.
    Cancelled,
    /// Given back.
    Refunded,
    /// Refused.
    Declined,
}

/// A payment provider.
pub trait PaymentGateway: Send + Sync + 'static {
    /// Its name in routes and logs.
    fn name(&self) -> &'static str;
    /// Reserves the money.
    fn authorize<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer>;
    /// Takes reserved money.
    fn capture<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer>;
    /// Undoes an authorization. Refused when it was captured already.
    fn cancel<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer>;
    /// Gives captured money back.
    fn refund<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer>;
    /// Finds a payment by the key of its authorization.
    fn look_up<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, LookUp>;
}
