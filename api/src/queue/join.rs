//! `POST /api/v1/queue/join`: into the waiting room.
//!
//! Millions come within minutes, so joins are coalesced: one task an event proposes whoever
//! arrived while its last proposal was in flight. No timer: the first to come waits for nobody,
//! and the busier it gets the larger the batches become.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use cluster::catalogue::EventRecord;
use ledger::command::Command;
use ledger::limits::JOINS_PER_COMMAND_MAX;
use ledger::outcome::Receipt;
use ledger::{BuyerId, EventId, Rejection};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::place::Place;
use super::token::QueueTicket;
use crate::auth::Caller;
use crate::extract::Query;
use crate::problem::{Code, Problem};
use crate::rejections;
use crate::state::AppState;
use crate::text;

/// Which waiting room.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinQuery {
    /// The event.
    pub event_id: String,
}

/// A place.
#[derive(Serialize, ToSchema)]
pub struct JoinAnswer {
    /// Proof of the place; keep it.
    pub queue_token: String,
    /// From 1; null before the draw.
    #[schema(minimum = 1, maximum = 9007199254740991i64)]
    pub queue_position: Option<u64>,
    /// At the present rate; null when nobody can say.
    pub estimated_wait_minutes: Option<f64>,
}

/// Joins an event's waiting room. Joining again gives the same place.
#[utoipa::path(post, path = "/api/v1/queue/join", tag = "queue", params(("event_id" = String, Query)),
    responses((status = 200, body = JoinAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn join(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<JoinQuery>,
) -> Result<axum::Json<JoinAnswer>, Problem> {
    let buyer = caller.buyer()?;
    let event = text::parse_event(&query.event_id)
        .ok_or_else(|| Problem::new(Code::EventUnknown, "no such event").at("event_id"))?;
    let record = state.event(event)?;
    if record.plan.rules.queue.is_none() {
        return Err(Problem::new(
            Code::QueueNone,
            "this event has no waiting room",
        ));
    }
    let room_shard = record.plan.rules.room_shard;
    // An index is for ever: who is known to be in needs no log entry.
    let known = state.read(room_shard, |ledger, _| ledger.room(event)?.index_of(buyer));
    let index = match known.ok().flatten() {
        Some(index) => index,
        None => enter(&state, &record, buyer).await?,
    };
    let place = state.read(room_shard, |ledger, _| {
        Some(Place::of(
            ledger.room(event)?,
            &record.plan.rules,
            index,
            ledger.now(),
        ))
    });
    let place = place.ok().flatten();
    let joined_at = state.backend.now();
    let queue_token = state.queue_tokens.sign(&QueueTicket {
        event,
        buyer,
        index,
        joined_at,
    });
    Ok(axum::Json(JoinAnswer {
        queue_token,
        queue_position: place
            .and_then(|place| place.position)
            .map(|position| position + 1),
        estimated_wait_minutes: place.and_then(|place| place.wait_minutes()),
    }))
}

type Answer = Result<u64, Problem>;

/// People on their way into waiting rooms, by event.
pub struct Joins {
    waiting_max: usize,
    lanes: Mutex<HashMap<EventId, Lane>>,
}

/// Who waits for the next batch. Present while a task serves it.
#[derive(Default)]
struct Lane {
    waiting: Vec<(BuyerId, oneshot::Sender<Answer>)>,
}

impl Joins {
    /// With at most so many people waiting an event.
    pub fn new(waiting_max: usize) -> Self {
        Self {
            waiting_max,
            lanes: Mutex::default(),
        }
    }

    /// Queues a person; whether a task must be started to serve them.
    fn enqueue(
        &self,
        event: EventId,
        buyer: BuyerId,
    ) -> Result<(oneshot::Receiver<Answer>, bool), Problem> {
        let (tell, told) = oneshot::channel();
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = !lanes.contains_key(&event);
        let lane = lanes.entry(event).or_default();
        if lane.waiting.len() >= self.waiting_max {
            return Err(Problem::new(
                Code::Overloaded,
                "too many people are joining at the moment",
            ));
        }
        lane.waiting.push((buyer, tell));
        Ok((told, idle))
    }

    /// The next batch; nobody waits any more when it is empty, and the lane is gone.
    fn take(&self, event: EventId) -> Vec<(BuyerId, oneshot::Sender<Answer>)> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = lanes.get_mut(&event) else {
            return Vec::new();
        };
        if lane.waiting.is_empty() {
            lanes.remove(&event);
            return Vec::new();
        }
        let count = lane.waiting.len().min(JOINS_PER_COMMAND_MAX);
        lane.waiting.drain(..count).collect()
    }
}

async fn enter(state: &AppState, record: &Arc<EventRecord>, buyer: BuyerId) -> Answer {
    let (told, idle) = state.joins.enqueue(record.plan.event, buyer)?;
    if idle {
        let work = serve(state.clone(), record.clone());
        if let Err(work) = state.tasks.spawn(work) {
            // Then whoever started it serves it, and their own answer comes out of that.
            work.await;
        }
    }
    let late = || {
        Problem::new(
            Code::OutcomeUnknown,
            "join again; a place is never given twice",
        )
    };
    match tokio::time::timeout(state.config.limits.deadline * 2, told).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Err(late()),
    }
}

/// Empties a lane, batch by batch.
async fn serve(state: AppState, record: Arc<EventRecord>) {
    let event = record.plan.event;
    loop {
        let batch = state.joins.take(event);
        if batch.is_empty() {
            return;
        }
        let buyers = batch.iter().map(|(buyer, _)| *buyer).collect();
        let command = Command::JoinQueue { event, buyers };
        let deadline = state.config.limits.deadline;
        let committed = state
            .backend
            .propose(record.plan.rules.room_shard, command, deadline)
            .await;
        state.metrics.join_batches.inc();
        let indexes = match committed.map(|committed| committed.outcome) {
            Ok(Ok(Receipt::QueueJoined { indexes })) => Ok(indexes),
            Ok(Ok(_)) => Err(Problem::new(
                Code::Internal,
                "the ledger answered something else",
            )),
            Ok(Err(Rejection::EventUnknown)) => {
                Err(Problem::new(Code::NotReady, "the event is being installed"))
            }
            Ok(Err(why)) => Err(rejections::problem(why)),
            Err(error) => Err(error.into()),
        };
        if let Ok(indexes) = &indexes {
            state.metrics.joins.inc_by(indexes.len() as u64);
        }
        for (number, (_, tell)) in batch.into_iter().enumerate() {
            let answer = indexes.as_ref().map_err(Clone::clone).and_then(|indexes| {
                let strange = || Problem::new(Code::Internal, "the ledger answered something else");
                indexes.get(number).copied().ok_or_else(strange)
            });
            // Whoever gave up waiting has their place all the same.
            let _ = tell.send(answer);
        }
    }
}
