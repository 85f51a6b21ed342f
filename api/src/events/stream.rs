//! Seat changes as they happen: `text/event-stream`.
//!
//! One task an event compares the map with what it was a tenth of a second ago and tells all
//! streams; it ends with the last of them. A stream that cannot keep up is told to load the map
//! again, never waited for.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cluster::catalogue::EventRecord;
use cluster::names;
use futures::future::select_all;
use http::{HeaderMap, HeaderValue, header};
use ledger::seats::{Section, Shape};
use ledger::{EventId, SeatNo, SectionNo, ShardId};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{sleep, timeout};

use super::browse::shards;
use super::seats::{letter, standing};
use crate::problem::{Code, Problem};
use crate::state::AppState;

const BATCHED: Duration = Duration::from_millis(100);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Batches a slow stream may be behind.
const BEHIND_MAX: usize = 256;

/// Changes of one section.
#[derive(Clone)]
struct Change {
    section: SectionNo,
    frame: Bytes,
}

/// Running comparisons, by event.
#[derive(Default)]
pub struct Streams {
    by_event: Mutex<HashMap<EventId, broadcast::Sender<Change>>>,
    open: Arc<AtomicUsize>,
}

/// Opens a stream of an event's (or one section's) changes.
pub fn open(
    state: &AppState,
    record: Arc<EventRecord>,
    only: Option<SectionNo>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let streams = &state.seat_maps.streams;
    let counted = Counted::new(state)?;
    let changes = streams.subscribe(state, record)?;
    // Whoever comes back has missed something, and nothing is kept to tell what.
    let again = headers.contains_key("last-event-id");
    let hello = if again {
        "event: reload\ndata: {}\n\n"
    } else {
        ": open\n\n"
    };
    let start = (Some(Bytes::from_static(hello.as_bytes())), changes, counted);
    let backend = state.backend.clone();
    let frames = futures::stream::unfold(start, move |(hello, mut changes, counted)| {
        let backend = backend.clone();
        async move {
            let frame = match hello {
                Some(hello) => hello,
                // A stream would keep a node from stopping; whoever listens comes back elsewhere.
                None => tokio::select! {
                    biased;
                    () = backend.stopping() => return None,
                    frame = next(&mut changes, only) => frame?,
                },
            };
            Some((Ok::<_, Infallible>(frame), (None, changes, counted)))
        }
    });
    let kind = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([kind, fresh], Body::from_stream(frames)).into_response())
}

/// The next frame for a stream; `None` ends it.
async fn next(changes: &mut broadcast::Receiver<Change>, only: Option<SectionNo>) -> Option<Bytes> {
    loop {
        match timeout(KEEP_ALIVE, changes.recv()).await {
            Ok(Ok(change)) if only.is_none_or(|only| only == change.section) => {
                return Some(change.frame);
            }
            Ok(Ok(_)) => {}
            Ok(Err(RecvError::Lagged(_))) => {
                return Some(Bytes::from_static(b"event: reload\ndata: {}\n\n"));
            }
            Ok(Err(RecvError::Closed)) => return None,
            Err(_) => return Some(Bytes::from_static(b": still here\n\n")),
        }
    }
}

/// A stream in the count of streams.
struct Counted(Arc<AtomicUsize>, crate::metrics::Metrics);

impl Counted {
    fn new(state: &AppState) -> Result<Self, Problem> {
        let open = state.seat_maps.streams.open.clone();
        let counted = Self(open, state.metrics.clone());
        counted.1.streams.inc();
        if counted.0.fetch_add(1, Ordering::Relaxed) >= state.config.limits.streams_max {
            return Err(Problem::new(
                Code::Overloaded,
                "too many streams; poll the map instead",
            ));
        }
        Ok(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.streams.dec();
    }
}

impl Streams {
    fn subscribe(
        &self,
        state: &AppState,
        record: Arc<EventRecord>,
    ) -> Result<broadcast::Receiver<Change>, Problem> {
        let event = record.plan.event;
        let mut by_event = self.by_event.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = by_event.get(&event) {
            return Ok(running.subscribe());
        }
        let (tell, changes) = broadcast::channel(BEHIND_MAX);
        let watcher = Watcher::new(state.clone(), record, tell.clone())?;
        let busy = |_| {
            Problem::new(
                Code::Overloaded,
                "too much is going on; poll the map instead",
            )
        };
        state.tasks.spawn(watcher.run()).map_err(busy)?;
        by_event.insert(event, tell);
        Ok(changes)
    }

    /// Whether nobody listens any more; then the entry is gone and the task must end. Under the
    /// lock, so that nobody subscribes in between.
    fn abandoned(&self, event: EventId) -> bool {
        let mut by_event = self.by_event.lock().unwrap_or_else(PoisonError::into_inner);
        let lonely = by_event
            .get(&event)
            .is_none_or(|tell| tell.receiver_count() == 0);
        if lonely {
            by_event.remove(&event);
        }
        lonely
    }
}

/// Compares an event's map with what it was.
struct Watcher {
    state: AppState,
    record: Arc<EventRecord>,
    tell: broadcast::Sender<Change>,
    /// Each shard with the index it was last looked at.
    shards: Vec<(ShardId, u64)>,
    /// By section: its revision and seats when last told.
    known: HashMap<SectionNo, (u64, Vec<u8>)>,
}

impl Watcher {
    fn new(
        state: AppState,
        record: Arc<EventRecord>,
        tell: broadcast::Sender<Change>,
    ) -> Result<Self, Problem> {
        let shards = shards(&record)
            .into_iter()
            .map(|shard| (shard, 0))
            .collect();
        let mut watcher = Self {
            state,
            record,
            tell,
            shards,
            known: HashMap::new(),
        };
        // What is there already is no change.
        watcher.compare()?;
        Ok(watcher)
    }

    async fn run(mut self) {
        let event = self.record.plan.event;
        while !self.state.seat_maps.streams.abandoned(event) {
            let state = self.state.clone();
            let changed = self
                .shards
                .iter()
                .map(|&(shard, index)| state.backend.changed(shard, index));
            // Now and then also without a change, to notice that everybody has gone.
            if timeout(KEEP_ALIVE, select_all(changed)).await.is_err() {
                continue;
            }
            sleep(BATCHED).await;
            match self.compare() {
                Ok(changes) => changes
                    .into_iter()
                    .for_each(|change| drop(self.tell.send(change))),
                Err(_) => break,
            }
        }
        let streams = &self.state.seat_maps.streams;
        streams
            .by_event
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&event);
    }

    /// What changed since the last comparison.
    fn compare(&mut self) -> Result<Vec<Change>, Problem> {
        let (event, mut changes) = (self.record.plan.event, Vec::new());
        for (shard, index) in &mut self.shards {
            let (record, known) = (&self.record, &mut self.known);
            *index = self.state.read(*shard, |ledger, freshness| {
                for section in ledger.seats().sections(event) {
                    changes.extend(section_changes(record, section, known));
                }
                freshness.index
            })?;
        }
        Ok(changes)
    }
}

fn section_changes(
    record: &EventRecord,
    section: &Section,
    known: &mut HashMap<SectionNo, (u64, Vec<u8>)>,
) -> Option<Change> {
    let number = section.key().section;
    let name = record.section_name(number);
    let before = known.get(&number);
    if before.is_some_and(|(revision, _)| *revision == section.revision()) {
        return None;
    }
    let states: Vec<u8> = section.states().map(|state| letter(state) as u8).collect();
    let data = before.and_then(|(_, before)| match section.shape() {
        Shape::Standing => {
            let mut counts = standing(name, section);
            counts["section"] = json!(name);
            Some(counts)
        }
        Shape::Seated { seats_per_row, .. } => {
            let differ = before
                .iter()
                .zip(&states)
                .enumerate()
                .filter(|(_, (old, new))| old != new);
            let changes: Vec<Value> = differ
                .map(|(at, (_, new))| {
                    let seat = names::seat_id(name, seats_per_row, SeatNo(at as u16));
                    json!([seat, char::from(*new).to_string()])
                })
                .collect();
            // Held and given back within a batch: nothing to tell.
            (!changes.is_empty()).then(
                || json!({"section": name, "revision": section.revision(), "changes": changes}),
            )
        }
    });
    known.insert(number, (section.revision(), states));
    let frame = format!(
        "event: seats\nid: {}\ndata: {}\n\n",
        section.revision(),
        data?
    );
    Some(Change {
        section: number,
        frame: frame.into(),
    })
}
