//! What all buyers of a demo share: the doors, the public pages everybody looks at, the record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::books::Books;
use super::door::{Doors, Patience};
use super::messages::{Counts, Event, QueueDocument, SeatMap};
use super::pace::Pace;
use super::tickets::TicketKeys;
use crate::http_client::Request;

/// For reads.
pub const READ: Patience = Patience {
    attempt: Duration::from_secs(5),
    total: Duration::from_secs(20),
};
const PAGE_EVERY: Duration = Duration::from_millis(250);
/// The seat map is the big page: everybody sees one up to this old, as through a CDN.
const MAP_EVERY: u32 = 4;

/// A sale under way.
#[derive(Debug)]
pub struct Sale {
    /// The cluster.
    pub doors: Doors,
    /// The event.
    pub event: String,
    /// Turns to reserve.
    pub pace: Pace,
    /// Keys that tickets are checked with.
    pub keys: TicketKeys,
    books: Mutex<Books>,
    counts: Mutex<Counts>,
    queue: Mutex<QueueDocument>,
    map: Mutex<Arc<SeatMap>>,
    over: AtomicBool,
    pages_read: AtomicU64,
    page_turned: Notify,
}

impl Sale {
    /// A sale of an event that exists.
    pub fn new(doors: Doors, event: String, pace: Pace, keys: TicketKeys) -> Self {
        Self {
            doors,
            event,
            pace,
            keys,
            books: Mutex::default(),
            counts: Mutex::default(),
            queue: Mutex::default(),
            map: Mutex::default(),
            over: AtomicBool::new(false),
            pages_read: AtomicU64::new(0),
            page_turned: Notify::new(),
        }
    }

    /// The record.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seats by state, as last read.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The waiting room's public document, as last read.
    pub fn queue(&self) -> QueueDocument {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The seat map, as last read.
    pub fn map(&self) -> Arc<SeatMap> {
        self.map
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether buyers should go home.
    pub fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Sends buyers home when they are done with what they are at.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.pace.release();
        self.page_turned.notify_waiters();
    }

    /// Waits until the public pages show what `wanted` asks for, or the sale is over.
    pub async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        loop {
            let turned = self.page_turned.notified();
            if self.over() || wanted(self) {
                return;
            }
            turned.await;
        }
    }

    /// Reads the public pages again and again until the sale is over.
    pub async fn read_pages(&self) {
        for round in 0.. {
            if self.over() {
                return;
            }
            let start = Instant::now();
            self.read_counts().await;
            let path = format!("/api/v1/events/{}/queue", self.event);
            if let Some(queue) = self.get::<QueueDocument>(round as usize, &path).await {
                *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = queue;
            }
            if round % MAP_EVERY == 0 {
                let path = format!("/api/v1/events/{}/seats", self.event);
                if let Some(map) = self.get::<SeatMap>(round as usize, &path).await {
                    *self.map.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
                }
            }
            self.pages_read.fetch_add(1, Ordering::Relaxed);
            self.page_turned.notify_waiters();
            tokio::time::sleep(PAGE_EVERY.saturating_sub(start.elapsed())).await;
        }
    }

    /// Reads the counts once.
    pub async fn read_counts(&self) -> Option<Counts> {
        let path = format!("/api/v1/events/{}", self.event);
        let event = self.get::<Event>(0, &path).await?;
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = event.counts;
        Some(event.counts)
    }

    /// Whether the public pages were read at all.
    pub fn is_known(&self) -> bool {
        self.pages_read.load(Ordering::Relaxed) > 0
    }

    async fn get<T: DeserializeOwned>(&self, home: usize, path: &str) -> Option<T> {
        let served = self
            .doors
            .call(home, &Request::get(path), READ)
            .await
            .ok()?;
        if served.answer.status != 200 {
            self.books()
                .refused("page", served.answer.status, &served.answer.problem());
            return None;
        }
        let page = served.answer.json();
        if let Err(error) = &page {
            self.books().refused("page", 200, &error.to_string());
        }
        page.ok()
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
