//! Names, units, help and label values of everything the door counts.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Requests by route and status.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Answer {
    /// The route's name.
    pub route: &'static str,
    /// HTTP status.
    pub status: u16,
}

/// Something of a kind.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Kind {
    /// Which.
    pub kind: &'static str,
}

/// Calls to the payment provider.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PaymentLabels {
    /// `authorize`, `capture`, `cancel`, `refund` or `look_up`.
    pub step: &'static str,
    /// `done`, `refused` or `unknown`.
    pub outcome: &'static str,
}

/// Makes latency histograms: 1 ms to 10 s.
#[derive(Clone)]
struct Latency;

impl MetricConstructor<Histogram> for Latency {
    fn new_metric(&self) -> Histogram {
        Histogram::new([
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
        ])
    }
}

/// The door's counters. Cloning shares them.
#[derive(Clone)]
pub struct Metrics {
    /// Answers by route and status.
    pub answers: Family<Answer, Counter>,
    /// Refusals by their stable code.
    pub refusals: Family<Kind, Counter>,
    /// Requests shed for overload, by class.
    pub shed: Family<Kind, Counter>,
    /// Time to answer, by route.
    latency: Family<Kind, Histogram, Latency>,
    /// People put into waiting rooms.
    pub joins: Counter,
    /// Batches they were put in by.
    pub join_batches: Counter,
    /// Seat maps answered from the cache of rendered bodies.
    pub maps_reused: Counter,
    /// Open streams of seat changes.
    pub streams: Gauge<i64, AtomicI64>,
    /// Calls to the payment provider.
    pub payment_calls: Family<PaymentLabels, Counter>,
    /// Follow-ups given up after the answer; the courier repairs them.
    pub followups_lost: Counter,
    /// Keys of the API that did not open, by what was wrong with them.
    pub keys_refused: Family<Kind, Counter>,
    /// Requests that panicked.
    pub panics: Counter,
    /// What else this process counts.
    others: Arc<Mutex<Vec<Others>>>,
}

type Others = Box<dyn Fn(&mut Registry) + Send>;

impl Metrics {
    /// Fresh counters.
    pub fn new() -> Self {
        Self {
            answers: Family::default(),
            refusals: Family::default(),
            shed: Family::default(),
            latency: Family::new_with_constructor(Latency),
            joins: Counter::default(),
            join_batches: Counter::default(),
            maps_reused: Counter::default(),
            streams: Gauge::default(),
            payment_calls: Family::default(),
            followups_lost: Counter::default(),
            keys_refused: Family::default(),
            panics: Counter::default(),
            others: Arc::default(),
        }
    }

    /// Notes how long a request took.
    pub fn took(&self, route: &'static str, time: Duration) {
        self.latency
            .get_or_create(&Kind { kind: route })
            .observe(time.as_secs_f64());
    }

    /// Notes a call to the payment provider.
    pub fn payment_call(&self, step: &'static str, outcome: &'static str) {
        self.payment_calls
            .get_or_create(&PaymentLabels { step, outcome })
            .inc();
    }

    /// Lets `/metrics` show what other parts of the process count, too.
    pub fn add(&self, register: impl Fn(&mut Registry) + Send + 'static) {
        self.others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(register));
    }

    /// Makes the counters known to a registry, under their names.
    pub fn register(&self, registry: &mut Registry) {
        let api = registry.sub_registry_with_prefix("usher_api");
        api.register(
            "requests",
            "Answers by route and HTTP status",
            self.answers.clone(),
        );
        api.register(
            "refusals",
            "Refusals by stable error code",
            self.refusals.clone(),
        );
        api.register(
            "shed",
            "Requests shed for overload, by class",
            self.shed.clone(),
        );
        api.register_with_unit(
            "request_duration",
            "Time from a request's head to its answer's, by route",
            Unit::Seconds,
            self.latency.clone(),
        );
        api.register(
            "queue_joins",
            "People put into waiting rooms",
            self.joins.clone(),
        );
        api.register(
            "queue_join_batches",
            "Log entries they were put in by",
            self.join_batches.clone(),
        );
        api.register(
            "seat_maps_reused",
            "Seat maps answered from rendered bodies",
            self.maps_reused.clone(),
        );
        api.register(
            "seat_streams",
            "Open streams of seat changes",
            self.streams.clone(),
        );
        api.register(
            "payment_calls",
            "Calls to the payment provider by step and outcome",
            self.payment_calls.clone(),
        );
        api.register(
            "followups_lost",
            "Follow-ups of an answer left to the courier",
            self.followups_lost.clone(),
        );
        api.register(
            "keys_refused",
            "Keys of the API that did not open: malformed, unknown, revoked, expired",
            self.keys_refused.clone(),
        );
        api.register(
            "panics",
            "Requests that ended in a panic",
            self.panics.clone(),
        );
    }

    /// The text of all counters, in the OpenMetrics format.
    pub fn render(&self) -> String {
        let mut registry = Registry::default();
        self.register(&mut registry);
        for register in self
            .others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            register(&mut registry);
        }
        let mut text = String::new();
        text::encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
