//! Before a run: the event, and an identity for each client.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::world::{Event, ROWS, SEATS_PER_ROW, SECTIONS, section_name};
use super::{Error, Plan};
use crate::demo::door::Doors;
use crate::demo::opening;
use crate::dice::secret_hex;
use crate::http_client::{Connection, Request, bearer};

const OPENING_PATIENCE: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(10);

/// Creates the event and the clients.
pub(super) async fn prepare(plan: &Plan) -> Result<(Event, Vec<Client>), Error> {
    let opened = opening::create(&plan.targets, &event(plan.spread)).await?;
    for &target in &plan.targets {
        await_open(target, &opened.event).await?;
    }
    let doors = Doors::new(&plan.targets, 1);
    let run = secret_hex(4);
    let mut clients = Vec::new();
    for number in 0..plan.clients {
        let subject = format!("bench-{run}-{number}");
        let token = opening::token(&doors, &subject, "buyer").await?;
        let target = plan.targets[number % plan.targets.len()];
        clients.push(Client::new(
            number,
            target,
            bearer(&token),
            opened.organizer.clone(),
        ));
    }
    Ok((Event { id: opened.event }, clients))
}

fn event(spread: Option<u16>) -> Value {
    let section = |number: u32| {
        json!({
            "name": section_name(number), "rows": ROWS, "seats_per_row": SEATS_PER_ROW,
            "price": 1_000,
        })
    };
    let sections = (0..SECTIONS).map(section).collect();
    let mut event = opening::open_already("Bench", "Bench", 600, (4, 65_535), sections);
    if let Some(spread) = spread {
        event["spread"] = spread.into();
    }
    event
}

/// Waits until a node sells the event.
async fn await_open(target: SocketAddr, event: &str) -> Result<(), Error> {
    let (start, path) = (Instant::now(), format!("/api/v1/events/{event}"));
    let mut connection = Connection::new(target);
    loop {
        let reply = connection.call(&Request::get(&path), DEADLINE).await;
        let (status, body) = match reply {
            Ok(reply) => (
                reply.status,
                String::from_utf8_lossy(reply.body).into_owned(),
            ),
            Err(source) => {
                return Err(Error::Call {
                    what: "the event",
                    source,
                });
            }
        };
        let sale = serde_json::from_str::<Value>(&body).unwrap_or_default();
        if sale["sale"] == "open" {
            return Ok(());
        }
        if start.elapsed() > OPENING_PATIENCE {
            let body = body.chars().take(200).collect();
            return Err(Error::Unexpected {
                what: "the event",
                status,
                body,
            });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
