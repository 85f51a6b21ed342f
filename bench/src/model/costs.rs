//! What things cost, from `bench/costs.toml`. A key that is missing, unknown or out of its range is refused
//! by name.

use serde::Deserialize;

use super::chance::Spread;
use super::units::{Bytes, Ms, Us};

/// Every cost. CPU is of one core of the machine in `bench/README.md`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Requests, without log and forwarding.
    pub door: Door,
    /// Commands from a door that does not lead.
    pub forward: Forward,
    /// A log entry, whatever it carries.
    pub entry: Entry,
    /// A command in an entry.
    pub command: PerCommand,
    /// A person in a command that joins many.
    pub person: PerCommand,
    /// A write and sync of the log.
    pub sync: Sync,
    /// Between nodes.
    pub link: Link,
    /// A leader's sign of life.
    pub heartbeat: Heartbeat,
    /// The payment provider.
    pub provider: Provider,
    /// When nodes die.
    pub failover: Failover,
    /// The load generator of the closed loop.
    pub generator: Generator,
}

/// CPU of a request at its door, answer included.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// `GET /queue/status`.
    pub poll_us: Us,
    /// `POST /queue/join`.
    pub join_us: Us,
    /// `POST /seats/reserve`, and `DELETE` of an order.
    pub reserve_us: Us,
    /// `POST /orders/{id}/pay`.
    pub pay_us: Us,
    /// `GET` of a ticket.
    pub ticket_us: Us,
    /// `GET /events/{id}/seats`, rendered already.
    pub map_us: Us,
    /// On top, when it is not.
    pub map_render_us_per_1000_seats: Us,
}

/// CPU of a forwarded command, out and back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// At the door.
    pub door_us: Us,
    /// At the leader.
    pub leader_us: Us,
}

/// What an entry costs, whatever it carries.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// CPU of the leader.
    pub leader_us: Us,
    /// CPU of the leader for each other node.
    pub leader_per_replica_us: Us,
    /// CPU of each other node.
    pub replica_us: Us,
    /// Bytes to each other node.
    pub bytes: Bytes,
}

/// What one more command (or person) in an entry costs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerCommand {
    /// CPU of the leader before the entry leaves.
    pub leader_us: Us,
    /// CPU of the leader once it is committed.
    pub apply_us: Us,
    /// CPU of each other node before it has it.
    pub replica_us: Us,
    /// CPU of each other node after that.
    pub replica_apply_us: Us,
    /// Bytes to each other node.
    pub bytes: Bytes,
}

/// A write and sync of a node's log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// CPU.
    pub cpu_us: Us,
    /// Elapsed time: the least, ...
    pub p0_us: Us,
    /// ... the median, ...
    pub p50_us: Us,
    /// ... the 90th ...
    pub p90_us: Us,
    /// ... and the 99th percentile, ...
    pub p99_us: Us,
    /// ... and the longest.
    pub p100_us: Us,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// From one machine to another.
    pub one_way_us: Us,
    /// From one process of a machine to another.
    pub loopback_us: Us,
    /// What a node can send a second, in Gbit.
    pub gbit_per_s: u32,
}

/// One beat of one group to one other node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// CPU of the leader.
    pub leader_us: Us,
    /// CPU of the other node.
    pub replica_us: Us,
}

/// How long the payment provider takes to answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// To reserve the money: the least, ...
    pub authorize_p0_ms: Ms,
    /// ... the median, ...
    pub authorize_p50_ms: Ms,
    /// ... the 90th ...
    pub authorize_p90_ms: Ms,
    /// ... and the 99th percentile, ...
    pub authorize_p99_ms: Ms,
    /// ... and the longest.
    pub authorize_p100_ms: Ms,
    /// To take it; the same five.
    pub capture_p0_ms: Ms,
    /// Median.
    pub capture_p50_ms: Ms,
    /// 90th percentile.
    pub capture_p90_ms: Ms,
    /// 99th percentile.
    pub capture_p99_ms: Ms,
    /// Longest.
    pub capture_p100_ms: Ms,
}

/// What a node's death brings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// Until the shards it led have another leader, when its machine refuses dials.
    pub pause_ms: Ms,
    /// The same when the machine is silent.
    pub silent_pause_ms: Ms,
    /// Until a client whose door died asks another.
    pub reconnect_ms: Ms,
}

/// The closed loop's other side.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// CPU of a request.
    pub request_us: Us,
}

/// Why costs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key is missing, unknown, of the wrong type or out of its range.
    #[error("{0}")]
    Key(#[from] toml::de::Error),
    /// Percentiles fall.
    #[error("the percentiles of {0} must rise")]
    Falls(&'static str),
    /// A line that carries nothing, or too much.
    #[error("link.gbit_per_s: {0} is not between 1 and 1000")]
    Gbit(u32),
}

impl Costs {
    /// Reads them.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let costs: Self = toml::from_str(text)?;
        costs.sync.spread().ok_or(Error::Falls("sync"))?;
        let provider = &costs.provider;
        provider
            .authorize()
            .ok_or(Error::Falls("provider.authorize"))?;
        provider.capture().ok_or(Error::Falls("provider.capture"))?;
        match costs.link.gbit_per_s {
            1..=1_000 => Ok(costs),
            gbit => Err(Error::Gbit(gbit)),
        }
    }

    /// Those that this repository keeps.
    #[must_use]
    pub fn kept() -> Self {
        Self::parse(include_str!("../../costs.toml")).expect("a test reads them too")
    }

    /// CPU that one command alone in `1 / commands` entries costs a cluster of `nodes`, without its door:
    /// what no schedule can do without.
    #[must_use]
    pub fn log_ns_per_command(&self, nodes: u64, commands: u64) -> f64 {
        let others = nodes - 1;
        let entry = self.entry.leader_us.ns()
            + self.sync.cpu_us.times(nodes)
            + (self.entry.leader_per_replica_us.ns() + self.entry.replica_us.ns()) * others;
        let command = self.command.leader_us.ns()
            + self.command.apply_us.ns()
            + (self.command.replica_us.ns() + self.command.replica_apply_us.ns()) * others;
        entry as f64 / commands as f64 + command as f64
    }
}

impl Sync {
    /// How long syncs take; `None` when percentiles fall.
    #[must_use]
    pub fn spread(&self) -> Option<Spread> {
        let of = [
            self.p0_us,
            self.p50_us,
            self.p90_us,
            self.p99_us,
            self.p100_us,
        ];
        Spread::new(of.map(Us::ns))
    }
}

impl Provider {
    /// How long it takes to reserve money; `None` when percentiles fall.
    #[must_use]
    pub fn authorize(&self) -> Option<Spread> {
        let of = [
            self.authorize_p0_ms,
            self.authorize_p50_ms,
            self.authorize_p90_ms,
            self.authorize_p99_ms,
            self.authorize_p100_ms,
        ];
        Spread::new(of.map(Ms::ns))
    }

    /// How long it takes to take it.
    #[must_use]
    pub fn capture(&self) -> Option<Spread> {
        let of = [
            self.capture_p0_ms,
            self.capture_p50_ms,
            self.capture_p90_ms,
            self.capture_p99_ms,
            self.capture_p100_ms,
        ];
        Spread::new(of.map(Ms::ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = include_str!("../../costs.toml");

    fn refusal(from: &str, to: &str) -> String {
        assert!(KEPT.contains(from), "{from}");
        let error = Costs::parse(&KEPT.replacen(from, to, 1));
        error.expect_err("it must be refused").to_string()
    }

    #[test]
    fn what_is_kept_can_be_read() {
        let costs = Costs::parse(KEPT).expect("they are sound");
        assert_eq!(costs, Costs::kept());
    }

    #[test]
    fn keys_that_are_missing_unknown_or_absurd_are_refused_by_name() {
        let said = refusal("join_us =", "joyn_us =");
        assert!(said.contains("joyn_us"), "{said}");
        let said = refusal("[generator]\nrequest_us", "[generator]\n# request_us");
        assert!(said.contains("request_us"), "{said}");
        let said = refusal("poll_us = ", "poll_us = -");
        assert!(
            said.contains("poll_us") && said.contains("between"),
            "{said}"
        );
        let said = refusal("poll_us = ", "poll_us = 99999999999");
        assert!(said.contains("between"), "{said}");
        let said = refusal("p0_us = 150", "p0_us = 99999");
        assert!(said.contains("percentiles of sync"), "{said}");
        let said = refusal("gbit_per_s = ", "gbit_per_s = 0 #");
        assert!(said.contains("gbit_per_s"), "{said}");
    }
}
