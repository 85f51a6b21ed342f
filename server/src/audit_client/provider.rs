//! A payment as the provider's ledger has it.

use serde::Deserialize;

/// One payment of `GET /v1/ledger`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Payment {
    /// The provider's id.
    pub id: String,
    /// Idempotency key of its authorization.
    #[serde(default)]
    pub key: String,
    /// The order it was made for.
    pub order: String,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    #[serde(default)]
    pub currency: String,
    /// `authorized`, `captured`, `cancelled`, `refunded`, `declined`.
    pub status: String,
    /// Minor units taken.
    pub captured_amount: u64,
    /// Minor units given back.
    pub refunded_amount: u64,
}

impl Payment {
    /// Whether the buyer's money is with the seller.
    pub fn is_charge(&self) -> bool {
        self.captured_amount > self.refunded_amount
    }

    /// Whether the buyer's money is still reserved: neither taken nor let go.
    pub fn is_open(&self) -> bool {
        self.status == "authorized"
    }
}
