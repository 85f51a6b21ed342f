//! What a node must be told. Every field says what it does, its default and how to choose it;
//! a bad value is refused at start, by the field's name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use openraft::{Config, SnapshotPolicy, StepDownPolicy};

use crate::platform::tls::Tls;
use crate::transport::faults::LinkFaults;
use crate::witness::Witness;

/// Settings of one node.
#[derive(Clone)]
pub struct NodeConfig {
    /// Which cluster this is. Frames, logs and snapshots of another one are refused. Drawn once,
    /// by whoever creates the cluster.
    pub cluster_id: u128,
    /// This node's id: never 0, never given to another node again.
    pub node_id: u64,
    /// Where to listen for peers.
    pub listen: SocketAddr,
    /// Every member, this node included, and the `host:port` under which others reach it.
    pub peers: BTreeMap<u64, String>,
    /// The groups of which this node holds a replica.
    pub groups: Vec<u32>,
    /// A leader's sign of life, in ms. Default 250: a third of an election time-out still
    /// survives two lost ones, and idle groups cost next to nothing.
    pub heartbeat_ms: u64,
    /// Shortest silence after which a follower stands for election. Default 1 000: far above a
    /// slow fsync.
    pub election_min_ms: u64,
    /// Longest such silence. Default 2 000: the wider the range, the rarer a split vote.
    pub election_max_ms: u64,
    /// A snapshot every so many entries. Default 20 000: bounds replay after a restart.
    pub snapshot_every_entries: u64,
    /// Entries kept behind a snapshot, so that a node that was away briefly needs no snapshot.
    /// Default 5 000; at most `snapshot_every_entries`.
    pub keep_log_entries: u64,
    /// How long a follower may take to receive and install a snapshot. Default 60 000.
    pub snapshot_timeout_ms: u64,
    /// How long an append may stay unanswered before it is sent again. Default 2 000: above the
    /// slowest fsync one is willing to call working.
    pub append_timeout_ms: u64,
    /// Commands waiting in one group's queue. Past it, `Overloaded`. Default 8 192.
    pub queue_commands_max: usize,
    /// Bytes waiting in one group's queue. Default 16 MiB.
    pub queue_bytes_max: usize,
    /// Commands in one log entry. Default 1 024.
    pub batch_commands_max: usize,
    /// Bytes of commands in one log entry. Default 1 MiB; a command alone may reach
    /// `command_bytes_max`.
    pub batch_bytes_max: usize,
    /// Bytes of one command. Past it, `TooLarge`. Default 1 MiB.
    pub command_bytes_max: usize,
    /// Commands for which a leader waits a moment, when it expects so many to come at once; 1 never
    /// waits. Default 24: past it an entry's own cost is small beside that of what it carries, and
    /// waiting would only leave cores idle.
    pub gather_commands_max: usize,
    /// Entries a leader has in flight before the next batch is closed. Default 1: whatever comes
    /// while an entry is being replicated goes into the next one, and larger entries cost all
    /// replicas less; more than 1 pays only where the network is slow and cores are idle.
    pub proposals_in_flight: usize,
    /// Frames waiting for one peer. Past it, the link answers that it is full. Default 8 192.
    pub link_frames_max: usize,
    /// Most Raft entries in one append. Default 64; appends are cut by bytes as well.
    pub append_entries_max: u64,
    /// The newest version of its machines' words that this node understands; told to whoever asks,
    /// and compared with what the data directory needs. Default 1.
    pub supports: u32,
    /// The program's release, told to whoever asks. Default empty.
    pub release: String,
    /// Bytes of the disk that are kept free, but at most 2 % of it: with less the node hands its
    /// leaderships over and turns new demand away; with a quarter of it, it proposes nothing for
    /// others. Default 512 MiB: snapshots of a large sale fit into it several times.
    pub keep_free_bytes: u64,
    /// A peer's clock that is further away is complained of. Default 500 ms; holds last minutes.
    pub clock_offset_warn_ms: u64,
    /// A node whose clock is further than this from most of its peers' hands its leaderships over;
    /// 0 never does. Default 5 000.
    pub clock_offset_max_ms: u64,
    /// A group that has work and makes no progress for so long is called stuck; what only this
    /// process can have caused ends it after four times as long. 0 never looks. Default 30 000.
    pub stuck_after_ms: u64,
    /// Certificates: with them every link is mutual TLS, and a frame's sender is who its
    /// certificate says. Default none: anybody who reaches the port is believed, so keep it on a
    /// private network.
    pub tls: Option<Arc<Tls>>,
    /// Asked about every frame sent, for tests. Default none: everything is delivered.
    pub faults: Option<Arc<dyn LinkFaults>>,
    /// Told of every entry this node proposes and then applies, for tests. Default none.
    pub witness: Option<Arc<dyn Witness>>,
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ConfigError {
    /// Name of the field.
    pub field: &'static str,
    /// What is wrong with its value.
    pub reason: String,
}

impl NodeConfig {
    /// Settings with every default, for a node of a cluster.
    #[must_use]
    pub fn new(
        cluster_id: u128,
        node_id: u64,
        listen: SocketAddr,
        peers: BTreeMap<u64, String>,
        groups: Vec<u32>,
    ) -> Self {
        Self {
            cluster_id,
            node_id,
            listen,
            peers,
            groups,
            heartbeat_ms: 250,
            election_min_ms: 1_000,
            election_max_ms: 2_000,
            snapshot_every_entries: 20_000,
            keep_log_entries: 5_000,
            snapshot_timeout_ms: 60_000,
            append_timeout_ms: 2_000,
            queue_commands_max: 8_192,
            queue_bytes_max: 16 << 20,
            batch_commands_max: 1_024,
            batch_bytes_max: 1 << 20,
            command_bytes_max: 1 << 20,
            gather_commands_max: 24,
            proposals_in_flight: 1,
            link_frames_max: 8_192,
            append_entries_max: 64,
            supports: 1,
            release: String::new(),
            keep_free_bytes: 512 << 20,
            clock_offset_warn_ms: 500,
            clock_offset_max_ms: 5_000,
            stuck_after_ms: 30_000,
            tls: None,
            faults: None,
            witness: None,
        }
    }

    /// Checks every field and how they fit together; names the first that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let positive: [(&'static str, u64); 14] = [
            ("node_id", self.node_id),
            ("heartbeat_ms", self.heartbeat_ms),
            ("election_min_ms", self.election_min_ms),
            ("snapshot_every_entries", self.snapshot_every_entries),
            ("snapshot_timeout_ms", self.snapshot_timeout_ms),
            ("append_timeout_ms", self.append_timeout_ms),
            ("queue_commands_max", self.queue_commands_max as u64),
            ("queue_bytes_max", self.queue_bytes_max as u64),
            ("batch_commands_max", self.batch_commands_max as u64),
            ("batch_bytes_max", self.batch_bytes_max as u64),
            ("gather_commands_max", self.gather_commands_max as u64),
            ("proposals_in_flight", self.proposals_in_flight as u64),
            ("link_frames_max", self.link_frames_max as u64),
            ("append_entries_max", self.append_entries_max),
        ];
        for (field, value) in positive {
            require(value > 0, field, || "must not be 0".into())?;
        }
        require(self.peers.contains_key(&self.node_id), "peers", || {
            format!("does not name this node, {}", self.node_id)
        })?;
        require(!self.peers.contains_key(&0), "peers", || {
            "0 is not a node id".into()
        })?;
        for (node, address) in &self.peers {
            let usable = address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            require(usable, "peers", || {
                format!("node {node}: `{address}` is not host:port")
            })?;
        }
        require(!self.groups.is_empty(), "groups", || "is empty".into())?;
        let mut groups = self.groups.clone();
        groups.sort_unstable();
        groups.dedup();
        require(groups.len() == self.groups.len(), "groups", || {
            "names a group twice".into()
        })?;
        require(
            self.election_min_ms >= 2 * self.heartbeat_ms,
            "election_min_ms",
            || "must be at least twice heartbeat_ms".into(),
        )?;
        require(
            self.election_max_ms > self.election_min_ms,
            "election_max_ms",
            || "must be greater than election_min_ms".into(),
        )?;
        require(
            self.keep_log_entries <= self.snapshot_every_entries,
            "keep_log_entries",
            || "must not be greater than snapshot_every_entries".into(),
        )?;
        require(
            (1..=MESSAGE_BYTES_MAX / 2).contains(&self.command_bytes_max),
            "command_bytes_max",
            || format!("must be between 1 and {}", MESSAGE_BYTES_MAX / 2),
        )?;
        require(
            self.batch_bytes_max <= MESSAGE_BYTES_MAX / 2,
            "batch_bytes_max",
            || format!("must be at most {}", MESSAGE_BYTES_MAX / 2),
        )?;
        require(
            self.queue_bytes_max >= self.command_bytes_max,
            "queue_bytes_max",
            || "must be at least command_bytes_max".into(),
        )
    }

    /// The same, in openraft's words. Nothing that matters is left to its defaults.
    pub(crate) fn raft(&self) -> Config {
        Config {
            cluster_name: format!("{:032x}", self.cluster_id),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.election_min_ms,
            election_timeout_max: self.election_max_ms,
            // Heartbeats are small and coalesced by the link; suppression would only save CPU.
            heartbeat_min_interval: Some(0),
            install_snapshot_timeout: self.snapshot_timeout_ms,
            max_payload_entries: self.append_entries_max,
            max_append_entries: Some(4_096),
            // Above the snapshot interval, or a snapshot would not cure the lag it is sent for.
            replication_lag_threshold: self.snapshot_every_entries + self.keep_log_entries + 1_000,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every_entries),
            max_in_snapshot_log_to_keep: self.keep_log_entries,
            purge_batch_size: 256.min(self.snapshot_every_entries),
            api_channel_size: Some(4_096),
            api_batch_capacity: 256,
            api_batch_linger_ms: 0,
            notification_channel_size: Some(4_096),
            state_machine_channel_size: Some(1_024),
            removed_leader_step_down: StepDownPolicy::After(self.heartbeat_ms),
            // Without it a quorum that is connected through a leader cut off from it cannot elect
            // (openraft #2080). The lease is election_timeout_max.
            quorum_loss_probe_interval: Some(3 * self.election_max_ms),
            enable_pre_vote: Some(true),
            backoff: "50ms 100ms 200ms ..1000ms".into(),
            // A restarted leader stands for election like anybody else: its first entry of a new
            // term is then always the machine's `elected` command.
            enable_leader_restore: Some(false),
            allow_log_reversion: Some(false),
            ..Config::default()
        }
    }
}

/// A message between nodes is never larger; tonic refuses more on both ends.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

fn require(
    holds: bool,
    field: &'static str,
    reason: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError {
        field,
        reason: reason(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> NodeConfig {
        let peers = BTreeMap::from([(1, "127.0.0.1:1".to_owned())]);
        let listen = "127.0.0.1:1".parse().unwrap();
        NodeConfig::new(7, 1, listen, peers, vec![0, 1])
    }

    #[test]
    fn defaults_are_accepted_also_by_openraft() {
        good().validate().unwrap();
        good().raft().validate().unwrap();
    }

    #[test]
    fn a_bad_value_is_refused_by_the_name_of_its_field() {
        type Spoil = fn(&mut NodeConfig);
        let cases: [(&str, Spoil); 9] = [
            ("node_id", |c| c.node_id = 0),
            ("peers", |c| c.node_id = 9),
            ("peers", |c| {
                c.peers.insert(2, "nowhere".into());
            }),
            ("groups", |c| c.groups.clear()),
            ("groups", |c| c.groups.push(1)),
            ("election_min_ms", |c| c.election_min_ms = 499),
            ("election_max_ms", |c| c.election_max_ms = 1_000),
            ("keep_log_entries", |c| c.keep_log_entries = 20_001),
            ("command_bytes_max", |c| c.command_bytes_max = 0),
        ];
        for (field, spoil) in cases {
            let mut config = good();
            spoil(&mut config);
            assert_eq!(config.validate().unwrap_err().field, field);
        }
        let mut at_the_edge = good();
        at_the_edge.election_min_ms = 500;
        at_the_edge.keep_log_entries = 20_000;
        at_the_edge.validate().unwrap();
    }
}
