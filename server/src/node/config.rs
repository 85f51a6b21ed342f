//! A node's configuration file. Every field says what it does, its default and how to choose it;
//! unknown keys and bad values are refused at start, by name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What `usher start --config FILE` reads (TOML).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which cluster this is; drawn once, the same on every node.
    pub cluster_id: Uuid,
    /// This node's id: at least 1, never given to another node again.
    pub node_id: u64,
    /// Where the log, snapshots and the read model live. One node a directory.
    pub data_dir: PathBuf,
    /// Address for buyers and organizers.
    pub http: SocketAddr,
    /// Address for the other nodes.
    pub peer: SocketAddr,
    /// Address for operators: status, metrics, audit. Keep it on loopback or a management network.
    pub admin: SocketAddr,
    /// Names under which browsers and programs may ask for `admin`, beside addresses, `localhost` and the
    /// host in this node's own peer address. Default none. A request for any other name is refused: a
    /// web site whose name was made to lead here would ask under its own.
    #[serde(default)]
    pub admin_names: Vec<String>,
    /// Ledger shards of the cluster, fixed when it is initialized. Default 8: about two a core of
    /// a three-node cluster; one is fastest on a machine with few cores.
    #[serde(default = "default_shards")]
    pub shards: u16,
    /// All members, this node included. A node that joins names itself and some that answer.
    pub peers: Vec<Peer>,
    /// What this node fails together with: a rack, a room, a provider's zone. Voters of a group are
    /// spread over as many zones as there are. Default: none, and then every node counts as its own.
    #[serde(default)]
    pub zone: String,
    /// Whether this node joins a cluster that exists (`usher start --join`) instead of being one of
    /// its first members. Default false. Harmless once it has joined.
    #[serde(default)]
    pub join: bool,
    /// 32 bytes in hex from which the cluster's signing keys are derived; the same on every node.
    /// May be left out with `dev = true`, where it is derived from the cluster's id and worth
    /// nothing.
    #[serde(default)]
    pub secret: Option<String>,
    /// In a cluster that was restored from a backup: the id of the cluster in which its state began
    /// (`usher backup show` tells it). Tickets, queue tokens and the keys of payments go on under it,
    /// so `secret` has to be the old one as well. Left out everywhere else. A node whose file says
    /// otherwise than the cluster's state stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Uuid>,
    /// Runs the development issuer of tokens (`POST /dev/token`). Never in production.
    #[serde(default)]
    pub dev: bool,
    /// The payment provider.
    pub payments: Payments,
    /// Consensus timing.
    #[serde(default)]
    pub raft: RaftTiming,
    /// When a node says that it is not well, and lets others lead.
    #[serde(default)]
    pub health: HealthLimits,
    /// Who is told what requests did that their callers want followed.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Certificates (`usher cert`): with them the listeners for nodes and operators speak TLS 1.3
    /// only, and only with those whom the cluster's authority vouches for. Without them both belong
    /// on loopback or a private network.
    #[serde(default)]
    pub tls: Option<TlsPaths>,
}

/// Files of certificates, PEM. They are looked at again while the node runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsPaths {
    /// The authorities that are trusted: one, or the old and the new one while they are exchanged.
    pub ca: PathBuf,
    /// This node's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// One member.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its node id.
    pub id: u64,
    /// `host:port` of its `peer` address.
    pub addr: String,
}

/// The payment provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// `sandbox` is the only gateway of this release.
    pub gateway: Gateway,
    /// Base URL of the provider, `http://host:port`.
    pub url: String,
    /// Secret that signs the provider's webhooks.
    pub webhook_secret: String,
    /// Calls of one shard to the provider at once, 1 to 4096. Default 256: what a provider that takes half
    /// a second needs for 500 a second. Keep it below what the provider allows.
    #[serde(default = "calls_max")]
    pub calls_max: u16,
}

fn calls_max() -> u16 {
    256
}

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gateway {
    /// Usher's own sandbox provider.
    Sandbox,
}

/// Consensus timing; the defaults suit a local network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaftTiming {
    /// A leader's sign of life, ms. Default 150.
    pub heartbeat_ms: u64,
    /// Shortest silence before an election, ms. Default 500: well above a slow fsync.
    pub election_min_ms: u64,
    /// Longest silence before an election, ms. Default 1000. A failed leader is replaced within
    /// about twice this.
    pub election_max_ms: u64,
    /// A snapshot every so many log entries. Default 20000.
    pub snapshot_every_entries: u64,
}

impl Default for RaftTiming {
    fn default() -> Self {
        Self {
            heartbeat_ms: 150,
            election_min_ms: 500,
            election_max_ms: 1_000,
            snapshot_every_entries: 20_000,
        }
    }
}

/// Who is told what requests did that their callers want followed (`traceparent`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// `host:port` of an OpenTelemetry collector that takes OTLP over plain HTTP (usually port 4318), on
    /// this machine or in a private network. Default: empty, and spans are only in the log.
    pub otlp: String,
}

/// When a node says that it is not well, and lets others lead.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthLimits {
    /// MiB of the disk that are kept free, but at most 2 % of it. Default 512. With less, new orders
    /// are refused and leaderships handed over; what was begun is finished, down to a quarter of it.
    pub keep_free_mib: u64,
    /// A clock that differs from another node's by more is complained of, ms. Default 500.
    pub clock_warn_ms: u64,
    /// A node whose clock differs from most others' by more does not lead while somebody else can, ms;
    /// 0 means that it does. Default 5000: holds last minutes, and may end so much too early.
    pub clock_lead_max_ms: u64,
    /// A group that has work and makes no progress for so long is called stuck, s; after four times
    /// as long a process that nothing else can help ends (exit code 4). 0 never looks. Default 30.
    pub stuck_after_s: u64,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            keep_free_mib: 512,
            clock_warn_ms: 500,
            clock_lead_max_ms: 5_000,
            stuck_after_s: 30,
        }
    }
}

/// What is wrong with a file, and in which line. Not the line itself: it may hold a secret.
pub fn told(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(0, |before| before.matches('\n').count() + 1);
    match line {
        0 => error.message().to_owned(),
        line => format!("line {line}: {}", error.message()),
    }
}

fn default_shards() -> u16 {
    8
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what a configuration looks like.
    #[error("{path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A value cannot work.
    #[error("{field}: {reason}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        let config: Self = toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.into(),
            reason: told(&text, &error),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks every field and how they fit together.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |field, reason: &str| {
            Err(ConfigError::Field {
                field,
                reason: reason.to_owned(),
            })
        };
        if self.cluster_id.is_nil() {
            return wrong("cluster_id", "must not be all zeros");
        }
        if self.lineage.is_some_and(|lineage| lineage.is_nil()) {
            return wrong("lineage", "must not be all zeros");
        }
        if self.node_id == 0 {
            return wrong("node_id", "must not be 0");
        }
        if cluster::route::Router::new(self.shards).is_none() {
            return wrong("shards", "must be between 1 and 4095");
        }
        if self.peer_map().len() != self.peers.len() {
            return wrong("peers", "names a node twice");
        }
        if !self.peer_map().contains_key(&self.node_id) {
            return wrong("peers", "does not name this node");
        }
        if self.zone.len() > cluster::members::ZONE_BYTES_MAX {
            return wrong("zone", "must have at most 64 bytes");
        }
        if self.join && self.peers.len() < 2 {
            return wrong(
                "peers",
                "must name a node of the cluster to join, beside this one",
            );
        }
        let is_name = |name: &String| !name.is_empty() && !name.contains(['/', ':', '@', ' ']);
        if !self.admin_names.iter().all(is_name) {
            return wrong(
                "admin_names",
                "must be names of hosts, without scheme and port",
            );
        }
        let collector = &self.telemetry.otlp;
        let port = collector.rsplit_once(':').map(|(_, port)| port);
        let named = port.is_some_and(|port| port.parse::<u16>().is_ok());
        if !collector.is_empty() && (!named || collector.contains('/')) {
            return wrong("telemetry.otlp", "must be host:port, as in 127.0.0.1:4318");
        }
        if self.health.clock_warn_ms == 0 {
            return wrong("health.clock_warn_ms", "must not be 0");
        }
        if self.health.keep_free_mib > 1 << 20 {
            return wrong("health.keep_free_mib", "must be at most 1048576 (1 TiB)");
        }
        if self.health.stuck_after_s > 86_400 {
            return wrong("health.stuck_after_s", "must be at most 86400 (a day)");
        }
        if self.payments.webhook_secret.len() < 8 {
            return wrong("payments.webhook_secret", "must have at least 8 characters");
        }
        if !(1..=4_096).contains(&self.payments.calls_max) {
            return wrong("payments.calls_max", "must be from 1 to 4096");
        }
        if !self.payments.url.starts_with("http://") {
            return wrong("payments.url", "must start with http://");
        }
        if self.secret.is_none() && !self.dev {
            return wrong(
                "secret",
                "is needed outside dev: 64 hex digits, the same on every node",
            );
        }
        self.root_secret().map(|_| ())
    }

    /// Node id to `host:port`.
    pub fn peer_map(&self) -> BTreeMap<u64, String> {
        self.peers
            .iter()
            .map(|peer| (peer.id, peer.addr.clone()))
            .collect()
    }

    /// Names of the operators' listener: those that were given, and that under which peers know this node.
    pub fn names_of_admin(&self) -> impl Iterator<Item = String> {
        let own = self.peer_map().remove(&self.node_id);
        let own = own.and_then(|peer| Some(peer.rsplit_once(':')?.0.to_owned()));
        self.admin_names.iter().cloned().chain(own)
    }

    /// The cluster under whose name keys are derived: this one, or that in which a restored state
    /// began.
    pub fn lineage(&self) -> Uuid {
        self.lineage.unwrap_or(self.cluster_id)
    }

    /// The 32 bytes that every signing key is derived from.
    pub fn root_secret(&self) -> Result<[u8; 32], ConfigError> {
        let Some(hex) = &self.secret else {
            return Ok(super::keys::dev_secret(self.lineage().as_u128()));
        };
        super::keys::parse_hex(hex).ok_or(ConfigError::Field {
            field: "secret",
            reason: "must be 64 hex digits".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        cluster_id = "0190b1a0-0000-7000-8000-000000000001"
        node_id = 1
        data_dir = "data"
        http = "127.0.0.1:8080"
        peer = "127.0.0.1:8090"
        admin = "127.0.0.1:8091"
        secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        peers = [{ id = 1, addr = "127.0.0.1:8090" }]
        [payments]
        gateway = "sandbox"
        url = "http://127.0.0.1:9000"
        webhook_secret = "whsec_0123"
    "#;

    fn with(from: &str, to: &str) -> Result<(), String> {
        assert!(GOOD.contains(from), "{from}");
        let config: Config = toml::from_str(&GOOD.replace(from, to)).map_err(|e| e.to_string())?;
        config.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn a_good_file_is_accepted_and_defaults_are_filled_in() {
        with("node_id = 1", "node_id = 1").expect("good");
        let config: Config = toml::from_str(GOOD).expect("good");
        assert_eq!(
            (config.shards, config.raft.heartbeat_ms, config.dev),
            (8, 150, false)
        );
    }

    #[test]
    fn every_bad_value_is_refused_by_name() {
        let cases = [
            ("node_id = 1", "node_id = 0", "node_id"),
            ("node_id = 1", "node_id = 2", "peers"),
            ("node_id = 1", "node_id = -1", "node_id"),
            ("node_id = 1", "node_id = 1\nshards = 0", "shards"),
            ("node_id = 1", "node_id = 1\nshards = 5000", "shards"),
            ("node_id = 1", "node_id = 1\nturbo = true", "turbo"),
            (
                "node_id = 1",
                "node_id = 1\nadmin_names = [\"http://ops\"]",
                "admin_names",
            ),
            ("127.0.0.1:8080", "nowhere", "http"),
            ("[{ id", "[{ id = 1, addr = \"a:1\" }, { id", "peers"),
            ("node_id = 1", "node_id = 1\njoin = true", "peers"),
            ("whsec_0123", "short", "webhook_secret"),
            (
                "[payments]",
                "[payments]\ncalls_max = 0",
                "payments.calls_max",
            ),
            (
                "[payments]",
                "[telemetry]\notlp = \"http://x:4318/v1\"\n[payments]",
                "telemetry.otlp",
            ),
            (
                "[payments]",
                "[health]\nclock_warn_ms = 0\n[payments]",
                "health.clock_warn_ms",
            ),
            (
                "[payments]",
                "[health]\nkeep_free_mib = 9999999\n[payments]",
                "health.keep_free_mib",
            ),
            ("http://127", "ftp://127", "payments.url"),
            ("\"sandbox\"", "\"bank\"", "gateway"),
            ("000102", "xx0102", "secret"),
        ];
        for (from, to, field) in cases {
            let error = with(from, to).expect_err(field);
            assert!(error.contains(field), "{field}: {error}");
        }
    }

    #[test]
    fn production_needs_a_secret_of_its_own() {
        let line = GOOD
            .lines()
            .find(|line| line.contains("secret ="))
            .expect("in GOOD");
        assert!(with(line, "").expect_err("no secret").contains("secret"));
        with(line, "dev = true").expect("dev derives one");
    }
}
