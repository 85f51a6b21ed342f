//! A cluster's first command.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cluster::SYSTEM_GROUP;
use cluster::catalogue::CatalogueCommand;
use raft_node::error::InitializeError;

use super::{Admin, problem};
use crate::node::version::{raise, survey};

/// How long `init` waits for the new cluster's system group to decide.
const INIT_WITHIN: Duration = Duration::from_secs(15);

pub(super) async fn init(State(admin): State<Arc<Admin>>) -> Response {
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
    let command = cluster::codec::encode_command(&CatalogueCommand::FixShards {
        shards: admin.shards,
    });
    let committed = admin
        .node
        .client()
        .propose(SYSTEM_GROUP, command, INIT_WITHIN)
        .await;
    let outcome = committed
        .map_err(|error| error.to_string())
        .and_then(|committed| {
            cluster::codec::decode_outcome(&committed.outcome).map_err(|error| error.to_string())
        });
    match outcome {
        Ok(Ok(_)) => {
            let version = newest_common(&admin).await;
            Json(serde_json::json!({ "shards": admin.shards, "version": version })).into_response()
        }
        Ok(Err(rejection)) => problem(
            StatusCode::CONFLICT,
            "NOT_INITIALIZED",
            rejection.to_string(),
        ),
        Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, "NO_LEADER", error),
    }
}

/// A cluster begins with all that its nodes support. If that cannot be told now, it begins with the
/// oldest version, and `usher cluster upgrade` says what is missing.
async fn newest_common(admin: &Admin) -> u16 {
    let client = admin.node.client();
    let seen = match survey(&client, &admin.replicas).await {
        Ok(seen) => seen,
        Err(reason) => {
            tracing::warn!(reason, "the cluster begins at the oldest version");
            return cluster::version::OLDEST;
        }
    };
    if seen.common <= seen.version {
        return seen.version;
    }
    raise(&client, seen.common).await.unwrap_or_else(|reason| {
        tracing::warn!(reason, "the cluster begins at the oldest version");
        seen.version
    })
}
