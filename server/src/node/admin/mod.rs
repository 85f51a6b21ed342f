//! The operators' listener: status, initialization, members, digests, audit. Loopback by default;
//! nothing here is for buyers.

mod audit;
mod init;
mod members;
mod status;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use raft_node::Node;

pub use self::audit::DigestView;
pub use self::members::{
    AddRequest, BlockedView, ChangeView, GroupSeenView, MembersView, NodeView, RebalanceRequest,
};
pub use self::status::{ClockView, GroupView, HealthView, StatusView};
use super::backend::Replicas;
use super::members::MoverSays;
use crate::read_model::ReadModel;

/// What the routes need.
pub struct Admin {
    /// The node.
    pub node: Arc<Node>,
    /// Its replicas.
    pub replicas: Arc<Replicas>,
    /// Its id.
    pub node_id: u64,
    /// Its cluster.
    pub cluster_id: uuid::Uuid,
    /// Where buyers reach it.
    pub http: std::net::SocketAddr,
    /// Shards the cluster is to have.
    pub shards: u16,
    /// From how many ms on a peer's clock is complained of.
    pub clock_warn_ms: u64,
    /// Whether it was started to join a cluster that exists.
    pub joins: bool,
    /// What the mover of this node has to say.
    pub mover: Arc<MoverSays>,
    /// Its read model, if it has one.
    pub history: Option<Arc<ReadModel>>,
}

/// The operators' routes.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/admin/status", get(status::status))
        .route("/admin/init", post(init::init))
        .route("/admin/digests", get(audit::digests))
        .route("/admin/members", get(members::show).post(members::add))
        .route("/admin/members/{node}", delete(members::remove))
        .route("/admin/members/{node}/drain", post(members::drain))
        .route("/admin/members/{node}/undrain", post(members::undrain))
        .route("/admin/version", get(version::show).post(version::finish))
        .route("/admin/rebalance", post(members::rebalance))
        .route("/admin/move-leader", post(members::move_leader))
        .route("/admin/audit", get(audit::audit))
        .route("/admin/feed", get(audit::feed))
        .with_state(Arc::new(admin))
}

pub(super) fn problem(status: StatusCode, error: &'static str, detail: String) -> Response {
    let body = serde_json::json!({
        "type": format!("https://usher.invalid/problems/{}", error.to_lowercase().replace('_', "-")),
        "title": error,
        "status": status.as_u16(),
        "error": error,
        "detail": detail,
    });
    (
        status,
        [("content-type", "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}
