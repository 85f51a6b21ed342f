//! A bounded pool of connections to one server, for many callers who each ask now and then.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Connection, Error, Request, Target};

/// An answer that owns its body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
    /// From the moment a connection was free to the whole answer.
    pub took: Duration,
}

impl Answer {
    /// The body as JSON of a known shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The stable code of a problem (RFC 9457 with our `error` field); empty when there is none.
    pub fn problem(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Problem {
            error: String,
        }
        self.json::<Problem>()
            .map(|problem| problem.error)
            .unwrap_or_default()
    }
}

/// At most so many connections to one server.
#[derive(Debug)]
pub struct Pool {
    target: Target,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// An empty pool.
    pub fn new(target: impl Into<Target>, connections_max: usize) -> Self {
        Self {
            target: target.into(),
            permits: Semaphore::new(connections_max),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The server.
    pub fn address(&self) -> SocketAddr {
        self.target.address
    }

    /// Waits for a connection, then calls; `deadline` is for the call alone.
    pub async fn call(&self, request: &Request<'_>, deadline: Duration) -> Result<Answer, Error> {
        let _permit = self.permits.acquire().await.map_err(|_| Error::Closed)?;
        let idle = self.idle().pop();
        let mut connection = idle.unwrap_or_else(|| Connection::new(self.target.clone()));
        let start = Instant::now();
        let answer = connection
            .call(request, deadline)
            .await
            .map(|reply| Answer {
                status: reply.status,
                retry_after: reply.retry_after,
                body: reply.body.to_vec(),
                took: start.elapsed(),
            });
        match answer {
            Ok(answer) => {
                self.idle().push(connection);
                Ok(answer)
            }
            Err(error) => {
                // The server died or was restarted: the other connections are as dead as this one.
                self.idle().clear();
                Err(error)
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
