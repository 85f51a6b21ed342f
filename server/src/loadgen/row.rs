//! One line of results, under the names that other measurements of the same workload use.

use serde::{Deserialize, Serialize};

/// The figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// What was measured.
    pub target: String,
    /// The workload.
    pub mode: String,
    /// Clients at once.
    pub clients: usize,
    /// How long.
    pub seconds: f64,
    /// Every request answered.
    pub requests_per_s: f64,
    /// Holds that got their four seats.
    pub granted_per_s: f64,
    /// Latency of holds, granted or not.
    pub p50_us: u64,
    /// The slowest hundredth begins here.
    pub p99_us: u64,
    /// The slowest thousandth begins here.
    pub p999_us: u64,
    /// Latency of payments, in `flow`.
    pub confirm_p50_us: u64,
    /// Latency of releases (of refunds, in `flow`).
    pub release_p50_us: u64,
    /// CPU time of all server processes per request.
    pub server_cpu_us: f64,
    /// CPU time of the load generator per request.
    pub client_cpu_us: f64,
    /// Cores kept busy by everything else.
    pub other_cpu: f64,
    /// Before the run: milliseconds for a fixed loop.
    pub yardstick_ms: f64,
    /// Answers 503, which count nowhere else.
    pub busy: u64,
    /// Orders begun a second by plan, in open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Seats at the end, checked one by one.
    pub held: usize,
    /// Free ones.
    pub free: usize,
}

/// The head of a table of rows.
pub const TABLE_HEAD: &str = "| target | mode | clients | requests/s | granted/s | p50 ms \
     | p99 ms | p99.9 ms | server µs | client µs | other cores | yardstick ms |\n\
     |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

impl Row {
    /// The row of a Markdown table.
    pub fn table_line(&self) -> String {
        let ms = |us: u64| us as f64 / 1e3;
        format!(
            "| {} | {} | {} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.2} | {:.0} |",
            self.target,
            self.mode,
            self.clients,
            self.requests_per_s,
            self.granted_per_s,
            ms(self.p50_us),
            ms(self.p99_us),
            ms(self.p999_us),
            self.server_cpu_us,
            self.client_cpu_us,
            self.other_cpu,
            self.yardstick_ms
        )
    }
}
