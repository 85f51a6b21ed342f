//! A cluster's first command.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cluster::SYSTEM_GROUP;
use cluster::catalogue::CatalogueCommand;
use cluster::version;
use raft_node::error::InitializeError;

use super::access::By;
use super::commit::{NotDone, commit};
use super::{Admin, problem};
use crate::node::version::survey;

/// How often the nodes are asked what they support: they may have been started a moment ago.
const SURVEYS_MAX: u32 = 4;
const SURVEY_PAUSE: Duration = Duration::from_millis(500);
/// How long the new cluster's system group may take to decide.
const INIT_WITHIN: Duration = Duration::from_secs(15);

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
    let version = begin_with_all(&admin).await;
    let shards = admin.shards;
    let command = CatalogueCommand::FixShards { shards };
    let deed = by.deed("cluster.init", format!("{shards} shards"));
    match commit(&admin, &deed, &command).await {
        Ok(()) => Json(serde_json::json!({ "shards": shards, "version": version })).into_response(),
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

/// A cluster begins with all that its nodes support. If that cannot be told now, it begins with the
/// oldest version; `usher init` again, or `usher cluster upgrade`, which says what is missing, raises it.
async fn begin_with_all(admin: &Admin) -> u16 {
    let mut seen = Err("nobody was asked".to_owned());
    for attempt in 0..SURVEYS_MAX {
        if attempt > 0 {
            tokio::time::sleep(SURVEY_PAUSE).await;
        }
        seen = survey(&admin.node.client(), &admin.replicas).await;
        if seen.as_ref().is_ok_and(|seen| seen.missing.is_empty()) {
            break;
        }
    }
    let raised = match &seen {
        Ok(seen) if seen.common > seen.version => {
            // Part of the request whose record the number of shards is.
            let command = CatalogueCommand::RaiseVersion { to: seen.common };
            let bytes = cluster::codec::encode_command(&command);
            let client = admin.node.client();
            let done = client.propose(SYSTEM_GROUP, bytes, INIT_WITHIN).await;
            done.is_ok().then_some(seen.common)
        }
        Ok(seen) => Some(seen.version),
        Err(_) => None,
    };
    raised.unwrap_or_else(|| {
        tracing::warn!(?seen, "the cluster begins at the oldest version");
        version::OLDEST
    })
}
