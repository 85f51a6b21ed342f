//! Every key there is, with what it is for. The same words are in `node::config`, for those who read
//! code; a test proves that neither has a key more than the other.

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its place in the file: `http`, `raft.heartbeat_ms`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether nobody may see it.
    pub secret: bool,
    /// Its default, as a file would say it; an example where there is none and it is needed.
    pub value: &'static str,
    /// Whether a node needs it.
    pub need: Need,
    /// What it does, and how to choose it.
    pub what: &'static str,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text: an address, a path, a name.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// A list of tables.
    List,
    /// A list of names.
    Names,
}

impl Kind {
    /// For messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a whole number",
            Self::Switch => "true or false",
            Self::List => "a list, as in [{ id = 1, addr = \"10.0.0.1:8090\" }]",
            Self::Names => "a list of names, as in [\"ops.example\"]",
        }
    }
}

/// Whether a node needs a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// There is no default.
    Needed,
    /// It may be left out.
    Optional,
}

use Kind::{List, Names, Number, Switch, Text};
use Need::{Needed, Optional};

const fn row(
    path: &'static str,
    kind: Kind,
    need: Need,
    value: &'static str,
    what: &'static str,
) -> Key {
    Key {
        path,
        kind,
        secret: false,
        value,
        need,
        what,
    }
}

const fn secret(key: Key) -> Key {
    Key {
        secret: true,
        ..key
    }
}

/// All of them, as a file has them.
pub const KNOWN: &[Key] = &[
    row(
        "cluster_id",
        Text,
        Needed,
        "\"0190b1a0-0000-7000-8000-000000000001\"",
        "Which cluster this is (a UUID): drawn once, the same on every node.",
    ),
    row(
        "node_id",
        Number,
        Needed,
        "1",
        "This node's id: at least 1, never given to another node again.",
    ),
    row(
        "data_dir",
        Text,
        Needed,
        "\"/var/lib/usher\"",
        "Where the log, snapshots and the read model live. One node a directory.",
    ),
    row(
        "http",
        Text,
        Needed,
        "\"127.0.0.1:8080\"",
        "Address for buyers and organizers.",
    ),
    row(
        "peer",
        Text,
        Needed,
        "\"127.0.0.1:8090\"",
        "Address for the other nodes.",
    ),
    row(
        "admin",
        Text,
        Needed,
        "\"127.0.0.1:8091\"",
        "Address for operators. Keep it on loopback or a management network, or set [tls].",
    ),
    row(
        "admin_names",
        Names,
        Optional,
        "[]",
        "Names under which browsers and programs may ask for `admin`, beside addresses, localhost and the \
         host in this node's own peer address: [\"ops.example\"].",
    ),
    row(
        "peers",
        List,
        Needed,
        "[{ id = 1, addr = \"127.0.0.1:8090\" }]",
        "All members, this node included. A node that joins names itself and some that answer.",
    ),
    row(
        "shards",
        Number,
        Optional,
        "8",
        "Ledger shards of the cluster, fixed when it is initialized. One is fastest on few cores.",
    ),
    row(
        "zone",
        Text,
        Optional,
        "\"\"",
        "What this node fails together with: a rack, a room, a provider's zone.",
    ),
    row(
        "join",
        Switch,
        Optional,
        "false",
        "Joins a cluster that exists, instead of being one of its first members.",
    ),
    secret(row(
        "secret",
        Text,
        Optional,
        "\"64 hex digits\"",
        "32 bytes in hex, the same on every node: all signing keys derive from it. Needed outside dev.",
    )),
    row(
        "lineage",
        Text,
        Optional,
        "\"0190b1a0-0000-7000-8000-000000000009\"",
        "Only in a restored cluster: the id of the one in which its state began.",
    ),
    row(
        "dev",
        Switch,
        Optional,
        "false",
        "Runs the development issuer of tokens (POST /dev/token). Never in production.",
    ),
    row(
        "payments.gateway",
        Text,
        Needed,
        "\"sandbox\"",
        "The payment provider.",
    ),
    row(
        "payments.url",
        Text,
        Needed,
        "\"http://127.0.0.1:9000\"",
        "Base URL of the provider.",
    ),
    secret(row(
        "payments.webhook_secret",
        Text,
        Needed,
        "\"whsec_change_me\"",
        "Signs the provider's webhooks: at least 8 characters.",
    )),
    row(
        "payments.calls_max",
        Number,
        Optional,
        "256",
        "Calls of one shard to the provider at once. Keep it below what the provider allows.",
    ),
    row(
        "raft.heartbeat_ms",
        Number,
        Optional,
        "150",
        "A leader's sign of life.",
    ),
    row(
        "raft.election_min_ms",
        Number,
        Optional,
        "500",
        "Shortest silence before an election: well above a slow fsync.",
    ),
    row(
        "raft.election_max_ms",
        Number,
        Optional,
        "1000",
        "Longest silence before an election. A failed leader is replaced within about twice this.",
    ),
    row(
        "raft.snapshot_every_entries",
        Number,
        Optional,
        "20000",
        "A snapshot every so many log entries.",
    ),
    row(
        "health.keep_free_mib",
        Number,
        Optional,
        "512",
        "MiB of the disk that are kept free, at most 2 % of it: with less, new demand is refused.",
    ),
    row(
        "health.clock_warn_ms",
        Number,
        Optional,
        "500",
        "A clock that differs from another node's by more is complained of.",
    ),
    row(
        "health.clock_lead_max_ms",
        Number,
        Optional,
        "5000",
        "A node whose clock differs from most others' by more does not lead; 0: it does.",
    ),
    row(
        "health.stuck_after_s",
        Number,
        Optional,
        "30",
        "A group that makes no progress for so long is called stuck; 0 never looks.",
    ),
    row(
        "telemetry.otlp",
        Text,
        Optional,
        "\"\"",
        "host:port of an OpenTelemetry collector (OTLP/HTTP, often port 4318) for spans of requests with a traceparent.",
    ),
    row(
        "tls.ca",
        Text,
        Optional,
        "\"certs/ca.pem\"",
        "The authorities that are trusted (PEM). All three of [tls] or none; docs/certificates.md.",
    ),
    row(
        "tls.cert",
        Text,
        Optional,
        "\"certs/node-1.pem\"",
        "This node's certificate (PEM).",
    ),
    row(
        "tls.key",
        Text,
        Optional,
        "\"certs/node-1.key\"",
        "Its key (PEM).",
    ),
];

/// The key at a path.
pub fn key(path: &str) -> Option<&'static Key> {
    KNOWN.iter().find(|key| key.path == path)
}

/// Whether keys stand in a table of this name.
pub(super) fn is_table(name: &str) -> bool {
    let within = |key: &Key| {
        key.path
            .split_once('.')
            .is_some_and(|(table, _)| table == name)
    };
    KNOWN.iter().any(within)
}

/// The variable that sets a key.
pub fn variable(key: &Key) -> String {
    format!("USHER_{}", key.path.replace('.', "__").to_uppercase())
}
