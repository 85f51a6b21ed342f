//! The cluster as a client sees it: some addresses, any of which may be down for a while.
//!
//! A call goes to the client's own node first and moves on when that does not answer. It repeats
//! exactly the same bytes, so the same `Idempotency-Key`: whatever was done is done once (P8).

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::http_client::{Answer, Pool, Request};

/// A node that did not answer is left alone for so long, if there is another.
const SHUNNED: Duration = Duration::from_millis(400);
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// How long to try.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one attempt.
    pub attempt: Duration,
    /// For all of them.
    pub total: Duration,
}

/// No attempt was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Certainly nothing happened.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// An answer, and how long its client waited for it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The answer.
    pub answer: Answer,
    /// From the first attempt, repeats included, waiting for a free connection not.
    pub waited: Duration,
}

/// All doors of a cluster.
#[derive(Debug)]
pub struct Doors {
    pools: Vec<Pool>,
    shunned_until: Mutex<Vec<Option<Instant>>>,
}

impl Doors {
    /// Doors at these addresses, with so many connections to each.
    pub fn new(addresses: &[SocketAddr], connections_each: usize) -> Self {
        let pool = |&address: &SocketAddr| Pool::new(address, connections_each);
        Self {
            pools: addresses.iter().map(pool).collect(),
            shunned_until: Mutex::new(vec![None; addresses.len()]),
        }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.pools.len()
    }

    /// Calls until there is an answer that means something: no 5xx, no 429.
    pub async fn call(
        &self,
        home: usize,
        request: &Request<'_>,
        patience: Patience,
    ) -> Result<Served, Unanswered> {
        let start = Instant::now();
        let (mut door, mut pause, mut sent) = (self.open_door(home), PAUSE_MIN, false);
        for attempt in 0.. {
            match self.pools[door].call(request, patience.attempt).await {
                Ok(answer) if answer.status < 500 && answer.status != 429 => {
                    let waited = if attempt == 0 {
                        answer.took
                    } else {
                        start.elapsed()
                    };
                    return Ok(Served { answer, waited });
                }
                Ok(answer) => {
                    sent = true;
                    let hint = answer.retry_after.map(Duration::from_secs);
                    pause = hint.unwrap_or(pause).min(pause);
                }
                Err(error) => {
                    sent |= !error.unsent();
                    self.shun(door);
                }
            }
            if start.elapsed() + pause > patience.total {
                break;
            }
            door = self.open_door(door + 1);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(if sent {
            Unanswered::Unknown
        } else {
            Unanswered::Nothing
        })
    }

    /// The first door from `wish` on that is not shunned; `wish` itself when all are.
    fn open_door(&self, wish: usize) -> usize {
        let count = self.pools.len();
        let now = Instant::now();
        let shunned = self
            .shunned_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let open = |door: &usize| shunned[*door].is_none_or(|until| until <= now);
        (0..count)
            .map(|step| (wish + step) % count)
            .find(open)
            .unwrap_or(wish % count)
    }

    fn shun(&self, door: usize) {
        let mut shunned = self
            .shunned_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shunned[door] = Some(Instant::now() + SHUNNED);
    }
}
