//! What proves that replicas agree and what they sold: digests, the audit's view, the feed of facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::history::History;
use api::routes_history::{FeedLineView, FeedView};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger::ShardId;
use serde::{Deserialize, Serialize};

use super::{Admin, problem};
use crate::node::audit_view::{self, AuditView};

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

/// Which digests are wanted.
#[derive(Deserialize)]
pub(super) struct DigestQuery {
    /// That group's alone.
    group: Option<u32>,
}

/// A digest is a walk through all of a ledger: not on a thread that answers buyers and peers.
pub(super) async fn digests(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<DigestQuery>,
) -> Response {
    let hex = |digest: [u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let walk = move || -> Vec<DigestView> {
        let wanted = |shard: &ShardId| query.group.is_none_or(|group| group == u32::from(shard.0));
        let ledgers = admin.replicas.ledgers.iter();
        let ledgers = ledgers.filter(|(shard, _)| wanted(shard));
        let ledgers = ledgers.map(|(shard, replica)| {
            let (ledger, applied, _) = replica.copy();
            DigestView {
                group: shard.0.into(),
                applied,
                digest: hex(ledger.digest()),
            }
        });
        ledgers.collect()
    };
    walked("DIGEST_FAILED", walk).await
}

pub(super) async fn audit(
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
        let (ledger, applied, _) = replica.copy();
        audit_view::view(&ledger, applied, &names)
    };
    walked("AUDIT_FAILED", walk).await
}

/// Facts of one answer, at most.
const FACTS_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedQuery {
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

pub(super) async fn feed(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<FeedQuery>,
) -> Response {
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
