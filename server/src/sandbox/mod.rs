//! A payment provider to sell against: a process of its own that charges nobody, and that goes
//! wrong on demand as real ones do.
//!
//! Like a real one it is idempotent by key (a stored answer is replayed, a stored failure too),
//! answers 409 while the same key is under way, loses answers after it took the money, tells
//! what happened by signed webhooks that come twice or in the wrong order, and keeps a ledger
//! that survives everything that happens to the sellers. The demo's audit compares that ledger
//! with what was sold (P4). [`book`] holds its rules and does no I/O.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own beside the cluster: real time, real chance, real files"
)]

pub mod book;
mod faults;
mod journal;
mod routes;
mod webhooks;

pub use faults::Faults;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use book::Book;
use journal::Journal;
use webhooks::Webhooks;

use crate::dice::Dice;

/// How a provider is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where webhooks go: `http://IP:PORT/PATH`, any of which may take an event.
    pub webhooks: Vec<String>,
    /// The key of their signatures.
    pub secret: String,
    /// Where the ledger is kept; in memory only when absent.
    pub ledger: Option<PathBuf>,
}

/// Why a provider does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger cannot be read or written.
    #[error("cannot use the ledger {path}: {source}")]
    Ledger {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of the ledger before its last is not what this program wrote.
    #[error("the ledger {path} is damaged at line {line}")]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Not `http://IP:PORT/PATH`.
    #[error("cannot send webhooks to {url:?}: it is not of the form http://IP:PORT/PATH")]
    Webhook {
        /// What was given.
        url: String,
    },
}

/// What all of a provider's requests share.
struct Shared {
    book: Mutex<Book>,
    journal: Mutex<Option<Journal>>,
    faults: Mutex<Faults>,
    dice: Mutex<Dice>,
    webhooks: Webhooks,
}

/// Locks; a panic elsewhere leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A provider that listens.
pub struct Provider {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Provider {
    /// Reads the ledger and begins to listen; [`Provider::serve`] answers.
    pub async fn bind(options: Options) -> Result<Self, Error> {
        let (journal, book) = match &options.ledger {
            Some(path) => {
                let (journal, book) = Journal::open(path)?;
                (Some(journal), book)
            }
            None => (None, Book::default()),
        };
        let webhooks = Webhooks::start(&options.webhooks, options.secret.clone())?;
        let listen = |source| Error::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Shared {
            book: Mutex::new(book),
            journal: Mutex::new(journal),
            faults: Mutex::new(Faults::default()),
            dice: Mutex::new(Dice::fresh()),
            webhooks,
        };
        Ok(Self {
            listener,
            address,
            shared: Arc::new(shared),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub async fn serve(self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors, say: the next moment may be better.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let shared = self.shared.clone();
            tokio::spawn(async move {
                // The other end will notice a failed nodelay by its latency only.
                let _ = stream.set_nodelay(true);
                let service = hyper::service::service_fn(move |request| {
                    let shared = shared.clone();
                    async move { routes::answer(shared, request).await }
                });
                // An error here is a connection that broke, by our own fault or the peer's.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
