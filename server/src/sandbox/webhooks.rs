//! Telling sellers what happened: signed, repeated until somebody takes it.
//!
//! The given addresses are doors of one seller: an event is done when one of them took it, and
//! each try goes to the next.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::Notify;

use super::{Error, lock, now_ms};
use crate::dice::{hex, secret_hex};
use crate::http_client::{Connection, Request};

/// Deliveries under way at once.
const COURIERS: usize = 8;
const TRIES_MAX: u32 = 40;
const DEADLINE: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Something that happened to a payment; its id is drawn when it is sent.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) body: Value,
}

struct Parcel {
    body: Value,
    tries: u32,
}

/// Where webhooks go to.
#[derive(Clone, Debug)]
struct Door {
    address: SocketAddr,
    path: String,
}

/// The events that wait, and the tasks that carry them.
pub(super) struct Webhooks {
    queue: Arc<Queue>,
    wanted: bool,
}

#[derive(Default)]
struct Queue {
    parcels: Mutex<VecDeque<Parcel>>,
    more: Notify,
}

impl Queue {
    fn push(&self, parcel: Parcel) {
        lock(&self.parcels).push_back(parcel);
        self.more.notify_one();
    }

    async fn pop(&self) -> Parcel {
        loop {
            let next = lock(&self.parcels).pop_front();
            if let Some(parcel) = next {
                return parcel;
            }
            self.more.notified().await;
        }
    }
}

impl Webhooks {
    /// Starts the couriers.
    pub(super) fn start(urls: &[String], secret: String) -> Result<Self, Error> {
        let doors = urls
            .iter()
            .map(|url| door(url))
            .collect::<Result<Vec<_>, _>>()?;
        let queue = Arc::new(Queue::default());
        let wanted = !doors.is_empty();
        for first in 0..if wanted { COURIERS } else { 0 } {
            let mut doors = doors.clone();
            let turn = first % doors.len();
            doors.rotate_left(turn);
            tokio::spawn(carry(queue.clone(), doors, secret.clone()));
        }
        Ok(Self { queue, wanted })
    }

    /// Sends an event so many times, not before `held_back` has passed.
    pub(super) fn send(&self, event: Event, held_back: Duration, times: u32) {
        if !self.wanted {
            return;
        }
        let mut body = event.body;
        body["id"] = format!("evt_{}", secret_hex(12)).into();
        let queue = self.queue.clone();
        let deliver = move || {
            for _ in 0..times {
                queue.push(Parcel {
                    body: body.clone(),
                    tries: 0,
                });
            }
        };
        if held_back.is_zero() {
            deliver();
        } else {
            tokio::spawn(async move {
                tokio::time::sleep(held_back).await;
                deliver();
            });
        }
    }
}

/// One courier: takes the next parcel, tries a door, puts it back after a pause when refused.
async fn carry(queue: Arc<Queue>, doors: Vec<Door>, secret: String) {
    let mut connections: Vec<Connection> = doors
        .iter()
        .map(|door| Connection::new(door.address))
        .collect();
    let mut turn = 0;
    loop {
        let mut parcel = queue.pop().await;
        let body = parcel.body.to_string();
        let headers = signature_line(&secret, now_ms() / 1000, &body);
        let request = Request::post(&doors[turn].path, body.as_bytes()).with_headers(&headers);
        let taken = connections[turn].call(&request, DEADLINE).await;
        if taken.is_ok_and(|reply| reply.status == 200) {
            continue;
        }
        turn = (turn + 1) % doors.len();
        parcel.tries += 1;
        if parcel.tries >= TRIES_MAX {
            tracing::warn!(event = %parcel.body, "nobody takes this webhook");
            continue;
        }
        let pause = Duration::from_millis(100 << parcel.tries.min(6)).min(BACKOFF_MAX);
        let queue = queue.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            queue.push(parcel);
        });
    }
}

/// `Usher-Signature: t=<seconds>,v1=<HMAC over "t.body">`.
pub(super) fn signature_line(secret: &str, seconds: u64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    let tag = hex(&mac.finalize().into_bytes());
    format!("Usher-Signature: t={seconds},v1={tag}\r\n")
}

fn door(url: &str) -> Result<Door, Error> {
    let refused = || Error::Webhook {
        url: url.to_owned(),
    };
    let rest = url.strip_prefix("http://").ok_or_else(refused)?;
    let (address, path) = rest.split_once('/').ok_or_else(refused)?;
    let address = address.parse().map_err(|_| refused())?;
    Ok(Door {
        address,
        path: format!("/{path}"),
    })
}
