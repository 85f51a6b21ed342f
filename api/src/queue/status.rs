//! `GET /api/v1/queue/status`: one's place, from memory.

use axum::extract::State;
use http::HeaderMap;
use ledger::queue::RoomState;
use serde::Serialize;
use utoipa::ToSchema;

use super::place::Place;
use crate::problem::Problem;
use crate::state::AppState;
use crate::text;

const POLL_MS_MIN: u64 = 1_000;
const POLL_MS_MAX: u64 = 30_000;

/// Where a place stands.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct StatusAnswer {
    /// `waiting`, `admitted`, `sold_out`, `expired` or `closed`.
    pub status: &'static str,
    /// From 1; null before the draw.
    #[schema(minimum = 1, maximum = 9007199254740991i64)]
    pub queue_position: Option<u64>,
    /// Null before the draw.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub people_ahead: Option<u64>,
    /// At the present rate; null when nobody can say.
    pub estimated_wait_minutes: Option<f64>,
    /// When the pass ends; null while waiting.
    pub admitted_until: Option<String>,
    /// `good`, `fair` or `poor`; null before the draw.
    pub odds: Option<&'static str>,
    /// When to ask again.
    #[schema(minimum = 0, maximum = 30000)]
    pub poll_after_ms: u64,
}

/// One's place in the waiting room. The bearer token is the queue token.
#[utoipa::path(get, path = "/api/v1/queue/status", tag = "queue",
    responses((status = 200, body = StatusAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("queue_token" = [])))]
pub async fn status(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<axum::Json<StatusAnswer>, Problem> {
    let ticket = super::ticket(&state, &headers)?;
    let record = state.event(ticket.event)?;
    let rules = &record.plan.rules;
    let place = state.read(rules.room_shard, |ledger, _| {
        Some(Place::of(
            ledger.room(ticket.event)?,
            rules,
            ticket.index,
            ledger.now(),
        ))
    })?;
    let now = state.backend.now();
    Ok(axum::Json(
        place.map_or_else(lobby, |place| told(&place, now)),
    ))
}

/// The replica has not heard of the room yet.
fn lobby() -> StatusAnswer {
    StatusAnswer {
        status: "waiting",
        queue_position: None,
        people_ahead: None,
        estimated_wait_minutes: None,
        admitted_until: None,
        odds: None,
        poll_after_ms: 5_000,
    }
}

fn told(place: &Place, now: ledger::Timestamp) -> StatusAnswer {
    let status = match (place.state, place.until) {
        (RoomState::Closed, _) => "closed",
        (_, Some(until)) if now >= until => "expired",
        (_, Some(_)) => "admitted",
        (RoomState::SoldOut, None) => "sold_out",
        (_, None) => "waiting",
    };
    let waiting = status == "waiting";
    StatusAnswer {
        status,
        queue_position: place.position.map(|position| position + 1),
        people_ahead: place.ahead(),
        estimated_wait_minutes: place.wait_minutes().filter(|_| waiting),
        admitted_until: place.until.map(text::time),
        odds: place.odds().filter(|_| waiting),
        poll_after_ms: poll_after_ms(place, status),
    }
}

/// The further away, the rarer; a fortieth of the wait keeps the display moving.
fn poll_after_ms(place: &Place, status: &str) -> u64 {
    match (status, place.ahead()) {
        ("waiting", Some(ahead)) if place.rate > 0 => {
            (ahead.saturating_mul(1_500) / u64::from(place.rate)).clamp(POLL_MS_MIN, POLL_MS_MAX)
        }
        ("waiting", _) => 2_000,
        _ => POLL_MS_MAX,
    }
}

#[cfg(test)]
mod tests {
    use ledger::Timestamp;

    use super::*;

    const PLACE: Place = Place {
        position: Some(99),
        cursor: 40,
        rate: 60,
        until: None,
        state: RoomState::Open,
        available: 100,
        now: Timestamp(0),
    };

    #[test]
    fn a_waiting_person_is_told_position_people_ahead_wait_and_odds() {
        let told = told(&PLACE, Timestamp(0));
        assert_eq!(
            (told.status, told.queue_position, told.people_ahead),
            ("waiting", Some(100), Some(59))
        );
        assert_eq!(
            (told.estimated_wait_minutes, told.odds),
            (Some(1.0), Some("fair"))
        );
        assert_eq!(told.poll_after_ms, 1_475);
    }

    #[test]
    fn a_pass_turns_from_admitted_to_expired_at_its_end() {
        let admitted = Place {
            until: Some(Timestamp(10)),
            cursor: 100,
            ..PLACE
        };
        assert_eq!(told(&admitted, Timestamp(9)).status, "admitted");
        assert_eq!(told(&admitted, Timestamp(10)).status, "expired");
        let gone = Place {
            state: RoomState::SoldOut,
            ..PLACE
        };
        assert_eq!(told(&gone, Timestamp(0)).status, "sold_out");
        assert_eq!(
            told(
                &Place {
                    position: None,
                    ..PLACE
                },
                Timestamp(0)
            )
            .people_ahead,
            None
        );
    }
}
