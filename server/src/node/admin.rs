//! The operators' listener: status, initialization, digests, audit. Loopback by default; nothing
//! here is for buyers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::history::History;
use api::routes_history::{FeedLineView, FeedView};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cluster::SYSTEM_GROUP;
use cluster::catalogue::CatalogueCommand;
use ledger::ShardId;
use raft_node::Node;
use raft_node::error::InitializeError;
use serde::{Deserialize, Serialize};

use super::audit_view::{self, AuditView};
use super::backend::Replicas;
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
    /// Its read model, if it has one.
    pub history: Option<Arc<ReadModel>>,
}

/// `GET /admin/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// This node.
    pub node_id: u64,
    /// Its cluster.
    pub cluster_id: uuid::Uuid,
    /// Its release.
    pub version: String,
    /// Where buyers reach it.
    pub http: std::net::SocketAddr,
    /// Every group it has a replica of.
    pub groups: Vec<GroupView>,
}

/// One group, as this node sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupView {
    /// Its number; 0 is the system group.
    pub group: u32,
    /// `leader`, `follower`, `candidate`, `learner` or `stopped`.
    pub role: String,
    /// Its term.
    pub term: u64,
    /// Who leads, if known.
    pub leader: Option<u64>,
    /// Index of the last entry in this node's log.
    pub last_log: u64,
    /// Index of the last entry known to be committed.
    pub committed: u64,
    /// Index of the last entry applied here.
    pub applied: u64,
    /// Index of the newest snapshot.
    pub snapshot: u64,
    /// Who votes.
    pub voters: Vec<u64>,
}

/// One line of `GET /admin/digests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestView {
    /// The group.
    pub group: u32,
    /// Index of the last entry applied.
    pub applied: u64,
    /// SHA-256 of the state, hex.
    pub digest: String,
}

/// The operators' routes.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/admin/status", get(status))
        .route("/admin/init", post(init))
        .route("/admin/digests", get(digests))
        .route("/admin/move-leader", post(move_leader))
        .route("/admin/audit", get(audit))
        .route("/admin/feed", get(feed))
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

async fn status(State(admin): State<Arc<Admin>>) -> Json<StatusView> {
    let groups = admin.node.status().into_iter().map(|group| GroupView {
        group: group.group,
        role: format!("{:?}", group.role).to_lowercase(),
        term: group.term,
        leader: group.leader,
        last_log: group.last_log_index,
        committed: group.committed,
        applied: group.applied,
        snapshot: group.snapshot_index,
        voters: group.voters.into_iter().collect(),
    });
    Json(StatusView {
        node_id: admin.node_id,
        cluster_id: admin.cluster_id,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        http: admin.http,
        groups: groups.collect(),
    })
}

/// How long `init` waits for the new cluster's system group to decide.
const INIT_WITHIN: Duration = Duration::from_secs(15);

async fn init(State(admin): State<Arc<Admin>>) -> Response {
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
        Ok(Ok(_)) => Json(serde_json::json!({ "shards": admin.shards })).into_response(),
        Ok(Err(rejection)) => problem(
            StatusCode::CONFLICT,
            "NOT_INITIALIZED",
            rejection.to_string(),
        ),
        Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, "NO_LEADER", error),
    }
}

/// Which digests are wanted.
#[derive(Deserialize)]
struct DigestQuery {
    /// That group's alone.
    group: Option<u32>,
}

/// A digest is a walk through all of a ledger: not on a thread that answers buyers and peers.
async fn digests(State(admin): State<Arc<Admin>>, Query(query): Query<DigestQuery>) -> Response {
    let hex = |digest: [u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let walk = move || -> Vec<DigestView> {
        let wanted = |shard: &ShardId| query.group.is_none_or(|group| group == u32::from(shard.0));
        let ledgers = admin.replicas.ledgers.iter();
        let ledgers = ledgers.filter(|(shard, _)| wanted(shard));
        let ledgers = ledgers.map(|(shard, replica)| {
            let (applied, digest) = replica.look(|ledger, applied, _| (applied, ledger.digest()));
            DigestView {
                group: shard.0.into(),
                applied,
                digest: hex(digest),
            }
        });
        ledgers.collect()
    };
    walked("DIGEST_FAILED", walk).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveLeader {
    group: u32,
    to: u64,
}

async fn move_leader(State(admin): State<Arc<Admin>>, Json(request): Json<MoveLeader>) -> Response {
    match admin.node.move_leader(request.group, request.to).await {
        Ok(()) => Json(serde_json::json!({ "group": request.group, "leader": request.to }))
            .into_response(),
        Err(error) => problem(StatusCode::CONFLICT, "LEADER_NOT_MOVED", error.to_string()),
    }
}

async fn audit(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let group = query.get("group").and_then(|group| group.parse().ok());
    let Some(replica) = group.and_then(|group| admin.replicas.ledgers.get(&ShardId(group))) else {
        let detail = "group: name one of this node's shards".to_owned();
        return problem(StatusCode::NOT_FOUND, "GROUP_UNKNOWN", detail);
    };
    let (replica, replicas) = (replica.clone(), admin.replicas.clone());
    let walk = move || -> AuditView {
        let names = |event| {
            replicas
                .catalogue
                .look(|catalogue, _, _| catalogue.event(event).cloned())
        };
        replica.look(|ledger, applied, _| audit_view::view(ledger, applied, &names))
    };
    walked("AUDIT_FAILED", walk).await
}

/// Facts of one answer, at most.
const FACTS_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedQuery {
    group: u16,
    #[serde(default = "first_fact")]
    from: u64,
    #[serde(default = "some_facts")]
    limit: usize,
}

fn first_fact() -> u64 {
    1
}

fn some_facts() -> usize {
    1_000
}

async fn feed(State(admin): State<Arc<Admin>>, Query(query): Query<FeedQuery>) -> Response {
    let shard = ShardId(query.group);
    if !admin.replicas.ledgers.contains_key(&shard) {
        let detail = "group: name one of this node's shards".to_owned();
        return problem(StatusCode::NOT_FOUND, "GROUP_UNKNOWN", detail);
    }
    let not_ready = || {
        let detail = "the read model is missing or being built".to_owned();
        problem(StatusCode::SERVICE_UNAVAILABLE, "NOT_READY", detail)
    };
    let Some(history) = admin.history.clone() else {
        return not_ready();
    };
    let limit = query.limit.min(FACTS_MAX);
    let asked = beside_the_workers(move || history.feed(shard, query.from, limit));
    let Ok(Ok(page)) = asked.await else {
        return not_ready();
    };
    let next = page.end.min(query.from.max(page.first));
    let facts = page.lines.iter().map(|line| {
        let event = line.change.event();
        let record = admin
            .replicas
            .catalogue
            .look(|catalogue, _, _| catalogue.event(event).cloned());
        FeedLineView::of(shard, line, record.as_deref())
    });
    Json(FeedView {
        shard: query.group,
        shards: admin.shards,
        first: page.first,
        end: page.end,
        rebuilt: page.rebuilt,
        next: page.lines.last().map_or(next, |line| line.number + 1),
        facts: facts.collect(),
    })
    .into_response()
}

/// Answers with what a walk found.
async fn walked<T: Serialize + Send + 'static>(
    failure: &'static str,
    walk: impl FnOnce() -> T + Send + 'static,
) -> Response {
    match beside_the_workers(walk).await {
        Ok(found) => Json(found).into_response(),
        Err(error) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            failure,
            error.to_string(),
        ),
    }
}

/// Runs what takes long on a thread where it keeps nobody waiting.
#[allow(
    deprecated,
    reason = "the simulator's way of saying that it runs it in place"
)]
async fn beside_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}
