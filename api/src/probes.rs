//! Probes and metrics.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::problem::{Code, Problem};
use crate::state::AppState;

/// Whether the process runs at all.
#[utoipa::path(get, path = "/livez", tag = "operations", responses((status = 200, body = String)))]
pub async fn livez() -> &'static str {
    "ok\n"
}

/// Whether this node can serve a buyer now; otherwise `missing` names what is missing.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = String), (status = 503, body = crate::openapi::ProblemBody)))]
pub async fn readyz(State(state): State<AppState>) -> Result<&'static str, Problem> {
    state.backend.ready().map(|()| "ok\n").map_err(|missing| {
        let details: Vec<&str> = missing.iter().map(|one| one.detail.as_str()).collect();
        let named: Vec<&str> = missing.iter().map(|one| one.what).collect();
        Problem::new(Code::NotReady, details.join("; ")).with("missing", named)
    })
}

/// Counters in the OpenMetrics format.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, body = String)))]
pub async fn metrics(State(state): State<AppState>) -> Response {
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], state.metrics.render()).into_response()
}
