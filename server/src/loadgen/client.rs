//! One client of a load run: one request at a time over one connection.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::world::{Order, SEATS_PER_ROW, World};
use super::{Error, Workload};
use crate::http_client::{Connection, Reply, Request};

const DEADLINE: Duration = Duration::from_secs(30);
/// After a 503: long enough not to make it worse.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
const RELEASE_TRIES: u32 = 200;

/// A client with its identity.
pub(super) struct Client {
    number: usize,
    pub(super) connection: Connection,
    pub(super) bearer: String,
    organizer: String,
    body: String,
}

/// When requests begin, in open loop.
struct Beat {
    start: Instant,
    interval: Duration,
    next: AtomicU64,
}

impl Client {
    pub(super) fn new(
        number: usize,
        target: SocketAddr,
        bearer: String,
        organizer: String,
    ) -> Self {
        Self {
            number,
            connection: Connection::new(target),
            bearer,
            organizer,
            body: String::new(),
        }
    }

    async fn run(
        &mut self,
        world: &World,
        stop: Instant,
        beat: Option<&Beat>,
    ) -> Result<(), Error> {
        while Instant::now() < stop {
            let start = match beat {
                None => Instant::now(),
                Some(beat) => match beat.wait(stop).await {
                    Some(start) => start,
                    None => return Ok(()),
                },
            };
            let order = world.state().draw(self.number);
            let Some(order) = self.hold(world, order, start).await? else {
                continue;
            };
            if world.workload == Workload::Flow {
                self.pay(world, &order).await?;
            }
            let oldest = {
                let mut state = world.state();
                state.open.push_back(order);
                state.recycle()
            };
            if let Some(oldest) = oldest {
                self.give_back(world, &oldest).await?;
            }
        }
        Ok(())
    }

    /// The order when it was granted.
    async fn hold(
        &mut self,
        world: &World,
        mut order: Order,
        start: Instant,
    ) -> Result<Option<Order>, Error> {
        self.render_hold(world, &order);
        let request = Request {
            method: "POST",
            path: "/api/v1/seats/reserve",
            headers: &self.bearer,
            body: self.body.as_bytes(),
        };
        let reply = self.connection.call(&request, DEADLINE).await;
        let reply = reply.map_err(|source| Error::Call {
            what: "a hold",
            source,
        })?;
        let taken = start.elapsed();
        match reply.status {
            201 => {
                let id = order_id(reply.body).ok_or_else(|| unexpected("a hold", &reply))?;
                id.clone_into(&mut order.id);
                let mut state = world.state();
                state.hold.saturating_record(micros(taken));
                state.grant(&order);
                Ok(Some(order))
            }
            409 => {
                world.state().hold.saturating_record(micros(taken));
                Ok(None)
            }
            503 => {
                world.state().busy += 1;
                tokio::time::sleep(BUSY_PAUSE).await;
                Ok(None)
            }
            _ => Err(unexpected("a hold", &reply)),
        }
    }

    fn render_hold(&mut self, world: &World, order: &Order) {
        let body = &mut self.body;
        body.clear();
        body.push_str("{\"event_id\":\"");
        body.push_str(&world.event.id);
        body.push_str("\",\"seat_ids\":[");
        for (index, seat) in order.seats.iter().enumerate() {
            let (row, number) = (seat / SEATS_PER_ROW + 1, seat % SEATS_PER_ROW + 1);
            let comma = if index == 0 { "" } else { "," };
            write!(body, "{comma}\"S{:02}-{row}-{number}\"", order.section)
                .expect("writing to memory cannot fail");
        }
        body.push_str("]}");
    }

    async fn pay(&mut self, world: &World, order: &Order) -> Result<(), Error> {
        let path = format!("/api/v1/orders/{}/pay", order.id);
        let request = Request::post(&path, br#"{"payment_method":"pm_ok"}"#);
        let request = request.with_headers(&self.bearer);
        let start = Instant::now();
        for _ in 0..RELEASE_TRIES {
            let reply = self.connection.call(&request, DEADLINE).await;
            let reply = reply.map_err(|source| Error::Call {
                what: "a payment",
                source,
            })?;
            match reply.status {
                200 => {
                    world.state().pay.saturating_record(micros(start.elapsed()));
                    return Ok(());
                }
                202 | 503 | 504 => tokio::time::sleep(BUSY_PAUSE).await,
                _ => return Err(unexpected("a payment", &reply)),
            }
        }
        let body = "still processing".to_owned();
        Err(Error::Unexpected {
            what: "a payment",
            status: 202,
            body,
        })
    }

    /// Releases a hold, or refunds a sale.
    async fn give_back(&mut self, world: &World, order: &Order) -> Result<(), Error> {
        let start = Instant::now();
        let (method, path, headers) = match world.workload {
            Workload::Hold => {
                let bearer = world.state().bearers[order.client].clone();
                (
                    "DELETE",
                    format!("/api/v1/orders/{}/hold", order.id),
                    bearer,
                )
            }
            Workload::Flow => (
                "POST",
                format!("/api/v1/orders/{}/refund", order.id),
                self.organizer.clone(),
            ),
        };
        let request = Request {
            method,
            path: &path,
            headers: &headers,
            body: b"",
        };
        for _ in 0..RELEASE_TRIES {
            let reply = self.connection.call(&request, DEADLINE).await;
            let reply = reply.map_err(|source| Error::Call {
                what: "a release",
                source,
            })?;
            match reply.status {
                200 | 202 => {
                    world
                        .state()
                        .release
                        .saturating_record(micros(start.elapsed()));
                    return Ok(());
                }
                503 | 504 => tokio::time::sleep(BUSY_PAUSE).await,
                _ => return Err(unexpected("a release", &reply)),
            }
        }
        let body = "no answer".to_owned();
        Err(Error::Unexpected {
            what: "a release",
            status: 503,
            body,
        })
    }
}

impl Beat {
    /// Waits for the next beginning; from when its latency counts. `None` once it is past `stop`.
    ///
    /// Who slept until then counts from waking: the timer's coarseness is not the server's fault.
    /// Who came too late, because the answer before took so long, counts from the plan.
    async fn wait(&self, stop: Instant) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let at = self.start + self.interval.mul_f64(number as f64);
        if at >= stop {
            return None;
        }
        if at <= Instant::now() {
            return Some(at);
        }
        tokio::time::sleep_until(at.into()).await;
        Some(Instant::now())
    }
}

/// Lets all clients work for a while; each finishes the request it is at.
pub(super) async fn work(
    clients: Vec<Client>,
    world: &Arc<World>,
    time: Duration,
    rate: Option<f64>,
) -> Result<Vec<Client>, Error> {
    let start = Instant::now();
    let stop = start + time;
    let beat = rate.map(|rate| {
        let interval = Duration::from_secs_f64(1.0 / rate.max(0.001));
        Arc::new(Beat {
            start,
            interval,
            next: AtomicU64::new(0),
        })
    });
    world.state().bearers = clients.iter().map(|client| client.bearer.clone()).collect();
    let spawn = |mut client: Client| {
        let (world, beat) = (world.clone(), beat.clone());
        tokio::spawn(async move {
            let result = client.run(&world, stop, beat.as_deref()).await;
            result.map(|()| client)
        })
    };
    let tasks: Vec<_> = clients.into_iter().map(spawn).collect();
    let mut clients = Vec::new();
    for task in tasks {
        match task.await {
            Ok(client) => clients.push(client?),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    Ok(clients)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn unexpected(what: &'static str, reply: &Reply<'_>) -> Error {
    let body = String::from_utf8_lossy(reply.body)
        .chars()
        .take(300)
        .collect();
    Error::Unexpected {
        what,
        status: reply.status,
        body,
    }
}

/// The `order_id` of a 201, without parsing the rest.
fn order_id(body: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"\"order_id\":\"";
    let start = body.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let length = body[start..].iter().position(|&byte| byte == b'"')?;
    std::str::from_utf8(&body[start..start + length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_is_found_wherever_it_stands() {
        assert_eq!(order_id(br#"{"order_id":"ab-1","seats":[]}"#), Some("ab-1"));
        assert_eq!(order_id(br#"{"held_until":"x","order_id":"c"}"#), Some("c"));
        assert_eq!(order_id(br#"{"order":"c"}"#), None);
        assert_eq!(order_id(br#"{"order_id":"c"#), None);
    }

    #[tokio::test]
    async fn beginnings_that_are_late_count_from_the_plan() {
        let start = Instant::now() - Duration::from_millis(100);
        let interval = Duration::from_millis(60);
        let beat = Beat {
            start,
            interval,
            next: AtomicU64::new(0),
        };
        let stop = start + Duration::from_millis(130);
        assert_eq!(beat.wait(stop).await, Some(start));
        assert_eq!(beat.wait(stop).await, Some(start + interval));
        assert!(
            beat.wait(stop)
                .await
                .is_some_and(|at| at >= start + interval * 2)
        );
        assert_eq!(beat.wait(stop).await, None);
    }
}
