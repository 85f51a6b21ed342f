//! `POST /api/v1/events`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cluster::catalogue::{CatalogueCommand, EventRecord};
use cluster::placement::{default_spread, spread_sections};
use http::{HeaderValue, StatusCode, header};
use ledger::EventId;
use ledger::event::{EventPlan, EventRules, QueueRules, SectionPlan};
use sha2::{Digest, Sha256};

use super::request::{CreateRequest, CreatedAnswer};
use crate::auth::{Acting, Caller};
use crate::extract::{EVENT_BYTES_MAX, IdempotencyKey, Json};
use crate::problem::{Code, Problem};
use crate::rejections;
use crate::state::AppState;
use crate::text;

/// Creates an event. Its sections are spread over shards, once and for ever.
#[utoipa::path(post, path = "/api/v1/events", tag = "events", request_body = CreateRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat give the same event")),
    responses((status = 201, body = CreatedAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    acting: Acting,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<CreateRequest, EVENT_BYTES_MAX>,
) -> Result<Response, Problem> {
    caller.unbound()?;
    let mut chance = [0; 48];
    state.backend.entropy(&mut chance);
    let (secret, id) = chance.split_at(32);
    let asked = Some(mark_of(&request));
    let checked = request.check(secret.try_into().expect("32 bytes"))?;
    let event = match key {
        Some(key) => event_of_key(caller.person.0, &key),
        None => EventId(u128::from_be_bytes(id.try_into().expect("16 bytes"))),
    };
    let router = state.router()?;
    let capacities: Vec<u32> = checked
        .sections
        .iter()
        .map(|section| section.layout.capacity())
        .collect();
    let places = capacities.iter().map(|&places| u64::from(places)).sum();
    let spread = request.spread.unwrap_or_else(|| default_spread(places));
    let shards = spread_sections(router, &capacities, event.0 as u64, spread);
    let sections = checked
        .sections
        .into_iter()
        .zip(shards)
        .map(|(section, shard)| SectionPlan {
            shard,
            layout: section.layout,
            price: section.price,
            tier: section.tier,
        });
    let rules = EventRules {
        room_shard: router.room(event),
        ..checked.rules
    };
    let record = EventRecord {
        plan: EventPlan {
            event,
            version: 1,
            rules,
            sections: sections.collect(),
        },
        name: request.name,
        venue: request.venue,
        section_names: request
            .sections
            .into_iter()
            .map(|section| section.name)
            .collect(),
        organizer: caller.person.0,
        created_at: state.backend.now(),
        asked,
    };
    let about = format!("{} {:?}", text::id(event.0), record.name);
    let deed = acting.deed(&state, "event.create", about);
    let command = CatalogueCommand::CreateEvent(Box::new(record));
    let committed = state
        .backend
        .propose_catalogue(deed, command, state.config.limits.deadline)
        .await?;
    committed.outcome.map_err(rejections::catalogue)?;
    super::installed(&state, event, 1).await;
    let known = state.event(event).map_err(|_| {
        Problem::new(
            Code::OutcomeUnknown,
            "created; this node has not heard of it yet",
        )
        .with("event_id", text::id(event.0))
    })?;
    Ok(created(&known))
}

/// The answer, from what is stored: a repeat drew another secret, and the first one counts.
fn created(record: &EventRecord) -> Response {
    let event_id = text::id(record.plan.event.0);
    let location = HeaderValue::from_str(&format!("/api/v1/events/{event_id}"));
    let draw_commitment = record
        .plan
        .rules
        .queue
        .as_ref()
        .map(|queue| text::hex(&commitment(queue)));
    let body = axum::Json(CreatedAnswer {
        event_id,
        draw_commitment,
    });
    let mut response = (StatusCode::CREATED, body).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// What is published of the secret behind the draw.
pub(crate) fn commitment(queue: &QueueRules) -> [u8; 32] {
    Sha256::digest(queue.secret).into()
}

/// Tells a repeated request from another one under the same key. (Seeds 15 and 60: rules that are
/// compared with the event's own are those of its last change, not those that were asked for.)
fn mark_of(request: &CreateRequest) -> u128 {
    let mut hash = Sha256::new();
    hash.update(b"usher create 1");
    hash.update(serde_json::to_vec(request).expect("plain data becomes JSON"));
    text::id_of(hash.finalize().into())
}

fn event_of_key(organizer: u128, key: &str) -> EventId {
    let mut hash = Sha256::new();
    hash.update(b"usher event 1");
    hash.update(organizer.to_be_bytes());
    hash.update(key.as_bytes());
    EventId(text::id_of(hash.finalize().into()))
}
