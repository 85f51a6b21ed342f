//! Events to write to: without a waiting room and open since a minute, in one shard each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Error;
use crate::demo::door::Patience;
use crate::demo::opening;
use crate::http_client::{Answer, Request};

/// A browser's; one attempt may outlast an election.
pub(super) const PATIENCE: Patience = Patience {
    attempt: Duration::from_secs(5),
    total: Duration::from_secs(60),
};
const OPENING_PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SEATS_PER_ROW: u32 = 50;

/// A new event with these many seats in sections named `S0`, `S1`, ...; the id.
pub(super) async fn create(
    doors: &[SocketAddr],
    sections: u32,
    rows: u32,
) -> Result<String, Error> {
    let section = |number: u32| json!({"name": format!("S{number}"), "rows": rows, "seats_per_row": SEATS_PER_ROW, "price": 1_000});
    let sections = (0..sections).map(section).collect();
    let event = opening::open_already("Pauses", "Bench", 3_600, (16, 65_535), sections);
    Ok(opening::create(doors, &event).await?.event)
}

/// Seats of one row of a section, by their ids.
pub(super) fn seats(section: u32, row: u32, count: u32, from: u32) -> Vec<String> {
    let ids = from..(from + count).min(SEATS_PER_ROW);
    ids.map(|seat| format!("S{section}-{}-{}", row + 1, seat + 1))
        .collect()
}

/// Seats of each row.
pub(super) const fn seats_per_row() -> u32 {
    SEATS_PER_ROW
}

/// Asks for seats until the event is open.
pub(super) async fn first_hold(
    doors: &crate::demo::door::Doors,
    headers: &str,
    body: &[u8],
) -> Result<Answer, Error> {
    let start = Instant::now();
    loop {
        let answer = reserve(doors, headers, body).await?;
        if answer.status == 201 {
            return Ok(answer);
        }
        if start.elapsed() > OPENING_PATIENCE {
            return Err(unexpected("a hold", &answer));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Asks for seats.
pub(super) async fn reserve(
    doors: &crate::demo::door::Doors,
    headers: &str,
    body: &[u8],
) -> Result<Answer, Error> {
    let request = Request::post("/api/v1/seats/reserve", body).with_headers(headers);
    call(doors, &request, "a hold").await
}

/// An answer, from whichever node gives one.
pub(super) async fn call(
    doors: &crate::demo::door::Doors,
    request: &Request<'_>,
    what: &str,
) -> Result<Answer, Error> {
    let served = doors.call(0, request, PATIENCE).await;
    served.map(|served| served.answer).map_err(|_| Error::Late {
        what: format!("an answer to {what}"),
        seconds: PATIENCE.total.as_secs(),
    })
}

pub(super) fn unexpected(what: &'static str, answer: &Answer) -> Error {
    let body = String::from_utf8_lossy(&answer.body);
    Error::Unexpected {
        what,
        status: answer.status,
        body: body.chars().take(300).collect(),
    }
}
