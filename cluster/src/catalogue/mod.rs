//! The catalogue: every event with its names, rules and the shards of its sections, and every node
//! with the groups it is to vote in. The `system` group's machine. It owes each shard the newest
//! version of each event until that shard has said that it has it.

mod events;
mod keys;
mod nodes;
mod trail;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{EventId, ShardId, Timestamp};
use probes::Bug;

pub use self::events::EventRecord;
pub use self::keys::{KEY_NAME_BYTES_MAX, KEYS_MAX, KeyId, KeyRecord, KeyRole};
pub use self::trail::{Deed, TRAIL_MAX, Trail, TrailRecord, WORDS_BYTES_MAX, Who};
pub use self::words::{CatalogueCommand, CatalogueOutcome, CatalogueReceipt, CatalogueRejection};
use crate::members::Registry;
use crate::route::Router;
use crate::version;

/// The catalogue's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    shards: u16,
    /// The cluster's version; 0 stands for the oldest one.
    version: u16,
    /// The cluster in which the state began; absent where that is this one.
    lineage: Option<u128>,
    events: BTreeMap<EventId, Arc<EventRecord>>,
    /// The version each shard is known to have. Absent: none.
    installed: BTreeMap<(EventId, ShardId), u64>,
    registry: Registry,
    keys: BTreeMap<KeyId, KeyRecord>,
    trail: Trail,
}

impl Catalogue {
    /// Applies a command that somebody may have asked for. What is granted stands in the trail, in
    /// the same step: there is no change of theirs without a record.
    pub fn apply_for(
        &mut self,
        at: Timestamp,
        by: Option<&Deed>,
        command: &CatalogueCommand,
    ) -> CatalogueOutcome {
        let outcome = self.apply(command);
        // An older release that serves the same cluster would not note it.
        if let (Some(deed), Ok(_)) = (by, &outcome)
            && self.version() >= version::TRAIL
            && !probes::planted(Bug::TrailForgets)
        {
            self.trail.note(at, deed);
        }
        outcome
    }

    /// Whether a command may be spoken in this cluster now. To be asked before it is proposed: a node of an
    /// older release stops at a word that it does not understand.
    pub fn speakable(&self, command: &CatalogueCommand) -> Result<(), CatalogueRejection> {
        let raises = matches!(command, CatalogueCommand::RaiseVersion { .. });
        let early = probes::planted(Bug::NewWordsTooEarly);
        match command.needs() {
            needs if needs > self.version() && !raises && !early => {
                Err(CatalogueRejection::VersionTooLow { needs })
            }
            _ => Ok(()),
        }
    }

    /// Applies a command of the cluster's own.
    pub fn apply(&mut self, command: &CatalogueCommand) -> CatalogueOutcome {
        self.speakable(command)?;
        match command {
            CatalogueCommand::FixShards { shards } => self.fix_shards(*shards),
            CatalogueCommand::CreateEvent(record) => self.create(record),
            CatalogueCommand::ChangeRules {
                event,
                expected,
                rules,
            } => self.change(*event, *expected, rules),
            CatalogueCommand::RecordInstalled {
                event,
                shard,
                version,
            } => self.record_installed(*event, *shard, *version),
            CatalogueCommand::AddNode {
                node,
                record,
                shards,
                supports,
            } => match *supports >= self.version() {
                true => self.add_node(*node, record, *shards),
                false => Err(CatalogueRejection::NodeTooOld {
                    version: self.version(),
                }),
            },
            CatalogueCommand::DrainNode { node } => self.drain_node(*node),
            CatalogueCommand::UndrainNode { node } => self.undrain_node(*node),
            CatalogueCommand::RemoveNode { node } => self.remove_node(*node),
            CatalogueCommand::NodeGone { node } => self.node_gone(*node),
            CatalogueCommand::Place {
                expected,
                replication,
                groups,
            } => self.place(*expected, *replication, groups),
            CatalogueCommand::ContinueLineage { lineage } => self.continue_lineage(*lineage),
            CatalogueCommand::RaiseVersion { to } => {
                self.version = self.version().max(*to);
                let version = self.version;
                Ok(CatalogueReceipt::VersionAt { version })
            }
            CatalogueCommand::CreateKey { key, record } => self.create_key(*key, record),
            CatalogueCommand::RevokeKey { key, at } => self.revoke_key(*key, *at),
            CatalogueCommand::Note => Ok(CatalogueReceipt::Noted),
        }
    }

    /// The cluster's router, once it was initialized.
    pub fn router(&self) -> Option<Router> {
        Router::new(self.shards)
    }

    /// The cluster's version: words of newer ones are refused.
    pub fn version(&self) -> u16 {
        self.version.max(version::OLDEST)
    }

    /// The same catalogue in a cluster of this version, for snapshots.
    #[must_use]
    pub fn at_version(self, version: u16) -> Self {
        Self { version, ..self }
    }

    /// The cluster in which this state began, when a restore carried it on into this one.
    pub fn lineage(&self) -> Option<u128> {
        self.lineage
    }

    /// A key of the HTTP API.
    pub fn key(&self, key: KeyId) -> Option<&KeyRecord> {
        self.keys.get(&key)
    }

    /// All keys, by id.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &KeyRecord)> {
        self.keys.iter().map(|(&key, record)| (key, record))
    }

    /// What operators and organizers did.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// The nodes, and what they are to vote in.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// An event.
    pub fn event(&self, event: EventId) -> Option<&Arc<EventRecord>> {
        self.events.get(&event)
    }

    /// All events, by id.
    pub fn events(&self) -> impl Iterator<Item = &Arc<EventRecord>> {
        self.events.values()
    }

    /// What shards are known to have.
    pub fn installed(&self) -> impl Iterator<Item = (EventId, ShardId, u64)> {
        self.installed
            .iter()
            .map(|(&(event, shard), &version)| (event, shard, version))
    }

    /// Events that shards still have to be told, at most `limit`.
    pub fn owed(&self, limit: usize) -> Vec<(ShardId, Arc<EventRecord>)> {
        let Some(router) = self.router() else {
            return Vec::new();
        };
        let missing = |record: &Arc<EventRecord>, shard: ShardId| {
            let key = (record.plan.event, shard);
            self.installed
                .get(&key)
                .is_none_or(|&version| version < record.plan.version)
        };
        self.events
            .values()
            .flat_map(|record| router.shards().map(move |shard| (shard, record)))
            .filter(|&(shard, record)| missing(record, shard))
            .map(|(shard, record)| (shard, record.clone()))
            .take(limit)
            .collect()
    }

    /// Whether every shard has the newest version of an event.
    pub fn installed_everywhere(&self, event: EventId) -> bool {
        let (Some(router), Some(record)) = (self.router(), self.events.get(&event)) else {
            return false;
        };
        router.shards().all(|shard| {
            self.installed
                .get(&(event, shard))
                .is_some_and(|&at| at >= record.plan.version)
        })
    }

    /// Puts a catalogue together from its parts, for snapshots.
    pub fn from_parts(
        shards: u16,
        lineage: Option<u128>,
        events: impl IntoIterator<Item = EventRecord>,
        installed: impl IntoIterator<Item = (EventId, ShardId, u64)>,
        registry: Registry,
    ) -> Self {
        Self {
            shards,
            version: 0,
            lineage,
            events: events
                .into_iter()
                .map(|e| (e.plan.event, Arc::new(e)))
                .collect(),
            installed: installed.into_iter().map(|(e, s, v)| ((e, s), v)).collect(),
            registry,
            keys: BTreeMap::new(),
            trail: Trail::default(),
        }
    }

    /// The same with keys and a trail, for snapshots.
    #[must_use]
    pub fn with(
        self,
        keys: impl IntoIterator<Item = (KeyId, KeyRecord)>,
        trail: impl IntoIterator<Item = TrailRecord>,
    ) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            trail: Trail::from_records(trail),
            ..self
        }
    }

    /// The nodes of the cluster that was backed up are nobody here: the mover registers those that
    /// run, and must not go on with what was wanted of others.
    fn continue_lineage(&mut self, lineage: u128) -> CatalogueOutcome {
        if *self.lineage.get_or_insert(lineage) != lineage {
            return Err(CatalogueRejection::LineageIsFixed);
        }
        self.registry = Registry::default();
        Ok(CatalogueReceipt::LineageContinued)
    }

    fn fix_shards(&mut self, shards: u16) -> CatalogueOutcome {
        if self.shards != 0 && self.shards != shards {
            return Err(CatalogueRejection::ShardsAreFixed {
                shards: self.shards,
            });
        }
        Router::new(shards).ok_or(CatalogueRejection::NoShards)?;
        self.shards = shards;
        Ok(CatalogueReceipt::ShardsFixed { shards })
    }
}
