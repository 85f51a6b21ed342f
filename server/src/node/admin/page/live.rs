//! `GET /admin/live`: the picture, again and again, as `text/event-stream`.
//!
//! One task draws it while anybody watches, and everybody is sent the same bytes; who is slow misses
//! pictures, and nobody waits for them. The task ends with the last watcher, the streams with the node.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cluster::catalogue::Who;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::Page;
use super::picture::Painter;
use crate::node::admin::access::{By, Least};
use crate::node::admin::{Admin, problem};

/// Streams at once: a picture is some kilobytes a second for each.
pub(super) const WATCHERS_MAX: usize = 16;
/// Between two pictures.
const EVERY: Duration = Duration::from_secs(1);
/// Of a large cluster a picture takes long; drawing takes at most this part of the time.
const REST_FACTOR: u32 = 4;

/// Who watches, and what draws.
#[derive(Default)]
pub(super) struct Live {
    running: Mutex<Option<Running>>,
    watchers: Arc<AtomicUsize>,
}

/// The task that draws, and where its pictures are.
struct Running {
    pictures: watch::Receiver<Bytes>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A watcher in the count of watchers. With the last one the drawing ends.
struct Watcher(Arc<Page>);

impl Watcher {
    fn new(page: Arc<Page>) -> Option<Self> {
        let before = page.live.watchers.fetch_add(1, Ordering::AcqRel);
        let watcher = Self(page);
        (before < WATCHERS_MAX).then_some(watcher)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let live = &self.0.live;
        // Under the lock: whoever comes at this moment finds it running, or begins anew.
        let mut running = live.running.lock().unwrap_or_else(PoisonError::into_inner);
        if live.watchers.fetch_sub(1, Ordering::AcqRel) == 1 {
            *running = None;
        }
    }
}

impl Live {
    fn pictures(&self, admin: &Arc<Admin>) -> watch::Receiver<Bytes> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = running
            .as_ref()
            .filter(|running| !running.task.is_finished());
        if let Some(running) = alive {
            return running.pictures.clone();
        }
        let (tell, pictures) = watch::channel(Bytes::new());
        let task = tokio::spawn(draw(admin.clone(), tell));
        *running = Some(Running {
            pictures: pictures.clone(),
            task,
        });
        pictures
    }
}

async fn draw(admin: Arc<Admin>, tell: watch::Sender<Bytes>) {
    let mut painter = Painter::new(admin);
    loop {
        let begun = Instant::now();
        let picture = painter.paint().await;
        let json = serde_json::to_string(&picture).expect("plain data under plain keys");
        tell.send_replace(format!("event: picture\ndata: {json}\n\n").into());
        let took = begun.elapsed();
        sleep(EVERY.saturating_sub(took).max(took * REST_FACTOR)).await;
    }
}

/// How long somebody wants to watch.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    /// So many pictures; without end when left out.
    pictures: Option<u64>,
}

/// One stream: what it was greeted with, what it waits for.
struct Stream {
    hello: Option<Bytes>,
    pictures: watch::Receiver<Bytes>,
    left: u64,
    watcher: Watcher,
}

pub(super) async fn watch(
    State(page): State<Arc<Page>>,
    Extension(by): Extension<By>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Some(watcher) = Watcher::new(page.clone()) else {
        let detail =
            format!("{WATCHERS_MAX} others watch this node already; close one of their pages");
        return problem(StatusCode::SERVICE_UNAVAILABLE, "WATCHERS_MAX", detail);
    };
    let mut pictures = page.live.pictures(&page.admin);
    // One that was drawn before is better than none.
    pictures.mark_changed();
    let stream = Stream {
        hello: Some(hello(&by)),
        pictures,
        left: wanted.pictures.unwrap_or(u64::MAX),
        watcher,
    };
    let frames = futures::stream::unfold(stream, |mut stream| async move {
        let frame = stream.next().await?;
        Some((Ok::<_, Infallible>(frame), stream))
    });
    let kind = (header::CONTENT_TYPE, "text/event-stream");
    let fresh = (header::CACHE_CONTROL, "no-store");
    ([kind, fresh], Body::from_stream(frames)).into_response()
}

impl Stream {
    /// `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(hello) = self.hello.take() {
            return Some(hello);
        }
        self.left = self.left.checked_sub(1)?;
        let backend = &self.watcher.0.admin.door.backend;
        loop {
            tokio::select! {
                biased;
                // A stream would keep the node from stopping.
                () = backend.stopping() => return None,
                changed = self.pictures.changed() => changed.ok()?,
            }
            let picture = self.pictures.borrow_and_update().clone();
            // Before the first one is drawn.
            if !picture.is_empty() {
                return Some(picture);
            }
        }
    }
}

/// Who watches, and whether they may do more.
fn hello(by: &By) -> Bytes {
    let who = match by.who() {
        Who::Certificate { name, role } => format!("certificate {name} ({role})"),
        Who::Key { name, role, .. } => format!("key {name} ({role})"),
        Who::Unproven | Who::Person { .. } | Who::CommandLine => "unproven".to_owned(),
    };
    let said = json!({ "who": who, "changes": by.may() == Least::Change });
    format!("event: hello\ndata: {said}\n\n").into()
}
