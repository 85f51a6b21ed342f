//! The provider's rules: payments, their moves, and the answers stored by idempotency key.
//!
//! ```text
//! authorized -> captured -> refunded          declined (final)
//!            -> cancelled
//! ```
//! A key is first *begun* (so that a second call under it is told to wait), then *settled* with
//! the answer that every later call under it gets.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
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

impl Status {
    /// As it is written outside.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::Declined => "declined",
        }
    }
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Ours: `pay_…`.
    pub id: String,
    /// Idempotency key of its authorization.
    pub key: String,
    /// The seller's order.
    pub order: String,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// Where it stands.
    pub status: Status,
    /// Milliseconds since 1970.
    pub authorized_at: u64,
    /// Minor units taken.
    pub captured_amount: u64,
    /// Minor units given back.
    pub refunded_amount: u64,
    /// Requests about it, replays included.
    pub calls: u64,
}

/// What a seller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reserve the money.
    Authorize(Authorization),
    /// Take it.
    Capture(String),
    /// Undo the reservation.
    Cancel(String),
    /// Give it back.
    Refund(String),
}

impl Step {
    /// The word webhooks use for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authorize(_) => "authorize",
            Self::Capture(_) => "capture",
            Self::Cancel(_) => "cancel",
            Self::Refund(_) => "refund",
        }
    }
}

/// A wish to reserve money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The seller's order.
    pub order: String,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// `pm_decline` is always declined.
    pub method: String,
}

/// An answer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Value,
}

impl Stored {
    fn error(status: u16, error: &str) -> Self {
        Self {
            status,
            body: json!({ "error": error }),
        }
    }
}

/// What is known of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// What was asked; the same key with anything else is refused.
    pub request: String,
    /// The answer; `None` while under way.
    pub answer: Option<Stored>,
    /// The payment it was about, once known.
    pub payment: Option<String>,
}

/// How a call under a key begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is ours to do.
    New,
    /// It was done before, or cannot be done: this is the answer.
    Answered(Stored),
}

/// All payments and keys.
#[derive(Clone, Debug, Default)]
pub struct Book {
    payments: BTreeMap<String, Payment>,
    keys: HashMap<String, KeyRecord>,
    by_order: HashMap<String, Vec<String>>,
}

impl Book {
    /// Begins a call under `key`, or tells why not.
    pub fn begin(&mut self, key: &str, request: &str) -> Begun {
        let Some(known) = self.keys.get(key) else {
            let record = KeyRecord {
                request: request.to_owned(),
                answer: None,
                payment: None,
            };
            self.keys.insert(key.to_owned(), record);
            return Begun::New;
        };
        if known.request != request {
            return Begun::Answered(Stored::error(400, "key_reused"));
        }
        match &known.answer {
            None => Begun::Answered(Stored::error(409, "key_in_use")),
            Some(answer) => {
                if let Some(payment) = known
                    .payment
                    .as_ref()
                    .and_then(|id| self.payments.get_mut(id))
                {
                    payment.calls += 1;
                }
                Begun::Answered(answer.clone())
            }
        }
    }

    /// Does what `step` asks and stores the answer. The payment it moved, if it moved one.
    pub fn settle(&mut self, key: &str, step: &Step, declined: bool, now_ms: u64) -> Moved {
        let (answer, payment, moved) = match step {
            Step::Authorize(wish) => self.authorize(key, wish, declined, now_ms),
            Step::Capture(id) => self.advance(id, Status::Captured, "not_capturable"),
            Step::Cancel(id) => self.advance(id, Status::Cancelled, "not_cancellable"),
            Step::Refund(id) => self.advance(id, Status::Refunded, "not_refundable"),
        };
        self.store(key, answer.clone(), payment.clone());
        Moved {
            answer,
            payment: payment.filter(|_| moved),
        }
    }

    /// Stores a failure under a key: every repeat gets it, although what was asked for may or may
    /// not have been done.
    pub fn settle_as_failed(&mut self, key: &str) -> Stored {
        let answer = Stored::error(500, "internal");
        let payment = self.keys.get(key).and_then(|record| record.payment.clone());
        self.store(key, answer.clone(), payment);
        answer
    }

    /// A payment by id.
    pub fn payment(&self, id: &str) -> Option<&Payment> {
        self.payments.get(id)
    }

    /// The payment authorized under a key. `Err` while that is under way: nobody may be told
    /// that there is none.
    pub fn by_key(&self, key: &str) -> Result<Option<&Payment>, Stored> {
        match self.keys.get(key) {
            Some(KeyRecord { answer: None, .. }) => Err(Stored::error(409, "key_in_use")),
            Some(KeyRecord {
                payment: Some(id), ..
            }) => Ok(self.payments.get(id)),
            _ => Ok(None),
        }
    }

    /// All payments of an order.
    pub fn by_order(&self, order: &str) -> impl Iterator<Item = &Payment> {
        let ids = self.by_order.get(order).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.payments.get(id))
    }

    /// All payments, by id.
    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    /// A key's record.
    pub fn key(&self, key: &str) -> Option<&KeyRecord> {
        self.keys.get(key)
    }

    /// Puts back what a journal kept.
    pub fn restore(&mut self, key: String, record: KeyRecord, payment: Option<Payment>) {
        self.keys.insert(key, record);
        if let Some(payment) = payment {
            let ids = self.by_order.entry(payment.order.clone()).or_default();
            if !ids.contains(&payment.id) {
                ids.push(payment.id.clone());
            }
            self.payments.insert(payment.id.clone(), payment);
        }
    }

    fn store(&mut self, key: &str, answer: Stored, payment: Option<String>) {
        if let Some(record) = self.keys.get_mut(key) {
            record.answer = Some(answer);
            record.payment = payment;
        }
    }

    fn authorize(
        &mut self,
        key: &str,
        wish: &Authorization,
        declined: bool,
        now_ms: u64,
    ) -> (Stored, Option<String>, bool) {
        let id = format!("pay_{:012}", self.payments.len() + 1);
        let declined = declined || wish.method == "pm_decline";
        let status = if declined {
            Status::Declined
        } else {
            Status::Authorized
        };
        let payment = Payment {
            id: id.clone(),
            key: key.to_owned(),
            order: wish.order.clone(),
            amount: wish.amount,
            currency: wish.currency.clone(),
            status,
            authorized_at: now_ms,
            captured_amount: 0,
            refunded_amount: 0,
            calls: 1,
        };
        self.by_order
            .entry(wish.order.clone())
            .or_default()
            .push(id.clone());
        self.payments.insert(id.clone(), payment);
        let answer = if declined {
            Stored {
                status: 402,
                body: json!({"error": "declined", "id": id, "status": "declined"}),
            }
        } else {
            Stored {
                status: 200,
                body: json!({"id": id, "status": "authorized"}),
            }
        };
        (answer, Some(id), true)
    }

    fn advance(&mut self, id: &str, to: Status, refusal: &str) -> (Stored, Option<String>, bool) {
        let Some(payment) = self.payments.get_mut(id) else {
            return (Stored::error(404, "no_such_payment"), None, false);
        };
        payment.calls += 1;
        let legal = matches!(
            (payment.status, to),
            (Status::Authorized, Status::Captured | Status::Cancelled)
                | (Status::Captured, Status::Refunded)
        );
        if !legal {
            let status = payment.status.name();
            let body = json!({"error": refusal, "id": id, "status": status});
            return (Stored { status: 409, body }, Some(id.to_owned()), false);
        }
        payment.status = to;
        match to {
            Status::Captured => payment.captured_amount = payment.amount,
            Status::Refunded => payment.refunded_amount = payment.captured_amount,
            _ => {}
        }
        let body = json!({"id": id, "status": to.name()});
        (Stored { status: 200, body }, Some(id.to_owned()), true)
    }
}

/// What settling did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The answer, now stored.
    pub answer: Stored,
    /// The payment that changed, if one did.
    pub payment: Option<String>,
}
