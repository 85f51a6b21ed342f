//! A provider in memory. Keeps the rules a real one keeps (one payment a key, captured once), and
//! gives the answers a test has scripted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use api::payments::{GatewayAnswer, LookUp, PaymentCall, PaymentGateway, ProviderState};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

#[derive(Default)]
pub struct ScriptedGateway {
    payments: Mutex<BTreeMap<String, ProviderState>>,
    /// The next authorizations: done at the provider or not, and the answer lost on the way.
    pub lost: Mutex<Vec<bool>>,
    /// While set, the provider cannot be asked at all.
    pub down: Mutex<bool>,
}

impl ScriptedGateway {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many payments are in a state.
    pub fn count(&self, state: ProviderState) -> usize {
        let payments = self.payments.lock().expect("no panics under the lock");
        payments.values().filter(|known| **known == state).count()
    }

    fn authorize_now(&self, call: &PaymentCall) -> GatewayAnswer {
        let reached = self.lost.lock().expect("no panics").pop();
        if reached.is_none() && *self.down.lock().expect("no panics") {
            return GatewayAnswer::Unknown;
        }
        let mut payments = self.payments.lock().expect("no panics");
        if reached != Some(false) {
            let declines = call.method == "pm_decline";
            let state = if declines {
                ProviderState::Declined
            } else {
                ProviderState::Authorized
            };
            payments.entry(call.key.clone()).or_insert(state);
        }
        match (reached, payments.get(&call.key)) {
            (Some(_), _) => GatewayAnswer::Unknown,
            (None, Some(ProviderState::Declined)) => GatewayAnswer::Refused {
                reason: "declined".into(),
            },
            (None, _) => GatewayAnswer::Done {
                reference: call.key.clone(),
            },
        }
    }

    fn move_on(&self, call: &PaymentCall, from: ProviderState, to: ProviderState) -> GatewayAnswer {
        let mut payments = self.payments.lock().expect("no panics");
        match payments.get_mut(&call.reference) {
            Some(state) if *state == from || *state == to => {
                *state = to;
                GatewayAnswer::Done {
                    reference: call.reference.clone(),
                }
            }
            _ => GatewayAnswer::Refused {
                reason: "not possible".into(),
            },
        }
    }

    fn find(&self, call: &PaymentCall) -> LookUp {
        if *self.down.lock().expect("no panics") {
            return LookUp::Unknown;
        }
        let payments = self.payments.lock().expect("no panics");
        match payments.get(&call.key) {
            Some(state) => LookUp::Found {
                reference: call.key.clone(),
                state: *state,
            },
            None => LookUp::Absent,
        }
    }
}

impl PaymentGateway for ScriptedGateway {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn authorize<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        ready(self.authorize_now(call)).boxed()
    }

    fn capture<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        ready(self.move_on(call, ProviderState::Authorized, ProviderState::Captured)).boxed()
    }

    fn cancel<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        ready(self.move_on(call, ProviderState::Authorized, ProviderState::Cancelled)).boxed()
    }

    fn refund<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        ready(self.move_on(call, ProviderState::Captured, ProviderState::Refunded)).boxed()
    }

    fn look_up<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, LookUp> {
        ready(self.find(call)).boxed()
    }
}
