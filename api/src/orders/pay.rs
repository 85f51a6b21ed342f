//! `POST /api/v1/orders/{id}/pay`: starts a payment and waits a while for its outcome.
//!
//! Nothing is held while it waits: no lock, no log slot. Whoever runs the payment is somebody else
//! (the leader of the order's home); this only watches the local replica. Asking again is safe.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ledger::command::Command;
use ledger::limits::PAYMENT_METHOD_BYTES_MAX;
use ledger::outcome::OrderPhase;
use ledger::payments::AttemptState;
use ledger::{OrderId, Rejection};
use probes::Bug;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout};
use utoipa::ToSchema;

use super::find::{self, Known};
use crate::auth::Caller;
use crate::extract::{Json, PathText};
use crate::problem::{Code, Problem};
use crate::rejections;
use crate::state::AppState;

/// How long an order may still be gathering its seats when its buyer wants to pay already.
const NOT_HELD_YET: Duration = Duration::from_secs(2);
/// A busy shard applies thousands of entries a second; nobody needs to look after each.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How to pay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayRequest {
    /// The provider's opaque token for a card, a wallet, ...
    #[schema(min_length = 1, max_length = 128)]
    pub payment_method: String,
}

/// How the payment went.
#[derive(Serialize, ToSchema)]
pub struct PayAnswer {
    /// `paid`, or `processing`: ask again.
    pub status: &'static str,
    /// The tickets, once paid.
    pub ticket_ids: Vec<String>,
}

/// Pays an order. Repeat it to ask for the outcome.
#[utoipa::path(post, path = "/api/v1/orders/{id}/pay", tag = "orders", params(("id" = String, Path)),
    request_body = PayRequest,
    responses((status = 200, body = PayAnswer), (status = 202, body = PayAnswer),
        (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn pay(
    State(state): State<AppState>,
    caller: Caller,
    PathText(id): PathText,
    Json(request): Json<PayRequest>,
) -> Result<Response, Problem> {
    let buyer = caller.buyer()?;
    let method = request.payment_method;
    let printable = method.bytes().all(|byte| byte.is_ascii_graphic());
    if !(1..=PAYMENT_METHOD_BYTES_MAX).contains(&method.len()) || !printable {
        let detail = format!("1 to {PAYMENT_METHOD_BYTES_MAX} visible ASCII characters");
        return Err(Problem::field("payment_method", detail));
    }
    let order = find::find_own(&state, &id, buyer).await?.id();
    let deadline = Instant::now() + state.config.limits.pay_wait;
    let index = start(&state, order, buyer, method).await?;
    outcome(&state, order, index, deadline).await
}

/// Starts the payment; the log index where that was decided.
async fn start(
    state: &AppState,
    order: OrderId,
    buyer: ledger::BuyerId,
    method: String,
) -> Result<u64, Problem> {
    let patience = Instant::now() + NOT_HELD_YET;
    let mut pause = Duration::from_millis(10);
    loop {
        let command = Command::StartPayment {
            order,
            buyer,
            method: method.clone(),
        };
        let committed = state
            .backend
            .propose(order.home(), command, state.config.limits.deadline)
            .await?;
        match committed.outcome {
            Ok(_) | Err(Rejection::OrderInPayment) => return Ok(committed.index),
            // The door answers "held" before home has recorded it.
            Err(Rejection::OrderNotHeldYet) if Instant::now() < patience => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(250));
            }
            Err(why) => return Err(rejections::problem(why)),
        }
    }
}

async fn outcome(
    state: &AppState,
    order: OrderId,
    decided: u64,
    deadline: Instant,
) -> Result<Response, Problem> {
    loop {
        let looked = Instant::now();
        let Ok((known, index)) = find::look(state, order) else {
            // No replica here to watch: the buyer asks again.
            return Ok(processing());
        };
        if index >= decided
            && let Some(answer) = settled(state, &known.ok_or_else(find::unknown)?)
        {
            return answer;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let changed = timeout(left, state.backend.changed(order.home(), index));
        tokio::select! {
            biased;
            changed = changed => {
                if changed.is_err() {
                    return Ok(processing());
                }
            }
            // Whoever waits for the provider would keep a node from stopping for as long; and the
            // replica of one that has left its groups never changes again.
            () = state.backend.stopping() => return Ok(processing()),
        }
        sleep_until(looked + LOOK_EVERY).await;
    }
}

/// The answer, once there is nothing left to wait for.
fn settled(state: &AppState, known: &Known) -> Option<Result<Response, Problem>> {
    match known.phase() {
        OrderPhase::Paying if probes::planted(Bug::PaidToldAtStart) => {
            let answer = PayAnswer {
                status: "paid",
                ticket_ids: Vec::new(),
            };
            Some(Ok(axum::Json(answer).into_response()))
        }
        OrderPhase::Opening | OrderPhase::Paying | OrderPhase::InDoubt | OrderPhase::Committed => {
            None
        }
        OrderPhase::Paid => {
            let answer = PayAnswer {
                status: "paid",
                ticket_ids: known.tickets(),
            };
            Some(Ok(axum::Json(answer).into_response()))
        }
        OrderPhase::Held => Some(Err(held_again(state, known))),
        OrderPhase::Refunding | OrderPhase::Refunded => {
            Some(Err(
                Problem::new(Code::OrderOver, "the order was refunded").with("reason", "refunded")
            ))
        }
        OrderPhase::Closed(why) => Some(Err(rejections::problem(Rejection::OrderOver { why }))),
    }
}

/// A payment was started and the order is held again: declined, or its seats could not be pinned
/// in time.
fn held_again(state: &AppState, known: &Known) -> Problem {
    let Known::Live(order) = known else {
        return find::unknown();
    };
    let declined = state.read(order.id.home(), |ledger, _| {
        let attempt = ledger.attempt(order.id, order.attempts);
        attempt.is_some_and(|attempt| attempt.state == AttemptState::Declined)
    });
    if declined == Ok(true) {
        Problem::new(
            Code::PaymentDeclined,
            "the provider declined; the seats are still held",
        )
        .with("attempts_left", known.attempts_left())
    } else {
        Problem::new(
            Code::OrderNotHeldYet,
            "the payment did not start; try again",
        )
        .retry_after_s(1)
    }
}

fn processing() -> Response {
    let answer = PayAnswer {
        status: "processing",
        ticket_ids: Vec::new(),
    };
    let mut response = (StatusCode::ACCEPTED, axum::Json(answer)).into_response();
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}
