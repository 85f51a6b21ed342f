//! The cluster's version, as operators see and raise it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cluster::catalogue::CatalogueCommand;
use serde::Deserialize;

use super::access::By;
use super::commit::{NotDone, commit};
use super::{Admin, problem};
use crate::node::version::survey;

/// How it is to be raised.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct How {
    /// Only tells whether it could be.
    dry_run: bool,
}

/// `GET /admin/version`.
pub(super) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    match survey(&admin.node.client(), &admin.replicas).await {
        Ok(survey) => Json(survey).into_response(),
        Err(detail) => problem(StatusCode::SERVICE_UNAVAILABLE, "NO_LEADER", detail),
    }
}

/// `POST /admin/version`: raises it to what every node supports.
pub(super) async fn finish(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Query(how): Query<How>,
) -> Response {
    let client = admin.node.client();
    let mut seen = match survey(&client, &admin.replicas).await {
        Ok(survey) => survey,
        Err(detail) => return problem(StatusCode::SERVICE_UNAVAILABLE, "NO_LEADER", detail),
    };
    if seen.common == seen.version && !seen.missing.is_empty() {
        let detail = format!(
            "the cluster stays at version {}: {}",
            seen.version,
            seen.missing.join("; ")
        );
        return problem(StatusCode::CONFLICT, "NODES_TOO_OLD", detail);
    }
    if seen.common > seen.version && !how.dry_run {
        let to = seen.common;
        let deed = by.deed("cluster.version", format!("version {to}"));
        match commit(&admin, &deed, &CatalogueCommand::RaiseVersion { to }).await {
            Ok(()) => seen.version = to,
            Err(NotDone::Refused(rejection)) => {
                return problem(StatusCode::CONFLICT, "REFUSED", rejection.to_string());
            }
            Err(NotDone::NotCommitted(detail)) => {
                return problem(StatusCode::SERVICE_UNAVAILABLE, "NOT_COMMITTED", detail);
            }
        }
    }
    Json(seen).into_response()
}
