//! What a run showed, window by window.

use hdrhistogram::Histogram;

use super::calendar::{MICROSECOND, Nanos};
use super::request::{CLASSES, Class};

/// A span of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Answer times in µs, by class.
    latency: Vec<Histogram<u64>>,
    /// CPU of each node, in ns.
    pub cpu: Vec<Nanos>,
    /// Time that each node's log writer spent syncing, in ns.
    pub disk: Vec<Nanos>,
    /// Bytes each node sent to others.
    pub sent: Vec<u64>,
    /// Log entries.
    pub entries: u64,
    /// Commands in them.
    pub commands: u64,
    /// Commands in the largest of them.
    pub entry_max: u64,
    /// Seats sold.
    pub sold: u64,
    /// Reservations refused because a seat was taken.
    pub taken: u64,
    /// People admitted.
    pub admitted: u64,
    /// Most commands that waited in one shard's queue.
    pub queue_max: usize,
    /// Most payments that waited for a call to the provider, in one shard.
    pub calls_waiting_max: usize,
    /// Time for which each shard's places for calls to the provider were taken, in ns.
    pub calls: Vec<Nanos>,
    /// CPU that each shard's leader spent on entries, in ns: one piece after the other, as only one entry is
    /// in flight.
    pub serial: Vec<Nanos>,
}

impl Window {
    fn new(nodes: usize, shards: usize) -> Self {
        let histogram = Histogram::new(2).expect("two digits can be kept");
        Self {
            latency: vec![histogram; CLASSES],
            cpu: vec![0; nodes],
            disk: vec![0; nodes],
            sent: vec![0; nodes],
            entries: 0,
            commands: 0,
            entry_max: 0,
            sold: 0,
            taken: 0,
            admitted: 0,
            queue_max: 0,
            calls_waiting_max: 0,
            calls: vec![0; shards],
            serial: vec![0; shards],
        }
    }

    /// How many requests of a class were answered.
    #[must_use]
    pub fn answered(&self, class: Class) -> u64 {
        self.latency[class as usize].len()
    }

    /// A percentile of their answer times, in ns; 0 when there were none.
    #[must_use]
    pub fn percentile(&self, class: Class, percent: f64) -> Nanos {
        self.latency[class as usize].value_at_percentile(percent) * MICROSECOND
    }

    /// The sum of their answer times, in ns, to the histogram's two digits.
    #[must_use]
    pub fn time(&self, class: Class) -> f64 {
        let histogram = &self.latency[class as usize];
        histogram.mean() * histogram.len() as f64 * MICROSECOND as f64
    }

    /// Commands in an entry, on average.
    #[must_use]
    pub fn commands_per_entry(&self) -> f64 {
        self.commands as f64 / self.entries.max(1) as f64
    }

    fn add(&mut self, other: &Self) {
        for (mine, others) in self.latency.iter_mut().zip(&other.latency) {
            mine.add(others).expect("histograms grow by themselves");
        }
        for (mine, others) in [
            (&mut self.cpu, &other.cpu),
            (&mut self.disk, &other.disk),
            (&mut self.sent, &other.sent),
            (&mut self.calls, &other.calls),
            (&mut self.serial, &other.serial),
        ] {
            mine.iter_mut().zip(others).for_each(|(a, b)| *a += b);
        }
        self.entries += other.entries;
        self.commands += other.commands;
        self.sold += other.sold;
        self.taken += other.taken;
        self.admitted += other.admitted;
        self.entry_max = self.entry_max.max(other.entry_max);
        self.queue_max = self.queue_max.max(other.queue_max);
        self.calls_waiting_max = self.calls_waiting_max.max(other.calls_waiting_max);
    }
}

/// All windows of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    length: Nanos,
    nodes: usize,
    shards: usize,
    windows: Vec<Window>,
}

impl Stats {
    /// Nothing yet; windows of this length.
    #[must_use]
    pub fn new(length: Nanos, nodes: usize, shards: usize) -> Self {
        Self {
            length,
            nodes,
            shards,
            windows: Vec::new(),
        }
    }

    /// How long a window is.
    #[must_use]
    pub fn length(&self) -> Nanos {
        self.length
    }

    /// The windows so far; the last may not be over.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The window of a moment.
    pub fn at(&mut self, now: Nanos) -> &mut Window {
        let index = (now / self.length) as usize;
        while self.windows.len() <= index {
            self.windows.push(Window::new(self.nodes, self.shards));
        }
        &mut self.windows[index]
    }

    /// Notes answers.
    pub fn answered(&mut self, now: Nanos, class: Class, took: Nanos, count: u64) {
        let histogram = &mut self.at(now).latency[class as usize];
        histogram
            .record_n((took / MICROSECOND).max(1), count)
            .expect("histograms grow by themselves");
    }

    /// Several windows as one.
    #[must_use]
    pub fn sum(&self, windows: std::ops::Range<usize>) -> Window {
        let mut sum = Window::new(self.nodes, self.shards);
        let end = windows.end.min(self.windows.len());
        for window in &self.windows[windows.start.min(end)..end] {
            sum.add(window);
        }
        sum
    }
}
