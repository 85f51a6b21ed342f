//! Spans on their way out: read from log events, kept until somebody takes them.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Spans that wait, at most: some seconds of what anybody follows.
const WAITING_MAX: usize = 8_192;

/// This process's.
pub static OUTBOX: Outbox = Outbox::new();

/// A span that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) parent_id: String,
    pub(super) name: String,
    pub(super) begun_ms: u64,
    pub(super) took_us: u64,
    pub(super) status: u64,
    pub(super) group: Option<u64>,
    pub(super) term: u64,
    pub(super) index: u64,
    pub(super) failed: bool,
}

/// Bounded, and shut until somebody sends what is in it.
pub struct Outbox {
    open: AtomicBool,
    waiting: Mutex<(Vec<Ended>, u64)>,
}

impl Outbox {
    /// Nobody takes anything out of it yet.
    pub const fn new() -> Self {
        Self {
            open: AtomicBool::new(false),
            waiting: Mutex::new((Vec::new(), 0)),
        }
    }

    /// From now on spans are kept.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// What waits, and how many found no place.
    pub fn take(&self) -> (Vec<Ended>, u64) {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, span: Ended) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.0.len() < WAITING_MAX {
            true => waiting.0.push(span),
            false => waiting.1 += 1,
        }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

/// The part of the log that is spans, into an outbox.
pub struct Spans(
    /// Which.
    pub &'static Outbox,
);

impl<S: Subscriber> Layer<S> for Spans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == trace::SPANS && self.0.open.load(Ordering::Relaxed) {
            let mut span = Ended::default();
            event.record(&mut span);
            self.0.put(span);
        }
    }
}

impl Visit for Ended {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "trace_id" => &mut self.trace_id,
            "span_id" => &mut self.span_id,
            "parent_id" => &mut self.parent_id,
            "name" => &mut self.name,
            _ => return,
        };
        value.clone_into(place);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "begun_ms" => self.begun_ms = value,
            "took_us" => self.took_us = value,
            "status" => self.status = value,
            "group" => self.group = Some(value),
            "term" => self.term = value,
            "index" => self.index = value,
            _ => {}
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "failed" {
            self.failed = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trace::{Done, Span, Trace};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const CAUSE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_span_that_ends_is_kept_once_somebody_takes_it_and_past_the_bound_counted() {
        static BOX: Outbox = Outbox::new();
        let subscriber = tracing_subscriber::registry().with(Spans(&BOX));
        let end = |salt, index| {
            let cause = Trace::parse(CAUSE).expect("a trace");
            let done = Done {
                group: Some(3),
                term: 4,
                index,
                ..Done::default()
            };
            Span::begin(cause, "commit", salt, 1_700_000_000_000)
                .end(Duration::from_micros(1_234), done);
        };
        tracing::subscriber::with_default(subscriber, || {
            end(0, 0);
            assert_eq!(BOX.take(), (Vec::new(), 0), "nobody takes any yet");
            BOX.open();
            end(1, 5);
            tracing::info!(name = "something else", "no span");
            let (spans, lost) = BOX.take();
            let [span] = &spans[..] else {
                panic!("{spans:?}")
            };
            assert_eq!(
                (&span.trace_id[..8], &span.parent_id[..]),
                ("4bf92f35", "00f067aa0ba902b7")
            );
            assert_eq!((span.group, span.term, span.index), (Some(3), 4, 5));
            assert_eq!(
                (span.name.as_str(), span.took_us, lost),
                ("commit", 1_234, 0)
            );
            (0..WAITING_MAX as u64 + 7).for_each(|salt| end(salt, salt));
            let (spans, lost) = BOX.take();
            assert_eq!((spans.len(), lost), (WAITING_MAX, 7));
        });
    }
}
