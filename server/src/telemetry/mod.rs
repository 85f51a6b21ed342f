//! Spans of requests that their callers want followed (crate `trace`), sent to an OpenTelemetry collector
//! beside the node, if the settings name one (`telemetry.otlp`).
//!
//! ```text
//!  log event of target trace::SPANS ──► outbox (bounded) ──► sender task ── OTLP/HTTP, JSON ──► collector
//! ```
//! It protects nothing and holds nobody up: a full outbox drops spans and counts them, and a collector
//! that does not answer loses what was meant for it.

mod otlp;
mod outbox;

use std::time::Duration;

use crate::http_client::{Connection, Request};

pub use self::otlp::Origin;
pub use self::outbox::{OUTBOX, Outbox, Spans};

/// Spans wait for so long, that many are sent at once.
const SEND_EVERY: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(5);
/// OTLP/HTTP, section "OTLP/HTTP Request".
const PATH: &str = "/v1/traces";

/// Sends spans to the collector at `address` (`host:port`) until it is dropped.
pub async fn send(address: String, origin: Origin, outbox: &Outbox) {
    outbox.open();
    let mut taken = true;
    loop {
        tokio::time::sleep(SEND_EVERY).await;
        let (spans, lost) = outbox.take();
        if lost > 0 {
            tracing::warn!(lost, "more spans than can be sent");
        }
        if spans.is_empty() {
            continue;
        }
        let sent = post(&address, &otlp::encode(&origin, &spans)).await;
        // Once for each change, not for each second.
        match (&sent, taken) {
            (Err(why), true) => tracing::warn!(address, why, "spans are lost"),
            (Ok(()), false) => tracing::info!(address, "spans are taken again"),
            _ => {}
        }
        taken = sent.is_ok();
    }
}

async fn post(address: &str, body: &str) -> Result<(), String> {
    let found = tokio::net::lookup_host(address).await;
    let found = found.map_err(|error| error.to_string())?.next();
    let mut connection = Connection::new(found.ok_or("no such host")?);
    let request = Request::post(PATH, body.as_bytes());
    let reply = connection.call(&request, DEADLINE).await;
    match reply.map_err(|error| error.to_string())?.status {
        200..300 => Ok(()),
        status => Err(format!("answered {status}")),
    }
}
