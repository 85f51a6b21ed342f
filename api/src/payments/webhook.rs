//! `POST /webhooks/payments/{gateway}`: what the provider tells by itself.
//!
//! Signed over the raw body; at most five minutes old; acknowledged only after its content is in
//! the log (or was there before), so that a provider that hears nothing sends it again. Repeated
//! and reordered webhooks change nothing: the ledger ignores what it knows.
//!
//! Nearly all tell what the call itself was answered a moment ago, and what its caller is writing down
//! just then. They wait a little for that, and cost no entry of the log.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hmac::Mac;
use http::StatusCode;
use ledger::limits::PAYMENT_ATTEMPTS_MAX;
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::{Command, OrderId, Rejection, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{payment_key, step_name};
use crate::auth::hmac;
use crate::extract::{self, BODY_BYTES_MAX};
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// The header that carries the signature.
const SIGNATURE: &str = "usher-signature";
const AGE_S_MAX: u64 = 300;
/// So long whoever made the call has to write its answer down first.
const CALLER_FIRST: Duration = Duration::from_millis(50);
const REFERENCE_BYTES_MAX: usize = ledger::limits::PROVIDER_REF_BYTES_MAX;

/// What happened to a payment.
#[derive(Debug, Deserialize, ToSchema)]
pub struct WebhookBody {
    /// The message's id.
    pub id: String,
    /// `authorized`, `captured`, `cancelled`, `refunded` or `declined`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Our order.
    pub order: String,
    /// Which call; told by `key` when absent.
    pub step: Option<String>,
    /// Which try; told by `key` when absent.
    pub attempt: Option<u8>,
    /// The idempotency key of the call.
    pub key: String,
    /// The provider's id of the payment.
    pub reference: String,
}

/// The value of the signature header for a body sent at `at_s`.
pub fn webhook_signature(secret: &[u8], at_s: u64, body: &[u8]) -> String {
    let tag = hmac(secret)
        .chain_update(format!("{at_s}."))
        .chain_update(body)
        .finalize();
    format!("t={at_s},v1={}", text::hex(&tag.into_bytes()))
}

/// Takes a provider's webhook.
#[utoipa::path(post, path = "/webhooks/payments/{gateway}", tag = "payments",
    params(("gateway" = String, Path), ("Usher-Signature" = String, Header, description = "t=<s>,v1=<hex>")),
    request_body = WebhookBody,
    responses((status = 200), (status = "4XX", body = crate::openapi::ProblemBody),
        (status = 503, body = crate::openapi::ProblemBody)))]
pub async fn webhook(
    State(state): State<AppState>,
    extract::PathText(gateway): extract::PathText,
    request: Request,
) -> Result<Response, Problem> {
    if gateway != state.gateway {
        return Err(Problem::new(Code::RouteUnknown, "no such gateway"));
    }
    let (parts, body) = request.into_parts();
    let body = extract::bytes(&parts.headers, body, BODY_BYTES_MAX).await?;
    let header = parts
        .headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok());
    let now = state.backend.now();
    authentic(
        &state.config.webhook_secrets,
        header.unwrap_or_default(),
        &body,
        now,
    )
    .map_err(|why| Problem::new(Code::WebhookInvalid, why))?;
    let told: WebhookBody = extract::parse(&body)?;
    let command = command(&state.config.cluster, &told)?;
    let Command::RecordPayment { order, .. } = command else {
        return Err(Problem::new(Code::Internal, "not a payment answer"));
    };
    if state.router()?.order_home(order).is_none() {
        return Err(Problem::new(Code::WebhookInvalid, "no order of this cluster").at("order"));
    }
    if known_soon(&state, &command).await {
        return Ok(StatusCode::OK.into_response());
    }
    let committed = state
        .backend
        .propose(order.home(), command, state.config.limits.deadline)
        .await;
    let committed = committed.map_err(|_| {
        Problem::new(Code::NoLeader, "not recorded; send it again").retry_after_s(1)
    })?;
    match committed.outcome {
        Err(Rejection::Overloaded) => Err(Problem::new(
            Code::Overloaded,
            "not recorded; send it again",
        )),
        // Known, stale, or about an order that is long forgotten: it need not come again.
        Ok(_) | Err(_) => Ok(StatusCode::OK.into_response()),
    }
}

/// Whether what a command tells is in the log, as the local replica sees it, already or after a moment.
async fn known_soon(state: &AppState, command: &Command) -> bool {
    let Command::RecordPayment {
        order,
        step,
        attempt,
        result,
    } = command
    else {
        return false;
    };
    let known = || {
        let known = state.read(order.home(), |ledger, _| {
            ledger.payment_known(*order, *step, *attempt, result)
        });
        known.unwrap_or(false)
    };
    if known() {
        return true;
    }
    let repeats = matches!(step, PaymentStep::Authorize | PaymentStep::Capture)
        && matches!(result, PaymentResult::Done { .. });
    if repeats {
        tokio::time::sleep(CALLER_FIRST).await;
    }
    repeats && known()
}

/// Whether one of the secrets signed this body lately.
fn authentic(
    secrets: &[Vec<u8>],
    header: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), &'static str> {
    let mut at_text = "";
    let mut tags: Vec<Vec<u8>> = Vec::new();
    for piece in header.split(',') {
        match piece.trim().split_once('=') {
            Some(("t", text)) => at_text = text,
            Some(("v1", text)) => tags.extend(text::parse_hex(text)),
            _ => {}
        }
        if tags.len() > 8 {
            return Err("the signature header is malformed");
        }
    }
    let at: u64 = at_text
        .parse()
        .map_err(|_| "the signature header is malformed")?;
    let signed = |secret: &Vec<u8>| {
        let mac = hmac(secret)
            .chain_update(at_text)
            .chain_update(".")
            .chain_update(body);
        tags.iter().any(|tag| mac.clone().verify_slice(tag).is_ok())
    };
    if !secrets.iter().any(signed) {
        return Err("the signature is not valid");
    }
    if (now.0 / 1_000).abs_diff(at) > AGE_S_MAX {
        return Err("the signature is too old");
    }
    Ok(())
}

fn command(cluster: &str, told: &WebhookBody) -> Result<Command, Problem> {
    let invalid =
        |field: &'static str| Problem::new(Code::WebhookInvalid, "not understood").at(field);
    let order = text::parse_order(&told.order).ok_or_else(|| invalid("order"))?;
    if told.reference.len() > REFERENCE_BYTES_MAX {
        return Err(invalid("reference"));
    }
    let done = || PaymentResult::Done {
        reference: told.reference.clone(),
    };
    let (step, result) = match told.kind.as_str() {
        "authorized" => (PaymentStep::Authorize, done()),
        "captured" => (PaymentStep::Capture, done()),
        "cancelled" => (PaymentStep::Cancel, done()),
        "refunded" => (PaymentStep::Refund, done()),
        "declined" => (
            PaymentStep::Authorize,
            PaymentResult::Refused {
                reason: "declined".to_owned(),
            },
        ),
        _ => return Err(invalid("type")),
    };
    if told
        .step
        .as_ref()
        .is_some_and(|named| named != step_name(step))
    {
        return Err(invalid("step"));
    }
    let attempt = told
        .attempt
        .or_else(|| attempt_of(cluster, order, &told.key))
        .ok_or_else(|| invalid("attempt"))?;
    Ok(Command::RecordPayment {
        order,
        step,
        attempt,
        result,
    })
}

/// The try that a key belongs to: keys are derived, so they can be tried out. `None`: the key is not
/// one of that cluster's and order's.
pub fn attempt_of(cluster: &str, order: OrderId, key: &str) -> Option<u8> {
    let steps = [
        PaymentStep::Authorize,
        PaymentStep::Capture,
        PaymentStep::Cancel,
        PaymentStep::Refund,
    ];
    let key = key.split('.').next().unwrap_or_default();
    (0..=PAYMENT_ATTEMPTS_MAX).find(|&attempt| {
        steps
            .iter()
            .any(|&step| payment_key(cluster, order, step, attempt) == key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    #[test]
    fn a_signature_holds_for_its_body_its_secret_and_five_minutes() {
        let secrets = vec![b"old".to_vec(), b"new".to_vec()];
        let check = |secret: &[u8], at: u64, body: &[u8]| {
            authentic(&secrets, &webhook_signature(secret, at, b"body"), body, NOW).is_ok()
        };
        assert!(check(b"old", 1_000_000, b"body") && check(b"new", 1_000_000, b"body"));
        assert!(!check(b"other", 1_000_000, b"body") && !check(b"new", 1_000_000, b"bodY"));
        assert!(check(b"new", 999_700, b"body") && !check(b"new", 999_699, b"body"));
        assert!(check(b"new", 1_000_300, b"body") && !check(b"new", 1_000_301, b"body"));
        for header in ["", "t=1", "v1=00", "t=x,v1=00", "t=1000000,v1="] {
            assert!(
                authentic(&secrets, header, b"body", NOW).is_err(),
                "{header}"
            );
        }
    }

    #[test]
    fn the_try_follows_from_the_key_alone() {
        let order = OrderId(7);
        let key = payment_key("c", order, PaymentStep::Capture, 2);
        assert_eq!(attempt_of("c", order, &key), Some(2));
        assert_eq!(attempt_of("c", order, &format!("{key}.5")), Some(2));
        assert_eq!(attempt_of("d", order, &key), None);
    }
}
