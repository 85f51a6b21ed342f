//! `GET /api/v1/events/{id}/seats`: the seat map, from the local replica.
//!
//! A map is rendered (and compressed) once a revision and shared by everybody who asks: its ETag
//! is a hash over the revisions of the sections in it. It says how old it may be, rounded up, so that
//! what was rendered a moment ago still tells the truth; decisions are made elsewhere.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cluster::catalogue::EventRecord;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledger::seats::{SeatStatus, Section, Shape};
use ledger::{EventId, SectionNo};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::browse::shards;
use super::stream::{self, Streams};
use crate::extract::{PathText, Query};
use crate::orders::linearizable;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// Bodies shorter than this are not worth compressing.
const GZIP_BYTES_MIN: usize = 1_024;
const MAPS_MAX: usize = 4_096;
/// The youngest that a map says it is: a healthy replica asks its leader about as often.
const AGE_MS_MIN: u64 = 256;

/// What of the map, and how fresh.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatQuery {
    /// Only this section.
    pub section: Option<String>,
    /// `local` (default) or `linearizable`.
    pub consistency: Option<String>,
}

/// Rendered maps and running streams of changes.
#[derive(Default)]
pub struct SeatMaps {
    rendered: Mutex<HashMap<(EventId, Option<SectionNo>), Rendered>>,
    pub(super) streams: Streams,
}

/// A map at one revision.
#[derive(Clone)]
struct Rendered {
    tag: String,
    /// What it says of its age: no replica it was made from is further behind.
    age_ms: u64,
    plain: Bytes,
    zipped: Option<Bytes>,
}

/// The seat map; with `Accept: text/event-stream`, its changes.
///
/// To follow a map: open the stream, then get the map, then apply every change whose `revision`
/// is above the section's. After `event: reload` get the map again.
#[utoipa::path(get, path = "/api/v1/events/{id}/seats", tag = "events",
    params(("id" = String, Path), ("section" = Option<String>, Query), ("consistency" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value), (status = 304, description = "Not modified"),
        (status = "4XX", body = crate::openapi::ProblemBody)))]
pub async fn seats(
    State(state): State<AppState>,
    path: PathText,
    Query(query): Query<SeatQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let record = state.event(super::in_path(&path)?)?;
    let unknown = || Problem::new(Code::SectionUnknown, "no such section").at("section");
    let only = query
        .section
        .as_deref()
        .map(|name| record.section_no(name).ok_or_else(unknown))
        .transpose()?;
    if accepts(&headers, header::ACCEPT, "text/event-stream") {
        return stream::open(&state, record, only, &headers);
    }
    if linearizable(query.consistency.as_deref())? {
        for shard in shards(&record) {
            state
                .backend
                .catch_up(shard, state.config.limits.deadline)
                .await?;
        }
    }
    let (tag, age_ms) = Tag::now(&state, &record, only)?;
    let matches = |given: &str| {
        let given = given.trim().trim_start_matches("W/").trim_matches('"');
        given == "*" || given.strip_suffix("-gzip").unwrap_or(given) == tag
    };
    let zipped = accepts(&headers, header::ACCEPT_ENCODING, "gzip");
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(matches)) {
        return Ok((StatusCode::NOT_MODIFIED, caching(&tag, false)).into_response());
    }
    let map = rendered(&state, &record, only, &tag, age_ms)?;
    let kind = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(match map.zipped.filter(|_| zipped) {
        Some(body) => {
            let gzip = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            (caching(&map.tag, true), [kind, gzip], body).into_response()
        }
        None => (caching(&map.tag, false), [kind], map.plain).into_response(),
    })
}

fn caching(tag: &str, zipped: bool) -> [(http::HeaderName, HeaderValue); 3] {
    let tag = format!("\"{tag}{}\"", if zipped { "-gzip" } else { "" });
    let tag = HeaderValue::try_from(tag).expect("hexadecimal digits fit a header");
    let vary = HeaderValue::from_static("Accept, Accept-Encoding");
    [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::VARY, vary),
    ]
}

/// Whether a list-like header names `wanted`, and not with weight 0.
fn accepts(headers: &HeaderMap, name: http::HeaderName, wanted: &str) -> bool {
    let texts = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|item| {
        let mut pieces = item.split(';').map(str::trim);
        let named = pieces
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        named && !pieces.any(|piece| matches!(piece, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn rendered(
    state: &AppState,
    record: &EventRecord,
    only: Option<SectionNo>,
    tag: &str,
    age_ms: u64,
) -> Result<Rendered, Problem> {
    let key = (record.plan.event, only);
    let maps = &state.seat_maps.rendered;
    let known = maps
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .cloned();
    if let Some(known) = known.filter(|known| known.tag == tag && known.age_ms == said(age_ms)) {
        state.metrics.maps_reused.inc();
        return Ok(known);
    }
    let map = render(state, record, only)?;
    let mut maps = maps.lock().unwrap_or_else(PoisonError::into_inner);
    if maps.len() >= MAPS_MAX {
        maps.clear();
    }
    maps.insert(key, map.clone());
    Ok(map)
}

/// What a map says of an age: at least it, and one of few numbers, so that maps can be shared.
fn said(age_ms: u64) -> u64 {
    age_ms.clamp(AGE_MS_MIN, 1 << 40).next_power_of_two()
}

/// A hash over the revisions of sections.
struct Tag(Sha256);

impl Tag {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn add(&mut self, section: &Section) {
        self.0.update(section.key().section.0.to_be_bytes());
        self.0.update(section.revision().to_be_bytes());
    }

    fn finish(self) -> String {
        text::hex(&self.0.finalize()[..10])
    }

    /// The tag of the map as it is now, and how old that is.
    fn now(
        state: &AppState,
        record: &EventRecord,
        only: Option<SectionNo>,
    ) -> Result<(String, u64), Problem> {
        let (mut tag, mut age_ms) = (Self::new(), 0);
        each(state, record, only, |section, freshness| {
            tag.add(section);
            age_ms = age_ms.max(freshness.age_ms);
        })?;
        Ok((tag.finish(), age_ms))
    }
}

/// Shows every section of the map, in an order that every node shares.
fn each(
    state: &AppState,
    record: &EventRecord,
    only: Option<SectionNo>,
    mut look: impl FnMut(&Section, crate::backend::Freshness),
) -> Result<(), Problem> {
    let owner = only
        .and_then(|section| record.plan.section(section))
        .map(|plan| plan.shard);
    let mut seen = 0;
    for shard in shards(record)
        .into_iter()
        .filter(|shard| owner.is_none_or(|owner| owner == *shard))
    {
        state.read(shard, |ledger, freshness| {
            for section in ledger.seats().sections(record.plan.event) {
                if only.is_none_or(|only| only == section.key().section) {
                    seen += 1;
                    look(section, freshness);
                }
            }
        })?;
    }
    let wanted = if only.is_some() {
        1
    } else {
        record.plan.sections.len()
    };
    if seen < wanted {
        return Err(Problem::new(Code::NotReady, "the event is being installed"));
    }
    Ok(())
}

fn render(
    state: &AppState,
    record: &EventRecord,
    only: Option<SectionNo>,
) -> Result<Rendered, Problem> {
    let mut tag = Tag::new();
    let (mut revision, mut index, mut age_ms) = (0u64, 0u64, 0u64);
    let mut sections: Vec<(SectionNo, Value)> = Vec::new();
    each(state, record, only, |section, freshness| {
        tag.add(section);
        revision += section.revision();
        index = index.max(freshness.index);
        age_ms = age_ms.max(freshness.age_ms);
        let number = section.key().section;
        sections.push((number, section_json(record.section_name(number), section)));
    })?;
    let age_ms = said(age_ms);
    sections.sort_by_key(|(number, _)| *number);
    let sections: Vec<Value> = sections.into_iter().map(|(_, section)| section).collect();
    let event_id = text::id(record.plan.event.0);
    let body = json!({
        "event_id": event_id, "revision": revision, "index": index, "age_ms": age_ms, "sections": sections,
    });
    let plain = Bytes::from(body.to_string());
    let zipped = (plain.len() > GZIP_BYTES_MIN)
        .then(|| gzip(&plain))
        .flatten();
    Ok(Rendered {
        tag: tag.finish(),
        age_ms,
        plain,
        zipped,
    })
}

fn section_json(name: &str, section: &Section) -> Value {
    match section.shape() {
        Shape::Seated {
            rows,
            seats_per_row,
        } => {
            let states: String = section.states().map(letter).collect();
            json!({
                "name": name, "kind": "seated", "revision": section.revision(),
                "rows": rows, "seats_per_row": seats_per_row, "states": states,
            })
        }
        Shape::Standing => standing(name, section),
    }
}

/// A standing section has no seats to show, only counts.
pub(super) fn standing(name: &str, section: &Section) -> Value {
    let counts = section.counts();
    json!({
        "name": name, "kind": "standing", "revision": section.revision(),
        "available": counts.available, "held": counts.held + counts.pinned, "sold": counts.sold,
    })
}

/// A seat's state in one letter. Pinned reads as held: nobody else may have it.
pub(super) fn letter(status: SeatStatus) -> char {
    match status {
        SeatStatus::Available => 'A',
        SeatStatus::Held | SeatStatus::Pinned => 'H',
        SeatStatus::Sold => 'S',
        SeatStatus::Blocked => 'B',
    }
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
