//! What a node gives to whoever takes a backup: how far its groups are, snapshot files, log entries.
//!
//! In pieces of bounded size, each answered from a file or from memory, so that a backup holds up
//! nobody; only the marks ask the leaders, once. Nothing here decides what a backup is: see
//! [`crate::backup`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::AppState;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use bytes::BytesMut;
use futures::future::join_all;
use raft_node::Node;
use raft_node::backup::{Base, ExportError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::admin::access::{self, Row};
use super::admin::problem;
use super::backend::Replicas;
use super::config::Config;

/// Bytes of one piece, about.
pub const PIECE_BYTES: usize = 1 << 20;
/// How long a group's leader may take to confirm itself.
const MARK_WITHIN: Duration = Duration::from_secs(5);
/// Snapshot files held open for backups, at most: a group each, most of the time.
const BASES_MAX: usize = 8_192;

/// The state of the routes.
pub struct Backups {
    node: Arc<Node>,
    replicas: Arc<Replicas>,
    config: Config,
    /// The file last handed out, by group: whoever is reading it may read it to its end. A node
    /// that stops forgets them, and the backup begins that group again.
    bases: Mutex<BTreeMap<u32, Base>>,
}

impl Backups {
    /// For a running node.
    pub fn new(node: Arc<Node>, replicas: Arc<Replicas>, config: Config) -> Self {
        Self {
            node,
            replicas,
            config,
            bases: Mutex::default(),
        }
    }

    fn bases(&self) -> MutexGuard<'_, BTreeMap<u32, Base>> {
        // Whatever panicked, the map is whole.
        self.bases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /admin/backup/marks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarksView {
    /// This node.
    pub node_id: u64,
    /// Its cluster.
    pub cluster_id: Uuid,
    /// Where the state began.
    pub lineage: Uuid,
    /// Its release.
    pub release: String,
    /// Ledger shards of the cluster; 0 before it was initialized.
    pub shards: u16,
    /// Every group it has a replica of.
    pub groups: Vec<MarkView>,
}

/// How far a group is committed, by its leader's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkView {
    /// The group.
    pub group: u32,
    /// Everything acknowledged before the question lies up to this index.
    pub index: u64,
}

/// `GET /admin/backup/base?group=G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseView {
    /// Index of the first entry that is not in the snapshot; 0 when there is none.
    pub next: u64,
    /// Length of its file.
    pub bytes: u64,
}

/// The routes, and who may ask. What they give is all there is, hashes of keys included: it takes an
/// operator's role, although nothing is changed.
const ROUTES: &[Row<Arc<Backups>>] = &[
    copy("/admin/backup/marks", || get(marks)),
    copy("/admin/backup/base", || get(base)),
    copy("/admin/backup/base/piece", || get(piece)),
    copy("/admin/backup/log", || get(log)),
];

const fn copy(
    path: &'static str,
    handler: fn() -> MethodRouter<Arc<Backups>>,
) -> Row<Arc<Backups>> {
    access::change(Method::GET, path, handler)
}

/// The rows, for tests.
pub(super) fn table() -> impl Iterator<Item = (Method, &'static str, access::Least)> {
    ROUTES
        .iter()
        .map(|row| (row.method.clone(), row.path, row.least))
}

/// The routes, to be merged into the operators'.
pub fn router(backups: Backups, door: &AppState) -> Router {
    access::routes(ROUTES, door).with_state(Arc::new(backups))
}

async fn marks(State(backups): State<Arc<Backups>>) -> Response {
    let client = backups.node.client();
    let asked = backups.node.groups().into_iter().map(|group| {
        let client = client.clone();
        async move { (group, client.read_index(group, MARK_WITHIN).await) }
    });
    let mut groups = Vec::new();
    for (group, answer) in join_all(asked).await {
        match answer {
            Ok(index) => groups.push(MarkView { group, index }),
            Err(error) => {
                let detail = format!("group {group}: {error}; try again, or ask another node");
                return problem(StatusCode::SERVICE_UNAVAILABLE, "NO_LEADER", detail);
            }
        }
    }
    let catalogue = &backups.replicas.catalogue;
    let router = catalogue.look(|catalogue, _, _| catalogue.router());
    Json(MarksView {
        node_id: backups.config.node_id,
        cluster_id: backups.config.cluster_id,
        lineage: backups.config.lineage(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        shards: router.map_or(0, |router| router.count()),
        groups,
    })
    .into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfGroup {
    group: u32,
}

async fn base(State(backups): State<Arc<Backups>>, Query(query): Query<OfGroup>) -> Response {
    match backups.node.backup_base(query.group).await {
        Ok(None) => Json(BaseView { next: 0, bytes: 0 }).into_response(),
        Ok(Some(base)) => {
            let (next, bytes) = (base.next, base.bytes);
            let mut bases = backups.bases();
            if bases.len() >= BASES_MAX {
                bases.clear();
            }
            bases.insert(query.group, base);
            Json(BaseView { next, bytes }).into_response()
        }
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PieceQuery {
    group: u32,
    next: u64,
    offset: u64,
}

async fn piece(State(backups): State<Arc<Backups>>, Query(query): Query<PieceQuery>) -> Response {
    let held = backups.bases().get(&query.group).cloned();
    let Some(base) = held.filter(|base| base.next == query.next) else {
        let detail = "that snapshot is no longer held open; ask for the base again".to_owned();
        return problem(StatusCode::GONE, "BASE_GONE", detail);
    };
    match base.read(query.offset, PIECE_BYTES).await {
        Ok(bytes) => {
            if query.offset + bytes.len() as u64 >= base.bytes {
                // Read to its end: a file that was replaced meanwhile takes room until it is closed.
                backups.bases().remove(&query.group);
            }
            octets(Body::from(bytes))
        }
        Err(error) => {
            let detail = error.to_string();
            problem(StatusCode::INTERNAL_SERVER_ERROR, "BASE_UNREADABLE", detail)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    group: u32,
    from: u64,
    upto: u64,
}

async fn log(State(backups): State<Arc<Backups>>, Query(query): Query<LogQuery>) -> Response {
    let LogQuery { group, from, upto } = query;
    match backups.node.backup_entries(group, from, upto, PIECE_BYTES) {
        Ok(entries) => {
            let mut bytes = BytesMut::with_capacity(PIECE_BYTES);
            entries.iter().for_each(|entry| entry.put(&mut bytes));
            octets(Body::from(bytes.freeze()))
        }
        Err(error) => refused(&error),
    }
}

fn octets(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response()
}

fn refused(error: &ExportError) -> Response {
    let (status, code) = match error {
        ExportError::NoGroup(_) => (StatusCode::NOT_FOUND, "GROUP_UNKNOWN"),
        ExportError::Gone { .. } => (StatusCode::GONE, "LOG_GONE"),
        ExportError::Storage(_) => (StatusCode::INTERNAL_SERVER_ERROR, "BASE_UNREADABLE"),
    };
    problem(status, code, error.to_string())
}
