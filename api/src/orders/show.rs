//! `GET /api/v1/orders/{id}`.

use axum::extract::State;
use serde::Deserialize;

use super::find;
use super::view::OrderView;
use crate::auth::Caller;
use crate::extract::{PathText, Query};
use crate::problem::{Code, Problem};
use crate::state::AppState;

/// How fresh an answer must be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// `local` (default) or `linearizable`.
    pub consistency: Option<String>,
}

impl Consistency {
    /// Whether the answer must include everything acknowledged before it was asked for.
    pub fn linearizable(&self) -> Result<bool, Problem> {
        linearizable(self.consistency.as_deref())
    }
}

/// Reads the parameter `consistency`.
pub fn linearizable(text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("local") => Ok(false),
        Some("linearizable") => Ok(true),
        Some(_) => Err(Problem::new(Code::QueryInvalid, "local or linearizable").at("consistency")),
    }
}

/// An order: for its buyer, and for those who run its event.
#[utoipa::path(get, path = "/api/v1/orders/{id}", tag = "orders",
    params(("id" = String, Path), ("consistency" = Option<String>, Query)),
    responses((status = 200, body = OrderView), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn show(
    State(state): State<AppState>,
    caller: Caller,
    PathText(id): PathText,
    Query(wanted): Query<Consistency>,
) -> Result<axum::Json<OrderView>, Problem> {
    let (known, record) = find::find_visible(&state, &id, &caller, wanted.linearizable()?).await?;
    Ok(axum::Json(OrderView::of(&record, &known)))
}
