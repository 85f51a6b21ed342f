//! `GET /api/v1/events/{id}/queue`: the public state of a waiting room, the same for everybody and
//! cacheable for a second, so that a CDN can carry the flood of polls and pages can compute their
//! own place.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cluster::catalogue::EventRecord;
use http::{HeaderValue, header};
use ledger::queue::RoomState;
use ledger::{EventId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::PathText;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

const CACHED_MS: u64 = 1_000;
const DOCUMENTS_MAX: usize = 4_096;

/// A waiting room, as anybody may see it.
#[derive(Serialize, ToSchema)]
pub struct QueueDocument {
    /// The event.
    pub event_id: String,
    /// `lobby`, `open`, `paused`, `sold_out` or `closed`.
    pub state: &'static str,
    /// People who have joined.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub joined: u64,
    /// How many positions have been admitted.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub admitted: u64,
    /// People admitted a minute.
    #[schema(minimum = 0, maximum = 4294967295i64)]
    pub admit_per_minute: u32,
    /// The draw.
    pub draw: DrawView,
}

/// All that is needed to compute the draw again; hexadecimal.
#[derive(Serialize, ToSchema)]
pub struct DrawView {
    /// SHA-256 of the secret, known from the start.
    pub commitment: String,
    /// People in the draw; null before it.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub n: Option<u64>,
    /// Root of the roster's Merkle tree; null before the draw.
    pub root: Option<String>,
    /// What came out; null before the draw.
    pub seed: Option<String>,
    /// The secret; null before the draw.
    pub secret: Option<String>,
    /// The public value that went in.
    pub beacon: Option<String>,
}

/// Rendered documents.
#[derive(Default)]
pub struct QueueDocuments(Mutex<HashMap<EventId, (Timestamp, Bytes)>>);

impl QueueDocuments {
    fn fresh(&self, event: EventId, now: Timestamp) -> Option<Bytes> {
        let documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rendered_at, body) = documents.get(&event)?;
        // A clock that jumped back must not keep a document for ever.
        let fresh = now >= *rendered_at && now.since_ms(*rendered_at) < CACHED_MS;
        fresh.then(|| body.clone())
    }

    fn keep(&self, event: EventId, now: Timestamp, body: Bytes) {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if documents.len() >= DOCUMENTS_MAX {
            documents.clear();
        }
        documents.insert(event, (now, body));
    }
}

/// The public state of a waiting room.
#[utoipa::path(get, path = "/api/v1/events/{id}/queue", tag = "queue", params(("id" = String, Path)),
    responses((status = 200, body = QueueDocument), (status = "4XX", body = crate::openapi::ProblemBody)))]
pub async fn document(State(state): State<AppState>, path: PathText) -> Result<Response, Problem> {
    let event = crate::events::in_path(&path)?;
    let now = state.backend.now();
    let body = match state.queue_documents.fresh(event, now) {
        Some(body) => body,
        None => {
            let body = render(&state, &*state.event(event)?)?;
            state.queue_documents.keep(event, now, body.clone());
            body
        }
    };
    let kind = HeaderValue::from_static("application/json");
    let second = HeaderValue::from_static("public, max-age=1");
    Ok((
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, second),
        ],
        body,
    )
        .into_response())
}

fn render(state: &AppState, record: &EventRecord) -> Result<Bytes, Problem> {
    let rules = &record.plan.rules;
    let none = || Problem::new(Code::QueueNone, "this event has no waiting room");
    let queue = rules.queue.as_ref().ok_or_else(none)?;
    let status = state.read(rules.room_shard, |ledger, _| {
        ledger
            .room(record.plan.event)
            .map(|room| room.status(rules))
    })?;
    let status =
        status.ok_or_else(|| Problem::new(Code::NotReady, "the event is being installed"))?;
    let beacon = String::from_utf8_lossy(&queue.beacon).into_owned();
    let document = QueueDocument {
        event_id: text::id(record.plan.event.0),
        state: match status.state {
            RoomState::Lobby => "lobby",
            RoomState::Open => "open",
            RoomState::Paused => "paused",
            RoomState::SoldOut => "sold_out",
            RoomState::Closed => "closed",
        },
        joined: status.joined,
        admitted: status.cursor,
        admit_per_minute: status.admit_per_minute,
        draw: DrawView {
            commitment: text::hex(&status.commitment),
            n: status.people,
            root: status.root.map(|root| text::hex(&root)),
            seed: status.seed.map(|seed| text::hex(&seed)),
            secret: status.secret.map(|secret| text::hex(&secret)),
            beacon: (!beacon.is_empty()).then_some(beacon),
        },
    };
    let bytes = serde_json::to_vec(&document);
    bytes
        .map(Bytes::from)
        .map_err(|_| Problem::new(Code::Internal, "the document could not be written"))
}
