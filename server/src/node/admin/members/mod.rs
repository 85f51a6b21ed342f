//! Members, as operators see and change them. A change is a wish in the catalogue, which the mover
//! carries out; each route can tell first what would be done (`?dry_run=true`), and refuses what
//! cannot come to its end with the reason and what helps (`?anyway=true` records the wish all the
//! same, for when a node that is down is known to come back).

mod change;
mod leader;
mod rebalance;
mod views;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cluster::catalogue::CatalogueCommand;
use cluster::members::{NodeRecord, NodeState};
use cluster::plan::rehearse;
use cluster::version;
use serde::{Deserialize, Serialize};

use self::change::{How, change, seen};
pub(super) use self::leader::move_leader;
pub use self::rebalance::RebalanceRequest;
pub(super) use self::rebalance::rebalance;
pub use self::views::{BlockedView, ChangeView, GroupSeenView, MembersView, NodeView};
use super::access::By;
use super::{Admin, problem};
use crate::node::members::BOUNDS;

/// `GET /admin/members`.
pub(super) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    let look = match seen(&admin).await {
        Ok(look) => look,
        Err(refusal) => return refusal,
    };
    let left = rehearse(look.registry.clone(), look.seen.clone(), BOUNDS);
    Json(MembersView::of(&admin, &look, &left)).into_response()
}

/// `POST /admin/members`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    /// Its id, never another node's.
    pub id: u64,
    /// `host:port` under which the others reach it.
    pub peer: String,
    /// What it fails together with.
    #[serde(default)]
    pub zone: String,
}

pub(super) async fn add(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Query(how): Query<How>,
    Json(request): Json<AddRequest>,
) -> Response {
    let record = NodeRecord {
        peer: request.peer,
        zone: request.zone,
        state: NodeState::Member,
    };
    let node = request.id;
    let deed = by.deed("node.add", format!("node {node} at {}", record.peer));
    let command = CatalogueCommand::AddNode {
        node,
        record,
        shards: admin.shards,
        // Its own word about that is heard when it starts.
        supports: version::NEWEST,
    };
    // A node that is not there yet may come later: that is no reason to refuse it.
    let anyway = true;
    change(&admin, &deed, &command, How { anyway, ..how }).await
}

pub(super) async fn drain(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Path(node): Path<u64>,
    Query(how): Query<How>,
) -> Response {
    let deed = by.deed("node.drain", format!("node {node}"));
    change(&admin, &deed, &CatalogueCommand::DrainNode { node }, how).await
}

pub(super) async fn undrain(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Path(node): Path<u64>,
    Query(how): Query<How>,
) -> Response {
    let anyway = true;
    let deed = by.deed("node.undrain", format!("node {node}"));
    let command = CatalogueCommand::UndrainNode { node };
    change(&admin, &deed, &command, How { anyway, ..how }).await
}

pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Path(node): Path<u64>,
    Query(how): Query<How>,
) -> Response {
    let deed = by.deed("node.remove", format!("node {node}"));
    change(&admin, &deed, &CatalogueCommand::RemoveNode { node }, how).await
}

fn not_initialized() -> Response {
    let detail = "the cluster has not been initialized; run `usher init` once".to_owned();
    problem(StatusCode::CONFLICT, "NOT_INITIALIZED", detail)
}
