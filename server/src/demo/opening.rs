//! The organizer's part of a demo: create the stadium, publish when it opens.

use std::net::SocketAddr;
use std::time::Duration;

use cluster::route::SHARDS_MAX;
use serde_json::{Value, json};

use super::Options;
use super::door::{Doors, Patience};
use super::messages::{Created, Token};
use super::sale::now_ms;
use super::stadium::Stadium;
use super::tickets::TicketKeys;
use crate::http_client::{Answer, Request, bearer};

const PATIENCE: Patience = Patience {
    attempt: Duration::from_secs(30),
    total: Duration::from_secs(60),
};
/// Generous: the cluster, not the waiting room, shall set the pace.
const ADMIT_PER_MINUTE: u64 = 300_000;
const ORDER_SEATS_MAX: u64 = 4;
/// The lobby stays open so long, and longer for a bigger crowd.
const LOBBY_MS: i64 = 2_000;
const LOBBY_BUYERS_PER_MS: i64 = 2;

/// The event was not created.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answered.
    #[error("nobody answered when {wanted} was asked for")]
    Unanswered {
        /// What was asked for.
        wanted: &'static str,
    },
    /// Another answer than hoped for.
    #[error("asked for {wanted}, got {status}: {body}")]
    Refused {
        /// What was asked for.
        wanted: &'static str,
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
}

/// An event that is about to open.
#[derive(Debug)]
pub struct Opened {
    /// Its id.
    pub event: String,
    /// Keys that its tickets are checked with.
    pub keys: TicketKeys,
    /// The organizer's bearer line.
    pub organizer: String,
}

/// Creates the demo's stadium, with a waiting room.
pub async fn open(addresses: &[SocketAddr], options: &Options) -> Result<Opened, Error> {
    let crowd = i64::try_from(options.buyers).unwrap_or(i64::MAX);
    let opens_at = now_ms() + LOBBY_MS + crowd / LOBBY_BUYERS_PER_MS;
    let event = json!({
        "name": "Usher demo: the big night",
        "venue": "Demo Stadium",
        "opens_at": rfc3339(opens_at),
        "currency": "EUR",
        "hold_seconds": options.hold_seconds,
        "max_per_order": ORDER_SEATS_MAX,
        "max_per_buyer": ORDER_SEATS_MAX,
        "queue": { "admit_per_minute": ADMIT_PER_MINUTE, "draw": "random" },
        // Over all shards: orders that cross between them are what there is to prove.
        "spread": SHARDS_MAX,
        "sections": Stadium::with_places(options.seats).to_json(),
    });
    create(addresses, &event).await
}

/// An event without a waiting room that is open since a minute.
pub fn open_already(
    name: &str,
    venue: &str,
    hold_seconds: u32,
    (per_order, per_buyer): (u32, u32),
    sections: Value,
) -> Value {
    json!({
        "name": name,
        "venue": venue,
        "opens_at": rfc3339(now_ms() - 60_000),
        "currency": "EUR",
        "hold_seconds": hold_seconds,
        "max_per_order": per_order,
        "max_per_buyer": per_buyer,
        "queue": null,
        "sections": sections,
    })
}

/// A moment as the API takes it; `at_ms` since the epoch, of this age.
pub fn rfc3339(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).expect("a time of this age is valid");
    format!("{at:.3}")
}

/// Creates any event.
pub async fn create(addresses: &[SocketAddr], event: &Value) -> Result<Opened, Error> {
    let doors = Doors::new(addresses, 1);
    let organizer = bearer(&token(&doors, "demo-organizer", "organizer").await?);
    let headers = format!(
        "{organizer}Idempotency-Key: {}\r\n",
        crate::dice::secret_hex(8)
    );
    let body = event.to_string();
    let request = Request::post("/api/v1/events", body.as_bytes()).with_headers(&headers);
    let created: Created = expect(&doors, &request, 201, "an event").await?;
    let request = Request::get("/.well-known/usher-ticket-keys.json");
    let keys = ask(&doors, &request, 200, "the ticket keys").await?;
    let keys = TicketKeys::read(&keys.body).ok_or_else(|| refused("the ticket keys", &keys))?;
    Ok(Opened {
        event: created.event_id,
        keys,
        organizer,
    })
}

/// A development token.
pub async fn token(doors: &Doors, subject: &str, role: &str) -> Result<String, Error> {
    let body = json!({ "subject": subject, "role": role }).to_string();
    let request = Request::post("/dev/token", body.as_bytes());
    let token: Token = expect(doors, &request, 200, "a token").await?;
    Ok(token.token)
}

async fn expect<T: serde::de::DeserializeOwned>(
    doors: &Doors,
    request: &Request<'_>,
    status: u16,
    wanted: &'static str,
) -> Result<T, Error> {
    let answer = ask(doors, request, status, wanted).await?;
    answer.json().map_err(|_| refused(wanted, &answer))
}

async fn ask(
    doors: &Doors,
    request: &Request<'_>,
    status: u16,
    wanted: &'static str,
) -> Result<Answer, Error> {
    let served = doors.call(0, request, PATIENCE).await;
    let answer = served.map_err(|_| Error::Unanswered { wanted })?.answer;
    if answer.status == status {
        Ok(answer)
    } else {
        Err(refused(wanted, &answer))
    }
}

fn refused(wanted: &'static str, answer: &Answer) -> Error {
    let body = String::from_utf8_lossy(&answer.body)
        .chars()
        .take(400)
        .collect();
    Error::Refused {
        wanted,
        status: answer.status,
        body,
    }
}
