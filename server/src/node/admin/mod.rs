//! The operators' listener: status, initialization, members, keys, trail, digests, audit, and a web page.
//! Loopback by default; nothing here is for buyers.

pub mod access;
mod audit;
pub mod browser;
mod commit;
#[cfg(feature = "process")]
pub mod debug;
mod init;
mod keys;
mod members;
#[cfg(feature = "process")]
mod page;
mod status;
mod trail;
mod version;

use std::sync::Arc;

use api::AppState;
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use raft_node::Node;

pub use self::access::Least;
use self::access::{Row, change, look, routes};
pub use self::audit::DigestView;
pub use self::keys::{KeyRequest, KeyView};
pub use self::members::{
    AddRequest, BlockedView, ChangeView, GroupSeenView, MembersView, NodeView, RebalanceRequest,
};
pub use self::status::{ClockView, GroupView, HealthView, StatusView};
pub use self::trail::{RecordView, TrailView};
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
    /// Its public door: keys, names of requests, clock.
    pub door: AppState,
}

/// Every route of operators, and who may ask for it. Backups have theirs in `node::backup`, the web page in
/// `page`.
const ROUTES: &[Row<Arc<Admin>>] = &[
    look("/admin/status", || get(status::status)),
    look("/admin/digests", || get(audit::digests)),
    look("/admin/audit", || get(audit::audit)),
    look("/admin/feed", || get(audit::feed)),
    look("/admin/members", || get(members::show)),
    look("/admin/version", || get(version::show)),
    change(Method::POST, "/admin/version", || post(version::finish)),
    look("/admin/trail", || get(trail::show)),
    look("/admin/keys", || get(keys::list)),
    change(Method::POST, "/admin/init", || post(init::init)),
    change(Method::POST, "/admin/members", || post(members::add)),
    change(Method::DELETE, "/admin/members/{node}", || {
        delete(members::remove)
    }),
    change(Method::POST, "/admin/members/{node}/drain", || {
        post(members::drain)
    }),
    change(Method::POST, "/admin/members/{node}/undrain", || {
        post(members::undrain)
    }),
    change(Method::POST, "/admin/rebalance", || {
        post(members::rebalance)
    }),
    change(Method::POST, "/admin/move-leader", || {
        post(members::move_leader)
    }),
    change(Method::POST, "/admin/keys", || post(keys::create)),
    change(Method::DELETE, "/admin/keys/{id}", || delete(keys::revoke)),
];

/// Every row of all tables, for tests: method, path, and what it takes at least.
pub fn table() -> Vec<(Method, &'static str, Least)> {
    let rows = ROUTES
        .iter()
        .map(|row| (row.method.clone(), row.path, row.least));
    let rows = rows.chain(super::backup::table());
    #[cfg(feature = "process")]
    let rows = rows.chain(page::table()).chain(debug::table());
    rows.collect()
}

/// The operators' routes.
pub fn router(admin: Admin) -> Router {
    let door = admin.door.clone();
    let admin = Arc::new(admin);
    let router = routes(ROUTES, &door).with_state(admin.clone());
    #[cfg(feature = "process")]
    let router = router.merge(page::router(admin));
    router
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
