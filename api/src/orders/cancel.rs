//! `DELETE /api/v1/orders/{id}/hold`: the buyer gives the seats back.

use axum::extract::State;
use ledger::Rejection;
use ledger::command::{CloseReason, Command};
use ledger::outcome::OrderPhase;
use probes::Bug;

use super::find;
use super::view::StatusAnswer;
use crate::auth::Caller;
use crate::extract::PathText;
use crate::problem::Problem;
use crate::rejections;
use crate::state::AppState;

/// Gives an unpaid order's seats back. Repeating it changes nothing.
#[utoipa::path(delete, path = "/api/v1/orders/{id}/hold", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = StatusAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<axum::Json<StatusAnswer>, Problem> {
    let buyer = caller.buyer()?;
    let known = find::find_own(&state, &id, buyer).await?;
    let cancelled = StatusAnswer {
        status: "cancelled",
    };
    match known.phase() {
        OrderPhase::Closed(CloseReason::Cancelled) => return Ok(axum::Json(cancelled)),
        OrderPhase::Closed(why) => return Err(rejections::problem(Rejection::OrderOver { why })),
        _ => {}
    }
    let order = known.id();
    let command = Command::CloseOrder {
        order,
        buyer,
        why: CloseReason::Cancelled,
    };
    let committed = state
        .backend
        .propose(order.home(), command, state.config.limits.deadline)
        .await;
    if committed.is_err() && probes::planted(Bug::GiveBackToldWhenUnknown) {
        return Ok(axum::Json(cancelled));
    }
    committed?.outcome.map_err(rejections::problem)?;
    Ok(axum::Json(cancelled))
}
