//! The model against what was measured: the closed loop of `bench/README.md`.
//!
//! Not independent of it: the CPU of an entry and of a command in `costs.toml` is a line through the server's
//! CPU at 16, 64 and 256 clients, shared out over leader, followers and doors by hand. Predicted from it are the
//! sizes of entries, throughput, latencies and idle cores; all rows with the same costs.

use serde::Deserialize;

use super::calendar::{Nanos, SECOND};
use super::closed::{Closed, Doors};
use super::cluster::Cluster;
use super::costs::Costs;
use super::engine::Engine;
use super::request::Class;

/// What was measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Where.
    pub machine: Machine,
    /// Rows of the table.
    pub run: Vec<Run>,
}

/// Where it was measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Cores.
    pub cores: usize,
    /// Nodes on it.
    pub nodes: usize,
}

/// A row. Where there were two runs, each figure has two values.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// `all` or `leader`.
    pub doors: DoorsMeasured,
    /// Clients in the closed loop.
    pub clients: u32,
    /// Answers a second.
    pub requests_per_s: Vec<f64>,
    /// Median answer time.
    pub p50_ms: Vec<f64>,
    /// 99th percentile.
    pub p99_ms: Vec<f64>,
    /// CPU of all nodes a request.
    pub server_us: Vec<f64>,
}

/// Which doors.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorsMeasured {
    /// All, in turn.
    All,
    /// The leader's.
    Leader,
}

/// What the model says of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// Answers a second.
    pub requests_per_s: f64,
    /// Median.
    pub p50: Nanos,
    /// 99th percentile.
    pub p99: Nanos,
    /// CPU of all nodes a request, in µs.
    pub server_us: f64,
    /// Commands in an entry.
    pub commands_per_entry: f64,
}

impl Measured {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// What this repository keeps.
    #[must_use]
    pub fn kept() -> Self {
        Self::parse(include_str!("../../measured.toml")).expect("a test reads it too")
    }
}

/// The least and the greatest of several runs.
#[must_use]
pub fn range(of: &[f64]) -> (f64, f64) {
    let least = of.iter().copied().fold(f64::INFINITY, f64::min);
    (least, of.iter().copied().fold(0.0, f64::max))
}

/// Plays a row for one second, and `seconds` that count.
#[must_use]
pub fn predict(costs: &Costs, machine: &Machine, run: &Run, seconds: u64) -> Predicted {
    let cluster = Cluster::on_one_machine(machine.nodes, machine.cores, 1);
    let mut engine = Engine::new(costs, &cluster, SECOND, 1);
    let doors = match run.doors {
        DoorsMeasured::All => Doors::All,
        DoorsMeasured::Leader => Doors::Leader,
    };
    engine.run(&mut Closed::new(run.clients, doors), (1 + seconds) * SECOND);
    let seen = engine.stats.sum(1..1 + seconds as usize);
    let answered = seen.answered(Class::Reserve);
    let cpu: Nanos = seen.cpu[..machine.nodes].iter().sum();
    Predicted {
        requests_per_s: answered as f64 / seconds as f64,
        p50: seen.percentile(Class::Reserve, 50.0),
        p99: seen.percentile(Class::Reserve, 99.0),
        server_us: cpu as f64 / 1e3 / answered.max(1) as f64,
        commands_per_entry: seen.commands_per_entry(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_predicted_within_a_factor_of_one_and_a_half() {
        let measured = Measured::kept();
        for run in &measured.run {
            let said = predict(&Costs::kept(), &measured.machine, run, 1);
            let (low, high) = range(&run.requests_per_s);
            let seen = (low * high).sqrt();
            let ratio = said.requests_per_s / seen;
            assert!((1.0 / 1.5..1.5).contains(&ratio), "{run:?}: {said:?}");
        }
    }
}
