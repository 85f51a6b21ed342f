//! The cluster as a client sees it: some addresses, any of which may be down for a while.
//!
//! A call goes to the client's own node first and moves on when that does not answer. It repeats
//! exactly the same bytes, so the same `Idempotency-Key`: whatever was done is done once (P8).

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
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

/// All doors of a cluster, as a load balancer knows them: some may be added, and some closed.
#[derive(Debug)]
pub struct Doors {
    doors: RwLock<Vec<Door>>,
    connections_each: usize,
}

/// One of them.
#[derive(Debug)]
struct Door {
    pool: Arc<Pool>,
    shunned_until: Option<Instant>,
    closed: bool,
}

impl Door {
    fn new(address: SocketAddr, connections: usize) -> Self {
        Self {
            pool: Arc::new(Pool::new(address, connections)),
            shunned_until: None,
            closed: false,
        }
    }
}

impl Doors {
    /// Doors at these addresses, with so many connections to each.
    pub fn new(addresses: &[SocketAddr], connections_each: usize) -> Self {
        let door = |&address: &SocketAddr| Door::new(address, connections_each);
        Self {
            doors: RwLock::new(addresses.iter().map(door).collect()),
            connections_each,
        }
    }

    /// How many there ever were.
    pub fn count(&self) -> usize {
        self.read(<[Door]>::len)
    }

    /// One more.
    pub fn open(&self, address: SocketAddr) {
        let door = Door::new(address, self.connections_each);
        self.write(|doors| doors.push(door));
    }

    /// Nobody is sent to this one any more.
    pub fn close(&self, door: usize) {
        self.write(|doors| doors[door].closed = true);
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
            let pool = self.read(|doors| doors[door].pool.clone());
            match pool.call(request, patience.attempt).await {
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

    /// The first door from `wish` on that is neither closed nor shunned; one that is not closed
    /// when all are shunned.
    fn open_door(&self, wish: usize) -> usize {
        let now = Instant::now();
        self.read(|doors| {
            let count = doors.len();
            let from_wish = || (0..count).map(|step| (wish + step) % count);
            let open = |door: &usize| !doors[*door].closed;
            let willing =
                |door: &usize| doors[*door].shunned_until.is_none_or(|until| until <= now);
            let first = from_wish().filter(open).find(willing);
            first
                .or_else(|| from_wish().find(open))
                .unwrap_or(wish % count)
        })
    }

    fn shun(&self, door: usize) {
        self.write(|doors| doors[door].shunned_until = Some(Instant::now() + SHUNNED));
    }

    fn read<T>(&self, look: impl FnOnce(&[Door]) -> T) -> T {
        look(&self.doors.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Vec<Door>)) {
        change(&mut self.doors.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_a_closed_door_and_shunned_ones_are_the_last_resort() {
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let doors = Doors::new(&[address(1), address(2)], 1);
        doors.open(address(3));
        assert_eq!([0, 1, 2, 3].map(|wish| doors.open_door(wish)), [0, 1, 2, 0]);
        doors.close(0);
        assert_eq!([0, 1, 2, 3].map(|wish| doors.open_door(wish)), [1, 1, 2, 1]);
        doors.shun(1);
        assert_eq!([0, 1, 2].map(|wish| doors.open_door(wish)), [2, 2, 2]);
        doors.shun(2);
        assert_eq!([0, 1, 2].map(|wish| doors.open_door(wish)), [1, 1, 2]);
    }
}
