//! Keys of the HTTP API. Whoever makes one draws its secret and sends a hash of it: no node hears the
//! secret before its holder uses it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cluster::catalogue::{CatalogueCommand, CatalogueRejection, KeyId, KeyRecord};
use ledger::EventId;
use serde::{Deserialize, Serialize};

use super::access::By;
use super::commit::{NotDone, commit};
use super::{Admin, problem};

/// A key for ever is none that ends in more than ten years.
const LASTS_S_MAX: u64 = 10 * 366 * 86_400;

/// `POST /admin/keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Its public half, 16 hex digits.
    pub id: String,
    /// SHA-256 of its secret, 64 hex digits.
    pub hash: String,
    /// `organizer`, `operator`, `gate` or `read-only`.
    pub role: String,
    /// What people call it.
    pub name: String,
    /// The one event it is for.
    #[serde(default)]
    pub event: Option<String>,
    /// When it ends by itself, in seconds from now.
    #[serde(default)]
    pub expires_in_s: Option<u64>,
}

/// `GET /admin/keys`: one of them. There is nothing here with which anybody could ask for anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Its public half.
    pub id: String,
    /// Its role.
    pub role: String,
    /// What people call it.
    pub name: String,
    /// The one event it is for.
    pub event: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it ends by itself.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// `good`, `expired` or `revoked`.
    pub state: String,
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Vec<KeyView>> {
    let now = admin.door.backend.now();
    let views = admin.replicas.catalogue.look(|catalogue, _, _| {
        let keys = catalogue.keys();
        let view = keys.map(|(id, record)| KeyView {
            id: id.to_string(),
            role: api::auth::key::role(record.role).name().to_owned(),
            name: record.name.clone(),
            event: record.event.map(|event| api::text::id(event.0)),
            created_at: api::text::time(record.created_at),
            expires_at: record.expires_at.map(api::text::time),
            revoked_at: record.revoked_at.map(api::text::time),
            state: match (record.revoked_at, record.expires_at) {
                (Some(_), _) => "revoked",
                (None, Some(expires_at)) if expires_at <= now => "expired",
                (None, _) => "good",
            }
            .to_owned(),
        });
        view.collect()
    });
    Json(views)
}

pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Json(request): Json<KeyRequest>,
) -> Response {
    let invalid = |field: &str, detail: &str| {
        let detail = format!("{field}: {detail}");
        problem(StatusCode::BAD_REQUEST, "KEY_INVALID", detail)
    };
    let Some(key) = KeyId::parse(&request.id) else {
        return invalid("id", "16 hex digits");
    };
    let Some(hash) = crate::node::keys::parse_hex(&request.hash) else {
        return invalid("hash", "64 hex digits");
    };
    let Some(role) = api::auth::key::role_named(&request.role) else {
        return invalid("role", "organizer, operator, gate or read-only");
    };
    let event = match request.event.as_deref().map(api::text::parse_event) {
        None => None,
        Some(Some(event)) => Some(event),
        Some(None) => return invalid("event", "no id of an event"),
    };
    if !request
        .expires_in_s
        .is_none_or(|s| (1..=LASTS_S_MAX).contains(&s))
    {
        return invalid("expires_in_s", "from a second to ten years");
    }
    let created_at = admin.door.backend.now();
    let record = KeyRecord {
        role,
        name: request.name,
        event,
        hash,
        created_at,
        expires_at: request.expires_in_s.map(|s| created_at.plus_ms(s * 1_000)),
        revoked_at: None,
    };
    let deed = by.deed("key.create", told(key, &record, event));
    let record = Box::new(record);
    let command = CatalogueCommand::CreateKey { key, record };
    done(commit(&admin, &deed, &command).await, key)
}

pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Path(id): Path<String>,
) -> Response {
    let Some(key) = KeyId::parse(&id) else {
        let detail = "id: 16 hex digits".to_owned();
        return problem(StatusCode::BAD_REQUEST, "KEY_INVALID", detail);
    };
    let deed = by.deed("key.revoke", key.to_string());
    let at = admin.door.backend.now();
    let command = CatalogueCommand::RevokeKey { key, at };
    done(commit(&admin, &deed, &command).await, key)
}

fn told(key: KeyId, record: &KeyRecord, event: Option<EventId>) -> String {
    let role = api::auth::key::role(record.role).name();
    let event = event.map_or(String::new(), |event| {
        format!(" for event {}", api::text::id(event.0))
    });
    let until = record.expires_at.map_or(String::new(), |expires_at| {
        format!(" until {}", api::text::time(expires_at))
    });
    format!("{key} {role} {:?}{event}{until}", record.name)
}

fn done(committed: Result<(), NotDone>, key: KeyId) -> Response {
    match committed {
        Ok(()) => Json(serde_json::json!({ "id": key.to_string() })).into_response(),
        Err(NotDone::NotCommitted(detail)) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "NOT_COMMITTED", detail)
        }
        Err(NotDone::Refused(rejection)) => {
            let (status, code) = match rejection {
                CatalogueRejection::KeyUnknown => (StatusCode::NOT_FOUND, "KEY_UNKNOWN"),
                CatalogueRejection::EventUnknown => (StatusCode::NOT_FOUND, "EVENT_UNKNOWN"),
                CatalogueRejection::KeyInvalid => (StatusCode::BAD_REQUEST, "KEY_INVALID"),
                CatalogueRejection::KeyIdTaken => (StatusCode::CONFLICT, "KEY_ID_TAKEN"),
                CatalogueRejection::KeysMax => (StatusCode::CONFLICT, "KEYS_MAX"),
                _ => (StatusCode::CONFLICT, "REFUSED"),
            };
            problem(status, code, rejection.to_string())
        }
    }
}
