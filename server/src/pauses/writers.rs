//! Those who write to each shard all the time: one seat is held and given back, again and again,
//! each by its own person with a key of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Error;
use super::event::{call, create, first_hold, reserve, seats, unexpected};
use crate::demo::door::Doors;
use crate::demo::measure::longest_gap_around;
use crate::demo::opening;
use crate::dice::secret_hex;
use crate::http_client::{Answer, Request, bearer};

/// Between two writes: often enough to see a pause to a few ms, seldom enough not to cause one.
const BREATH: Duration = Duration::from_millis(4);
/// Events are made until every shard has one.
const EVENTS_MAX: usize = 400;

/// A writer for each shard.
pub(super) struct Writers {
    answers: BTreeMap<u32, Arc<Mutex<Vec<Instant>>>>,
    tasks: Vec<JoinHandle<Result<(), Error>>>,
    over: Arc<AtomicBool>,
}

/// One of them.
struct Writer {
    doors: Doors,
    bearer: String,
    body: Vec<u8>,
    answers: Arc<Mutex<Vec<Instant>>>,
    over: Arc<AtomicBool>,
}

impl Writers {
    /// Makes events until there is one in every shard, and starts to write.
    pub(super) async fn start(addresses: &[SocketAddr], shards: u16) -> Result<Self, Error> {
        let mut writers = Self {
            answers: BTreeMap::new(),
            tasks: Vec::new(),
            over: Arc::new(AtomicBool::new(false)),
        };
        for _ in 0..EVENTS_MAX {
            if writers.answers.len() == usize::from(shards) {
                return Ok(writers);
            }
            writers.add(addresses).await?;
        }
        Err(Error::Late {
            what: format!("an event in each of {shards} shards among {EVENTS_MAX}"),
            seconds: 0,
        })
    }

    /// One more event, and its writer if nobody writes to its shard yet.
    async fn add(&mut self, addresses: &[SocketAddr]) -> Result<(), Error> {
        let event = create(addresses, 1, 1).await?;
        let doors = Doors::new(addresses, 2);
        let token = opening::token(&doors, &format!("writer-{event}"), "buyer").await?;
        let writer = Writer {
            doors,
            bearer: bearer(&token),
            body: json!({"event_id": event, "seat_ids": seats(0, 0, 1, 0)})
                .to_string()
                .into_bytes(),
            answers: Arc::default(),
            over: self.over.clone(),
        };
        let first = first_hold(&writer.doors, &writer.headers(), &writer.body).await?;
        let order = order(&first)?;
        let group = u32::from(ledger::OrderId(order.as_u128()).home().0);
        writer.give_back(order).await?;
        if let Entry::Vacant(unwritten) = self.answers.entry(group) {
            unwritten.insert(writer.answers.clone());
            self.tasks.push(tokio::spawn(writer.write()));
        }
        Ok(())
    }

    /// Shards that are written to.
    pub(super) fn groups(&self) -> impl Iterator<Item = u32> {
        self.answers.keys().copied()
    }

    /// The longest a shard's writer waited, the wait included in which `from` falls.
    pub(super) fn longest(&self, group: u32, from: Instant, to: Instant) -> Duration {
        let answers = self.answers[&group].lock();
        let answers = answers.unwrap_or_else(PoisonError::into_inner);
        longest_gap_around(&answers, from, from, to)
    }

    /// Waits until each of these shards has answered `times` after now.
    pub(super) async fn await_answers(&self, groups: &[u32], times: usize) -> Result<(), Error> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let count = |group| {
            let answers = self.answers[group].lock();
            answers.unwrap_or_else(PoisonError::into_inner).len()
        };
        let start = Instant::now();
        let wanted: Vec<usize> = groups.iter().map(|group| count(group) + times).collect();
        while groups
            .iter()
            .zip(&wanted)
            .any(|(group, wanted)| count(group) < *wanted)
        {
            if start.elapsed() > PATIENCE {
                return Err(Error::Late {
                    what: format!("an answer of each of the shards {groups:?}"),
                    seconds: PATIENCE.as_secs(),
                });
            }
            if self.tasks.iter().any(JoinHandle::is_finished) {
                // Its writer had an answer that cannot be; `stop` tells which.
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Ends them all, and tells if one got an answer that cannot be.
    pub(super) async fn stop(self) -> Result<(), Error> {
        self.over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            match task.await {
                Ok(written) => written?,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(())
    }
}

impl Writer {
    async fn write(self) -> Result<(), Error> {
        while !self.over.load(Ordering::Relaxed) {
            let answer = reserve(&self.doors, &self.headers(), &self.body).await?;
            // Nobody else wants this seat, and it was given back: there is but one right answer.
            let order = order(&answer)?;
            self.note();
            tokio::time::sleep(BREATH).await;
            self.give_back(order).await?;
            self.note();
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }

    fn note(&self) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push(Instant::now());
    }

    fn headers(&self) -> String {
        format!("{}Idempotency-Key: {}\r\n", self.bearer, secret_hex(8))
    }

    async fn give_back(&self, order: uuid::Uuid) -> Result<(), Error> {
        let path = format!("/api/v1/orders/{order}/hold");
        let request = Request {
            method: "DELETE",
            path: &path,
            headers: &self.bearer,
            body: b"",
        };
        let answer = call(&self.doors, &request, "a release").await?;
        match answer.status {
            200 => Ok(()),
            _ => Err(unexpected("a release", &answer)),
        }
    }
}

fn order(answer: &Answer) -> Result<uuid::Uuid, Error> {
    let granted = (answer.status == 201)
        .then(|| answer.json::<Value>().ok())
        .flatten();
    let id = granted.and_then(|granted| granted["order_id"].as_str()?.parse().ok());
    id.ok_or_else(|| unexpected("a hold", answer))
}
