//! A payment provider on a bad day: slow, and now and then its answer is lost after the deed.
//! A card called `pm_declined` is, and `pm_silent` gets no answer at first.
//! Idempotent by key, like a real one. Its book is outside of every node and survives them all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::payments::{GatewayAnswer, LookUp, PaymentCall, PaymentGateway, ProviderState};
use futures::future::BoxFuture;

use crate::scenario::Scenario;
use crate::seed::Stream;

/// One payment in the provider's book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The authorization's idempotency key.
    pub key: String,
    /// The order it is for.
    pub order: String,
    /// Minor units.
    pub amount: u64,
    /// Where it stands.
    pub state: ProviderState,
    /// How often money was taken. More than once is a promise broken.
    pub captures: u64,
    /// How often money went back.
    pub refunds: u64,
}

/// The provider.
pub struct Provider {
    book: Mutex<BTreeMap<String, Payment>>,
    chance: Stream,
    lost_answer_percent: u64,
    decline_percent: u64,
}

impl Provider {
    /// A provider with an empty book.
    pub fn new(scenario: &Scenario) -> Arc<Self> {
        Arc::new(Self {
            book: Mutex::new(BTreeMap::new()),
            chance: Stream::new(scenario.entropy, "provider"),
            lost_answer_percent: scenario.lost_answer_percent,
            decline_percent: scenario.decline_percent,
        })
    }

    /// All payments, by reference.
    pub fn book(&self) -> MutexGuard<'_, BTreeMap<String, Payment>> {
        self.book
            .lock()
            .expect("the book is written without panicking")
    }

    fn knows(&self, call: &PaymentCall) -> bool {
        self.book().contains_key(&format!("pay_{}", call.key))
    }

    fn authorize(&self, call: &PaymentCall) -> GatewayAnswer {
        let reference = format!("pay_{}", call.key);
        let mut book = self.book();
        let payment = book.entry(reference.clone()).or_insert_with(|| Payment {
            key: call.key.clone(),
            order: call.order.clone(),
            amount: call.amount,
            state: match call.method == "pm_declined" || self.chance.percent(self.decline_percent) {
                true => ProviderState::Declined,
                false => ProviderState::Authorized,
            },
            captures: 0,
            refunds: 0,
        });
        assert_eq!(
            (&payment.order, payment.amount),
            (&call.order, call.amount),
            "an idempotency key was used for something else"
        );
        match payment.state {
            ProviderState::Declined => GatewayAnswer::Refused {
                reason: "declined".to_owned(),
            },
            _ => GatewayAnswer::Done { reference },
        }
    }

    fn settle(&self, call: &PaymentCall, step: Settle) -> GatewayAnswer {
        use ProviderState::*;
        let mut book = self.book();
        // An authorization may be cancelled before its reference is known: by its key.
        let reference = match call.reference.is_empty() {
            true => format!("pay_{}", call.key),
            false => call.reference.clone(),
        };
        let Some(payment) = book.get_mut(&reference) else {
            return GatewayAnswer::Refused {
                reason: "no such payment".to_owned(),
            };
        };
        let next = match (step, payment.state) {
            (Settle::Capture, Authorized) => {
                payment.captures += 1;
                Captured
            }
            (Settle::Cancel, Authorized) => Cancelled,
            (Settle::Refund, Captured) => {
                payment.refunds += 1;
                Refunded
            }
            (Settle::Capture, Captured)
            | (Settle::Cancel, Cancelled | Declined)
            | (Settle::Refund, Refunded) => payment.state,
            (_, state) => {
                return GatewayAnswer::Refused {
                    reason: format!("{state:?}"),
                };
            }
        };
        payment.state = next;
        GatewayAnswer::Done { reference }
    }

    /// Takes its time, does the deed, and perhaps does not get the answer across.
    async fn answer(&self, deed: impl FnOnce() -> GatewayAnswer) -> GatewayAnswer {
        tokio::time::sleep(Duration::from_millis(self.chance.between(5, 300))).await;
        if self.chance.percent(3) {
            return GatewayAnswer::Unknown;
        }
        let answer = deed();
        if self.chance.percent(self.lost_answer_percent) {
            return GatewayAnswer::Unknown;
        }
        answer
    }
}

#[derive(Clone, Copy)]
enum Settle {
    Capture,
    Cancel,
    Refund,
}

/// A node's connection to the provider.
pub struct SimGateway(pub Arc<Provider>);

impl PaymentGateway for SimGateway {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn authorize<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        Box::pin(async move {
            let first = call.method == "pm_silent" && !self.0.knows(call);
            let answer = self.0.answer(move || self.0.authorize(call)).await;
            if first {
                GatewayAnswer::Unknown
            } else {
                answer
            }
        })
    }

    fn capture<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        Box::pin(self.0.answer(move || self.0.settle(call, Settle::Capture)))
    }

    fn cancel<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        Box::pin(self.0.answer(move || self.0.settle(call, Settle::Cancel)))
    }

    fn refund<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        Box::pin(self.0.answer(move || self.0.settle(call, Settle::Refund)))
    }

    fn look_up<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, LookUp> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(self.0.chance.between(5, 100))).await;
            let book = self.0.book();
            let found = book.iter().find(|(_, payment)| payment.key == call.key);
            found.map_or(LookUp::Absent, |(reference, payment)| LookUp::Found {
                reference: reference.clone(),
                state: payment.state,
            })
        })
    }
}
