//! Names, units and help of what a node tells of itself: consensus, log, ledgers, read model. Read at
//! every scrape from what is there anyway; the door's own counters are in `api/src/metrics.rs`.
//!
//! A group has a number, not a name; 0 is the system group, the others are shards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ledger::seats::Counts;
use ledger::{Ledger, ShardId};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use raft_node::storage::{Level, WalCounters};
use raft_node::transport::traffic::Traffic;
use raft_node::{GroupStatus, Health, Node, Role};

use super::backend::Replicas;
use crate::read_model::ReadModel;

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfGroup {
    group: u32,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPeer {
    peer: u64,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfShard {
    shard: u16,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Places {
    shard: u16,
    state: &'static str,
}

/// Something a group's status tells in one number.
type Told = (&'static str, &'static str, fn(&GroupStatus) -> i64);

const OF_GROUPS: [Told; 10] = [
    (
        "leads",
        "1 where this node leads the group, 0 elsewhere",
        |group| (group.role == Role::Leader).into(),
    ),
    (
        "stopped",
        "1 where consensus has stopped here for good; the process ends",
        |group| group.stopped.is_some().into(),
    ),
    (
        "leader",
        "The node this one takes for the leader; 0 while it knows of none",
        |group| number(group.leader.unwrap_or(0)),
    ),
    ("term", "The newest term it knows", |group| {
        number(group.term)
    }),
    ("last_log_index", "Its last log entry", |group| {
        number(group.last_log_index)
    }),
    (
        "committed_index",
        "The last entry it knows to be committed",
        |group| number(group.committed),
    ),
    (
        "applied_index",
        "The last entry its machine has applied",
        |group| number(group.applied),
    ),
    (
        "snapshot_index",
        "The last entry its newest snapshot has in it",
        |group| number(group.snapshot_index),
    ),
    ("voters", "Replicas that vote", |group| {
        number(group.voters.len() as u64)
    }),
    ("learners", "Replicas that listen without a vote", |group| {
        number(group.learners.len() as u64)
    }),
];

/// What a node tells of itself.
pub struct Seen {
    /// Its half of consensus.
    pub node: Arc<Node>,
    /// What it replicates.
    pub replicas: Arc<Replicas>,
    /// Its read model, if it has one.
    pub read_model: Option<Arc<ReadModel>>,
}

impl Seen {
    /// Puts what there is now into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let groups = self.node.status();
        let ages = groups
            .iter()
            .map(|group| (group.group, self.node.age_ms(group.group)));
        consensus(&groups, &ages.collect(), registry);
        log(self.node.wal(), registry);
        links(self.node.traffic(), registry);
        wellbeing(&Wellbeing::of(self.node.health(), &groups), registry);
        let ledgers = self.replicas.ledgers.iter();
        let shards =
            ledgers.map(|(shard, ledger)| (*shard, ledger.look(|ledger, _, _| of(ledger))));
        rules(&shards.collect(), registry);
        if let Some(read_model) = &self.read_model {
            history(read_model.complete(), registry);
        }
    }
}

fn consensus(groups: &[GroupStatus], ages_ms: &BTreeMap<u32, u64>, registry: &mut Registry) {
    let raft = registry.sub_registry_with_prefix("usher_raft");
    for (name, help, told) in OF_GROUPS {
        let family = Family::<OfGroup, Gauge>::default();
        for status in groups {
            let group = status.group;
            family.get_or_create(&OfGroup { group }).set(told(status));
        }
        raft.register(name, help, family);
    }
    let ages = Family::<OfGroup, Gauge<f64, AtomicU64>>::default();
    for (&group, &ms) in ages_ms.iter().filter(|(_, ms)| **ms < u64::MAX) {
        let seconds = ms as f64 / 1_000.0;
        ages.get_or_create(&OfGroup { group }).set(seconds);
    }
    let help = "What this replica has applied is at most so old; absent while that is unknown";
    raft.register_with_unit("age", help, Unit::Seconds, ages);
}

fn log(wal: &WalCounters, registry: &mut Registry) {
    let registry = registry.sub_registry_with_prefix("usher_wal");
    let counted = |number: u64| ConstCounter::new(number);
    registry.register("syncs", "Times the log was synced", counted(wal.syncs()));
    registry.register("records", "Records written", counted(wal.records()));
    let help = "Written to the log";
    registry.register_with_unit("written", help, Unit::Bytes, counted(wal.bytes()));
}

fn links(sent: &Traffic, registry: &mut Registry) {
    let registry = registry.sub_registry_with_prefix("usher_links");
    let counted = |number: u64| ConstCounter::new(number);
    let help = "Messages sent to other nodes";
    registry.register("messages", help, counted(sent.messages()));
    let help = "Requests and answers sent to other nodes, many to a message";
    registry.register("frames", help, counted(sent.frames()));
    let help =
        "Carried by frames to other nodes, without what is put around them and without snapshots";
    registry.register_with_unit("payload", help, Unit::Bytes, counted(sent.payload_bytes()));
}

/// How a node is doing.
#[derive(Default)]
struct Wellbeing {
    room: Level,
    free_bytes: Option<u64>,
    waiting: u64,
    clock_is_far: bool,
    ahead_ms: BTreeMap<u64, i64>,
    /// Of every group, and whether it stands still.
    groups: BTreeMap<u32, bool>,
    log_is_stuck: bool,
}

impl Wellbeing {
    fn of(health: &Health, groups: &[GroupStatus]) -> Self {
        let room = health.room();
        let stuck = health.stuck();
        let is_stuck = |group| stuck.iter().any(|stuck| stuck.group == group);
        let clocks = health.clocks().into_iter();
        let groups = groups.iter().map(|group| group.group);
        Self {
            room: room.level(),
            free_bytes: room.space().map(|space| space.free),
            waiting: room.waiting() as u64,
            clock_is_far: health.clock_is_far(),
            ahead_ms: clocks.map(|(peer, clock)| (peer, clock.ahead_ms)).collect(),
            groups: groups.map(|group| (group, is_stuck(Some(group)))).collect(),
            log_is_stuck: is_stuck(None),
        }
    }
}

fn wellbeing(told: &Wellbeing, registry: &mut Registry) {
    let disk = registry.sub_registry_with_prefix("usher_disk");
    let level = match told.room {
        Level::Ample => 0,
        Level::Short => 1,
        Level::Scarce => 2,
    };
    let help = "Room: 0 enough, 1 new orders are refused, 2 nothing is proposed for anybody";
    disk.register("shortage", help, ConstGauge::new(level));
    let help = "Writes that wait for room";
    disk.register("waiting", help, ConstGauge::new(number(told.waiting)));
    if let Some(free) = told.free_bytes {
        let help = "Free on the disk of the data directory; absent where nobody can tell";
        disk.register_with_unit("free", help, Unit::Bytes, ConstGauge::new(number(free)));
    }
    let clock = registry.sub_registry_with_prefix("usher_clock");
    let offsets = Family::<OfPeer, Gauge<f64, AtomicU64>>::default();
    for (&peer, &ms) in &told.ahead_ms {
        let seconds = ms as f64 / 1_000.0;
        offsets.get_or_create(&OfPeer { peer }).set(seconds);
    }
    let help = "How far a peer's clock is ahead of this node's; absent while it does not answer";
    clock.register_with_unit("offset", help, Unit::Seconds, offsets);
    let help = "1 while this node's clock is far from most of its peers', and it leads nothing if it can help it";
    clock.register("wrong", help, ConstGauge::new(i64::from(told.clock_is_far)));
    let stuck = Family::<OfGroup, Gauge>::default();
    for (&group, &is_stuck) in &told.groups {
        stuck.get_or_create(&OfGroup { group }).set(is_stuck.into());
    }
    let help = "1 while the group has work here and makes no progress";
    registry.register("usher_group_stuck", help, stuck);
    let help = "1 while writes wait and the log completes none, though there is room";
    registry.register(
        "usher_log_stuck",
        help,
        ConstGauge::new(i64::from(told.log_is_stuck)),
    );
}

/// What one ledger tells.
#[derive(Default)]
struct Shard {
    counts: Counts,
    messages: u64,
    payments: u64,
    waiting: u64,
    applied: u64,
}

fn of(ledger: &Ledger) -> Shard {
    let mut told = Shard {
        messages: ledger
            .outboxes()
            .map(|(_, outbox)| outbox.len() as u64)
            .sum(),
        payments: ledger.payments_due_count() as u64,
        applied: ledger.applied(),
        ..Shard::default()
    };
    for event in ledger.events() {
        let event = event.plan.event;
        let counts = ledger.counts(event);
        told.counts.available += counts.available;
        told.counts.held += counts.held;
        told.counts.pinned += counts.pinned;
        told.counts.sold += counts.sold;
        told.counts.blocked += counts.blocked;
        if let Some(room) = ledger.room(event) {
            told.waiting += (room.roster().len() as u64).saturating_sub(room.cursor());
        }
    }
    told
}

/// Something a ledger tells in one number.
type OfLedger = (&'static str, &'static str, fn(&Shard) -> u64);

fn rules(shards: &BTreeMap<ShardId, Shard>, registry: &mut Registry) {
    let registry = registry.sub_registry_with_prefix("usher_ledger");
    let places = Family::<Places, Gauge>::default();
    for (shard, told) in shards {
        let Counts {
            available,
            held,
            pinned,
            sold,
            blocked,
        } = told.counts;
        let states = [
            ("available", available),
            ("held", held),
            ("pinned", pinned),
            ("sold", sold),
            ("blocked", blocked),
        ];
        for (state, count) in states {
            let label = Places {
                shard: shard.0,
                state,
            };
            places.get_or_create(&label).set(count.into());
        }
    }
    registry.register("places", "Places of all events, by shard and state", places);
    let told: [OfLedger; 3] = [
        (
            "messages_owed",
            "Messages to other shards that were not acknowledged yet",
            |told| told.messages,
        ),
        (
            "payments_owed",
            "Payments that the provider has to be asked about",
            |told| told.payments,
        ),
        (
            "people_waiting",
            "People in waiting rooms whose place has not come up",
            |told| told.waiting,
        ),
    ];
    for (name, help, told) in told {
        let family = Family::<OfShard, Gauge>::default();
        for (shard, of) in shards {
            let label = OfShard { shard: shard.0 };
            family.get_or_create(&label).set(number(told(of)));
        }
        registry.register(name, help, family);
    }
    let commands = Family::<OfShard, Counter>::default();
    for (shard, of) in shards {
        let label = OfShard { shard: shard.0 };
        commands.get_or_create(&label).inc_by(of.applied);
    }
    registry.register("commands", "Commands applied", commands);
}

#[cfg(feature = "process")]
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfFile {
    file: String,
}

/// When the certificates that are in use end.
#[cfg(feature = "process")]
pub fn certificates(ends: &[raft_node::platform::tls::Expiry], registry: &mut Registry) {
    let registry = registry.sub_registry_with_prefix("usher_certificate");
    let family = Family::<OfFile, Gauge>::default();
    for end in ends {
        let file = end.path.display().to_string();
        family.get_or_create(&OfFile { file }).set(number(end.at_s));
    }
    let help =
        "When the certificates in a file end, in seconds since 1970: the one that ends first";
    registry.register_with_unit("expires", help, Unit::Seconds, family);
}

fn history(complete: bool, registry: &mut Registry) {
    let registry = registry.sub_registry_with_prefix("usher_read_model");
    let help = "1 while people's lists have everything the feed has";
    registry.register("complete", help, ConstGauge::new(i64::from(complete)));
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use api::metrics::{Answer, Kind, Metrics};

    use super::*;

    /// Everything a node can tell, each at least once.
    fn everything() -> String {
        let metrics = Metrics::new();
        let (route, status, kind) = ("reserve", 201, "reserve");
        metrics
            .answers
            .get_or_create(&Answer { route, status })
            .inc();
        metrics.refusals.get_or_create(&Kind { kind }).inc();
        metrics.keys_refused.get_or_create(&Kind { kind }).inc();
        metrics.shed.get_or_create(&Kind { kind }).inc();
        metrics.took(route, Duration::from_millis(3));
        metrics.payment_call("capture", "done");
        metrics.add(|registry| {
            let group = GroupStatus {
                group: 1,
                term: 2,
                leader: Some(3),
                role: Role::Follower,
                last_log_index: 9,
                committed: 8,
                applied: 7,
                snapshot_index: 0,
                voters: [1, 2, 3].into(),
                learners: BTreeSet::new(),
                digest: None,
                stopped: None,
            };
            consensus(&[group], &[(1, 1_500)].into(), registry);
            log(&WalCounters::default(), registry);
            links(&Traffic::default(), registry);
            let told = Wellbeing {
                room: Level::Short,
                free_bytes: Some(1 << 20),
                ahead_ms: [(2, -1_500)].into(),
                groups: [(1, true)].into(),
                ..Wellbeing::default()
            };
            wellbeing(&told, registry);
            let shard = of(&Ledger::new(ShardId(1)));
            rules(&[(ShardId(1), shard)].into(), registry);
            history(true, registry);
            let path = "certs/node-1.pem".into();
            let at_s = 1_900_000_000;
            certificates(&[raft_node::platform::tls::Expiry { path, at_s }], registry);
        });
        metrics.render()
    }

    #[test]
    fn a_status_is_told_by_group() {
        let text = everything();
        assert!(text.contains("usher_raft_term{group=\"1\"} 2\n"), "{text}");
        assert!(text.contains("usher_raft_leads{group=\"1\"} 0\n"));
        assert!(text.contains("usher_raft_age_seconds{group=\"1\"} 1.5\n"));
        assert!(text.contains("usher_ledger_places{shard=\"1\",state=\"sold\"} 0\n"));
        assert!(text.contains("usher_read_model_complete 1\n"));
        assert!(text.contains("usher_disk_shortage 1\n"));
        assert!(text.contains("usher_clock_offset_seconds{peer=\"2\"} -1.5\n"));
        assert!(text.contains("usher_group_stuck{group=\"1\"} 1\n"));
        let ends = "usher_certificate_expires_seconds{file=\"certs/node-1.pem\"} 1900000000\n";
        assert!(text.contains(ends), "{text}");
    }

    #[test]
    fn every_metric_that_dashboards_and_alarms_name_exists() {
        let told = everything();
        let known: BTreeSet<&str> = told
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split([' ', '{']).next())
            .collect();
        let deploy = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        for file in ["grafana/usher.json", "prometheus/alerts.yml"] {
            let text = std::fs::read_to_string(deploy.join(file)).expect("it is in deploy/");
            let words = text.split(|at: char| !at.is_ascii_alphanumeric() && at != '_');
            let named: BTreeSet<&str> = words.filter(|word| word.starts_with("usher_")).collect();
            assert!(named.len() > 8, "{file} names {named:?}");
            for name in named {
                assert!(known.contains(name), "{file}: there is no {name}\n{told}");
            }
        }
    }
}
