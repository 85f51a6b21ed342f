//! A cluster's first command.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cluster::catalogue::CatalogueCommand;
use raft_node::error::InitializeError;

use super::access::By;
use super::commit::{NotDone, commit};
use super::{Admin, problem};

pub(super) async fn init(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
) -> Response {
    if admin.joins {
        let detail = "this node was started to join a cluster that exists; run `usher init` on a \
                      node of a new one, or start this one without --join"
            .to_owned();
        return problem(StatusCode::CONFLICT, "NOT_INITIALIZED", detail);
    }
    match admin.node.initialize().await {
        Ok(()) | Err(InitializeError::AlreadyInitialized) => {}
        Err(error) => {
            return problem(StatusCode::CONFLICT, "NOT_INITIALIZED", error.to_string());
        }
    }
    // The number of shards becomes part of the replicated state; repeating `init` is harmless,
    // another number of shards is refused.
    let shards = admin.shards;
    let command = CatalogueCommand::FixShards { shards };
    let deed = by.deed("cluster.init", format!("{shards} shards"));
    match commit(&admin, &deed, &command).await {
        Ok(()) => Json(serde_json::json!({ "shards": shards })).into_response(),
        Err(NotDone::Refused(rejection)) => problem(
            StatusCode::CONFLICT,
            "NOT_INITIALIZED",
            rejection.to_string(),
        ),
        Err(NotDone::NotCommitted(error)) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "NO_LEADER", error)
        }
    }
}
