//! `POST /api/v1/seats/reserve`: the hot path (DESIGN §5).
//!
//! ```text
//! request ──► gate (token, local cursor) ──► plan (legs by shard) ──► home: OpenOrder
//!                                                       all here: held in one entry ──► 201
//!                                 elsewhere: HoldLeg on every leg at once ──► all held ──► 201, then RecordHeld
//!                                                                         └─► any refused ──► CloseOrder ──► 409
//! ```
//! No decision is made here: every "yes" and every "taken" is a log entry's. A crash between two
//! steps is finished by the courier.

mod alternatives;
mod drive;
mod plan;
mod request;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cluster::catalogue::EventRecord;
use http::StatusCode;
use ledger::command::CloseReason;
use ledger::{BuyerId, EventId, OrderId, Rejection, ShardId};
use probes::Bug;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

pub use request::{BestAvailable, ReserveAnswer, ReserveRequest, StandingWant};

use crate::auth::Caller;
use crate::extract::{IdempotencyKey, Json};
use crate::orders::{Price, SeatView};
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::{queue, rejections, text};
use drive::{Failure, Held, Opening};

/// Reserves seats: named ones, places of standing sections, or the best available.
#[utoipa::path(post, path = "/api/v1/seats/reserve", tag = "orders", request_body = ReserveRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat give the same order")),
    responses((status = 201, body = ReserveAnswer), (status = "4XX", body = crate::openapi::ProblemBody),
        (status = "5XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn reserve(
    State(state): State<AppState>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<ReserveRequest>,
) -> Result<Response, Problem> {
    let buyer = caller.buyer()?;
    let event = text::parse_event(&request.event_id)
        .ok_or_else(|| Problem::new(Code::EventUnknown, "no such event").at("event_id"))?;
    let record = state.event(event)?;
    let mut lives_with = buyer;
    if let Some(key) = &key
        && probes::planted(Bug::HomeByRequest)
    {
        lives_with.0 ^= key.bytes().map(u128::from).sum::<u128>();
    }
    let home = cluster::route::home(&record.plan, lives_with)
        .ok_or_else(|| Problem::new(Code::Internal, "an event has sections"))?;
    let seed = Seed::new(&state, event, buyer, home, key.as_deref());
    let plans = plan::plans(&state, &record, &request, &seed)?;
    let pass = queue::gate(&state, &record, buyer, request.queue_token.as_deref())?;
    let deadline = Instant::now() + state.config.limits.deadline;

    let mut refused = Rejection::NotEnoughSeats { left: 0 };
    for (number, legs) in plans.tries.iter().enumerate() {
        let order = seed.order(number);
        let opening = Opening {
            order,
            event,
            buyer,
            pass,
            legs,
        };
        match drive::open(&state, &opening, seed.keyed, deadline).await {
            Ok(held) => return Ok(answer(&record, order, &held)),
            Err(Failure::Problem(problem)) => return Err(problem),
            Err(Failure::Refused(why)) if plans.best && elsewhere(why) => {
                refused = worse(refused, why)
            }
            Err(Failure::Refused(why)) => return Err(refusal(&state, &record, &opening, why)),
        }
    }
    Err(rejections::problem_of(refused, &record))
}

/// Where order ids come from: the caller's key, or chance.
struct Seed {
    home: ShardId,
    bytes: [u8; 32],
    keyed: bool,
}

impl Seed {
    fn new(
        state: &AppState,
        event: EventId,
        buyer: BuyerId,
        home: ShardId,
        key: Option<&str>,
    ) -> Self {
        let mut bytes = [0; 32];
        if let Some(key) = key
            && !probes::planted(Bug::RepeatMakesNewOrder)
        {
            let mut hash = Sha256::new();
            hash.update(b"usher order 1");
            hash.update(event.0.to_be_bytes());
            hash.update(buyer.0.to_be_bytes());
            hash.update(key.as_bytes());
            bytes = hash.finalize().into();
        } else {
            state.backend.entropy(&mut bytes);
        }
        Self {
            home,
            bytes,
            keyed: key.is_some(),
        }
    }

    /// The order of a try. The first try's id needs no further hashing.
    fn order(&self, number: usize) -> OrderId {
        let mut bytes = self.bytes;
        if number > 0 {
            let mut hash = Sha256::new();
            hash.update(self.bytes);
            hash.update((number as u64).to_be_bytes());
            bytes = hash.finalize().into();
        }
        OrderId::new(self.home, text::id_of(bytes))
    }

    /// Spreads callers who want the same over shards that are equally good.
    fn turn(&self) -> usize {
        usize::from(u16::from_be_bytes([self.bytes[30], self.bytes[31]]))
    }
}

/// Whether another shard may still have what this one has not.
fn elsewhere(why: Rejection) -> bool {
    matches!(
        why,
        Rejection::NotEnoughSeats { .. }
            | Rejection::SeatNotAvailable { .. }
            | Rejection::LegOver
            | Rejection::OrderOver {
                why: CloseReason::Refused
            }
    )
}

fn worse(known: Rejection, new: Rejection) -> Rejection {
    match (known, new) {
        (Rejection::NotEnoughSeats { left: a }, Rejection::NotEnoughSeats { left: b }) => {
            Rejection::NotEnoughSeats { left: a.max(b) }
        }
        (known, _) => known,
    }
}

fn refusal(
    state: &AppState,
    record: &EventRecord,
    opening: &Opening<'_>,
    why: Rejection,
) -> Problem {
    let taken = matches!(
        why,
        Rejection::SeatNotAvailable { .. }
            | Rejection::OrderOver {
                why: CloseReason::Refused
            }
            | Rejection::LegOver
    );
    match why {
        // The catalogue knows it; its shard will in a moment.
        Rejection::EventUnknown => Problem::new(Code::NotReady, "the event is being installed"),
        // A repeat of a request that was refused, or a leg that ended under way.
        Rejection::OrderOver {
            why: CloseReason::Refused,
        }
        | Rejection::LegOver => Problem::new(
            Code::SeatTaken,
            "the seats were taken when this was first asked",
        )
        .with(
            "available_alternatives",
            alternatives::near(state, record, opening.legs, why),
        ),
        _ if taken => rejections::problem_of(why, record).with(
            "available_alternatives",
            alternatives::near(state, record, opening.legs, why),
        ),
        _ => rejections::problem_of(why, record),
    }
}

fn answer(record: &EventRecord, order: OrderId, held: &Held) -> Response {
    let (seats, amount) = SeatView::of_legs(record, &held.legs);
    let answer = ReserveAnswer {
        order_id: text::id(order.0),
        held_until: text::time(held.until),
        seats,
        price: Price::of(record, amount),
    };
    (StatusCode::CREATED, axum::Json(answer)).into_response()
}
