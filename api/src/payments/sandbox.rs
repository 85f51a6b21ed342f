//! The gateway to the sandbox provider, a separate HTTP process.
//!
//! What its answers mean: 402 is a certain refusal; 409 `key_in_use`, time-outs and 5xx are
//! *unknown*. The provider stores the result of every key it has worked on, a 500 as well, and
//! answers it again for the same key. So a 500 that comes twice for one key, with no payment to
//! be found under that key, is certain: this key will never charge.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;
use super::{GatewayAnswer, LookUp, PaymentCall, PaymentGateway, ProviderState};

/// See the module.
pub struct SandboxGateway {
    client: Client,
    /// Tells apart the keys of repeated captures, cancels and refunds.
    repeats: AtomicU64,
}

/// What is done to an existing payment.
#[derive(Clone, Copy)]
enum Action {
    Capture,
    Cancel,
    Refund,
}

impl Action {
    fn path(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
        }
    }

    /// What a payment's state says of this action.
    fn judge(self, reference: String, state: ProviderState) -> GatewayAnswer {
        use ProviderState as State;
        let refused = |reason: &str| GatewayAnswer::Refused {
            reason: reason.to_owned(),
        };
        match (self, state) {
            (Self::Capture, State::Captured | State::Refunded)
            | (Self::Cancel, State::Cancelled | State::Declined | State::Refunded)
            | (Self::Refund, State::Refunded) => GatewayAnswer::Done { reference },
            (Self::Capture | Self::Cancel, State::Authorized) | (Self::Refund, State::Captured) => {
                GatewayAnswer::Unknown
            }
            (Self::Capture, State::Cancelled | State::Declined) => refused("not_capturable"),
            (Self::Cancel, State::Captured) => refused("captured"),
            (Self::Refund, State::Authorized | State::Cancelled | State::Declined) => {
                refused("not_captured")
            }
        }
    }
}

impl SandboxGateway {
    /// A gateway to the provider at `http://host:port`, with a deadline for every call.
    pub fn new(url: &str, deadline: Duration) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(url, deadline)?,
            repeats: AtomicU64::new(0),
        })
    }

    async fn reserve(&self, call: &PaymentCall) -> GatewayAnswer {
        for last in [false, true] {
            let body = json!({
                "order": call.order, "amount": call.amount, "currency": call.currency,
                "method": call.method, "capture": false,
            });
            let answer = self
                .client
                .call(Method::POST, "/v1/payments", Some(&call.key), Some(body))
                .await;
            let Ok((status, body)) = answer else {
                return GatewayAnswer::Unknown;
            };
            match status {
                StatusCode::OK => return authorized(&body),
                StatusCode::CONFLICT => return GatewayAnswer::Unknown,
                StatusCode::BAD_REQUEST if body["error"] == "key_reused" => {
                    // Other parameters under our own key: a bug. Charging nothing more is safe.
                    tracing::error!(
                        order = call.order,
                        "the provider knows this key with other parameters"
                    );
                    return GatewayAnswer::Unknown;
                }
                status if status.is_client_error() => return refused(&body),
                _ => {}
            }
            match self.find(call).await {
                LookUp::Found { reference, state } => return reserved(reference, state),
                LookUp::Unknown => return GatewayAnswer::Unknown,
                LookUp::Absent if last => {
                    return GatewayAnswer::Refused {
                        reason: "provider_error".to_owned(),
                    };
                }
                LookUp::Absent => {}
            }
        }
        GatewayAnswer::Unknown
    }

    /// Acts on a payment. It can be captured, cancelled and refunded once and only whole, whatever
    /// the keys, so a repeat that has seen a stored 500 may use a new key.
    async fn act(&self, action: Action, call: &PaymentCall) -> GatewayAnswer {
        let path = format!("/v1/payments/{}/{}", call.reference, action.path());
        let mut key = call.key.clone();
        for _ in 0..2 {
            let Ok((status, body)) = self
                .client
                .call(Method::POST, &path, Some(&key), Some(json!({})))
                .await
            else {
                return GatewayAnswer::Unknown;
            };
            if status == StatusCode::OK {
                return GatewayAnswer::Done {
                    reference: reference(&body, call),
                };
            }
            if status == StatusCode::CONFLICT && body["error"] == "key_in_use" {
                return GatewayAnswer::Unknown;
            }
            let answer = match self.find(call).await {
                LookUp::Found { reference, state } => action.judge(reference, state),
                LookUp::Absent if status.is_client_error() => refused(&body),
                LookUp::Absent | LookUp::Unknown => GatewayAnswer::Unknown,
            };
            if answer != GatewayAnswer::Unknown || status.is_client_error() {
                return answer;
            }
            key = format!(
                "{}.{}",
                call.key,
                self.repeats.fetch_add(1, Ordering::Relaxed)
            );
        }
        GatewayAnswer::Unknown
    }

    /// By the provider's reference when that is known, else by the authorization's key.
    async fn find(&self, call: &PaymentCall) -> LookUp {
        let by_reference = !call.reference.is_empty();
        let path = if by_reference {
            format!("/v1/payments?order={}", call.order)
        } else {
            format!("/v1/payments?key={}", call.key)
        };
        let Ok((StatusCode::OK, body)) = self.client.call(Method::GET, &path, None, None).await
        else {
            return LookUp::Unknown;
        };
        let Some(payments) = body["payments"].as_array() else {
            return LookUp::Unknown;
        };
        let ours = |payment: &&Value| !by_reference || payment["id"] == call.reference.as_str();
        let Some(payment) = payments.iter().find(ours) else {
            return LookUp::Absent;
        };
        match (
            payment["id"].as_str(),
            payment["status"].as_str().and_then(state),
        ) {
            (Some(id), Some(state)) => LookUp::Found {
                reference: id.to_owned(),
                state,
            },
            _ => LookUp::Unknown,
        }
    }
}

fn authorized(body: &Value) -> GatewayAnswer {
    match (body["id"].as_str(), body["status"].as_str().and_then(state)) {
        (Some(id), Some(state)) => reserved(id.to_owned(), state),
        _ => GatewayAnswer::Unknown,
    }
}

/// What a payment's state says of its authorization.
fn reserved(reference: String, state: ProviderState) -> GatewayAnswer {
    match state {
        ProviderState::Authorized | ProviderState::Captured => GatewayAnswer::Done { reference },
        ProviderState::Declined => GatewayAnswer::Refused {
            reason: "declined".to_owned(),
        },
        ProviderState::Cancelled | ProviderState::Refunded => GatewayAnswer::Refused {
            reason: "undone".to_owned(),
        },
    }
}

fn refused(body: &Value) -> GatewayAnswer {
    let reason = body["error"].as_str().unwrap_or("refused");
    GatewayAnswer::Refused {
        reason: reason.chars().take(64).collect(),
    }
}

fn reference(body: &Value, call: &PaymentCall) -> String {
    body["id"].as_str().unwrap_or(&call.reference).to_owned()
}

fn state(text: &str) -> Option<ProviderState> {
    match text {
        "authorized" => Some(ProviderState::Authorized),
        "captured" => Some(ProviderState::Captured),
        "cancelled" => Some(ProviderState::Cancelled),
        "refunded" => Some(ProviderState::Refunded),
        "declined" => Some(ProviderState::Declined),
        _ => None,
    }
}

impl PaymentGateway for SandboxGateway {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn authorize<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        self.reserve(call).boxed()
    }

    fn capture<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        self.act(Action::Capture, call).boxed()
    }

    fn cancel<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        self.act(Action::Cancel, call).boxed()
    }

    fn refund<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        self.act(Action::Refund, call).boxed()
    }

    fn look_up<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, LookUp> {
        self.find(call).boxed()
    }
}
