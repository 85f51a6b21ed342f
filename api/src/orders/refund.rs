//! `POST /api/v1/orders/{id}/refund`: the organizer gives a paid order's money back. Its seats are
//! free from the entry that decides it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ledger::command::Command;
use ledger::outcome::{OrderPhase, Receipt};

use super::find;
use super::view::{StatusAnswer, status};
use crate::auth::Caller;
use crate::extract::PathText;
use crate::problem::Problem;
use crate::rejections;
use crate::state::AppState;

/// Refunds an order. Repeating it starts no second refund.
#[utoipa::path(post, path = "/api/v1/orders/{id}/refund", tag = "orders", params(("id" = String, Path)),
    responses((status = 202, body = StatusAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn refund(
    State(state): State<AppState>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Response, Problem> {
    caller.organizer()?;
    let (known, _) = find::find_visible(&state, &id, &caller, false).await?;
    let order = known.id();
    let command = Command::StartRefund { order };
    let committed = state
        .backend
        .propose(order.home(), command, state.config.limits.deadline)
        .await?;
    let phase = match committed.outcome.map_err(rejections::problem)? {
        Receipt::Payment { phase } => phase,
        _ => OrderPhase::Refunding,
    };
    let answer = axum::Json(StatusAnswer {
        status: status(phase),
    });
    let mut response = (StatusCode::ACCEPTED, answer).into_response();
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    Ok(response)
}
