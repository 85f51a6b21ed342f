//! `POST /api/v1/orders/{id}/refund`: the organizer gives a paid order's money back. Its seats are
//! free from the entry that decides it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ledger::command::Command;
use ledger::outcome::{OrderPhase, Receipt};

use super::find;
use super::view::{StatusAnswer, status};
use crate::auth::{Acting, Caller};
use crate::extract::PathText;
use crate::problem::Problem;
use crate::rejections;
use crate::state::AppState;
use crate::text;

/// Refunds an order. Repeating it starts no second refund.
#[utoipa::path(post, path = "/api/v1/orders/{id}/refund", tag = "orders", params(("id" = String, Path)),
    responses((status = 202, body = StatusAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn refund(
    State(state): State<AppState>,
    caller: Caller,
    acting: Acting,
    PathText(id): PathText,
) -> Result<Response, Problem> {
    // As of now: whether this starts a refund decides whether it stands in the trail.
    let (known, _) = find::find_visible(&state, &id, &caller, true).await?;
    let order = known.id();
    let deed = acting.deed(&state, "order.refund", text::id(order.0));
    // Before the money goes back, which is decided in another group's log: what cannot be recorded is
    // not done.
    let before = known.phase() == OrderPhase::Paid;
    if before {
        state.note(deed.clone()).await?;
    }
    let command = Command::StartRefund { order };
    let committed = state
        .backend
        .propose(order.home(), command, state.config.limits.deadline)
        .await?;
    let phase = match committed.outcome.map_err(rejections::problem)? {
        Receipt::Payment { phase } => phase,
        _ => OrderPhase::Refunding,
    };
    // It was paid in this very moment.
    if !before && !matches!(known.phase(), OrderPhase::Refunding | OrderPhase::Refunded) {
        state.note(deed).await?;
    }
    let answer = axum::Json(StatusAnswer {
        status: status(phase),
    });
    let mut response = (StatusCode::ACCEPTED, answer).into_response();
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    Ok(response)
}
