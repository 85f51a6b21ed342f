//! The catalogue: every event with its names, rules and the shards of its sections. The `system`
//! group's machine. It owes each shard the newest version of each event until that shard has
//! said that it has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::event::{EventPlan, EventRules};
use ledger::limits::{EVENTS_MAX, SECTIONS_PER_EVENT_MAX};
use ledger::{EventId, SectionNo, ShardId, Timestamp};

use crate::route::Router;

/// An event as people know it, around the plan that shards know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Rules, sections, shards.
    pub plan: EventPlan,
    /// Title.
    pub name: String,
    /// Where it takes place.
    pub venue: String,
    /// Names of the sections; entry `i` names section number `i`. Distinct.
    pub section_names: Vec<String>,
    /// Who created it (a hash of the organizer's subject).
    pub organizer: u128,
    /// When.
    pub created_at: Timestamp,
    /// A mark of the request that created it: what it asked for stays known when rules change (P8).
    pub asked: Option<u128>,
}

impl EventRecord {
    /// A section by its name.
    pub fn section_no(&self, name: &str) -> Option<SectionNo> {
        let index = self.section_names.iter().position(|known| known == name)?;
        u16::try_from(index).ok().map(SectionNo)
    }

    /// A section's name; empty when there is no such section.
    pub fn section_name(&self, section: SectionNo) -> &str {
        self.section_names
            .get(usize::from(section.0))
            .map_or("", String::as_str)
    }
}

/// A change of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueCommand {
    /// First command of a cluster's life: how many shards it has. Repeated: must be the same.
    FixShards {
        /// 1 to 4095.
        shards: u16,
    },
    /// Adds an event. Repeated with the same content: the same receipt.
    CreateEvent(Box<EventRecord>),
    /// Replaces an event's rules, if its version is still `expected`.
    ChangeRules {
        /// The show.
        event: EventId,
        /// The version the change was computed from.
        expected: u64,
        /// The new rules.
        rules: Box<EventRules>,
    },
    /// A shard has this version of an event.
    RecordInstalled {
        /// The show.
        event: EventId,
        /// The shard.
        shard: ShardId,
        /// The version it has.
        version: u64,
    },
    /// First command of a restored cluster's life: whose payment keys and tickets it goes on with.
    ContinueLineage {
        /// Id of the cluster in which the state began.
        lineage: u128,
    },
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueReceipt {
    /// The number of shards is fixed.
    ShardsFixed {
        /// How many.
        shards: u16,
    },
    /// The event has this version now.
    EventAt {
        /// The version.
        version: u64,
    },
    /// Noted.
    InstallRecorded,
    /// The state goes on under these keys.
    LineageContinued,
}

/// Why the catalogue did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueRejection {
    /// The bytes are no command this release knows.
    #[error("the command could not be understood")]
    Malformed,
    /// The cluster has another number of shards, for ever.
    #[error("the cluster has {shards} shards")]
    ShardsAreFixed {
        /// How many.
        shards: u16,
    },
    /// The cluster was not initialized yet.
    #[error("the cluster has no shards yet")]
    NoShards,
    /// The event id is taken by other content.
    #[error("this event exists with other content")]
    EventExistsWithDifferentContent,
    /// A bound or a name is wrong.
    #[error("the event breaks a limit")]
    EventInvalid,
    /// No such event.
    #[error("no such event")]
    EventUnknown,
    /// Somebody else changed the rules first; read and try again.
    #[error("the event is at version {version}")]
    VersionConflict {
        /// Its version now.
        version: u64,
    },
    /// As many events as fit.
    #[error("too many events")]
    EventsMax,
    /// The state began in another cluster, for ever.
    #[error("the state began in another cluster")]
    LineageIsFixed,
}

/// The answer to a command.
pub type CatalogueOutcome = Result<CatalogueReceipt, CatalogueRejection>;

/// The catalogue's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    shards: u16,
    /// The cluster in which the state began; absent where that is this one.
    lineage: Option<u128>,
    events: BTreeMap<EventId, Arc<EventRecord>>,
    /// The version each shard is known to have. Absent: none.
    installed: BTreeMap<(EventId, ShardId), u64>,
}

impl Catalogue {
    /// Applies a command.
    pub fn apply(&mut self, command: &CatalogueCommand) -> CatalogueOutcome {
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
            CatalogueCommand::ContinueLineage { lineage } => self.continue_lineage(*lineage),
        }
    }

    /// The cluster's router, once it was initialized.
    pub fn router(&self) -> Option<Router> {
        Router::new(self.shards)
    }

    /// The cluster in which this state began, when a restore carried it on into this one.
    pub fn lineage(&self) -> Option<u128> {
        self.lineage
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
    ) -> Self {
        Self {
            shards,
            lineage,
            events: events
                .into_iter()
                .map(|e| (e.plan.event, Arc::new(e)))
                .collect(),
            installed: installed.into_iter().map(|(e, s, v)| ((e, s), v)).collect(),
        }
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

    fn continue_lineage(&mut self, lineage: u128) -> CatalogueOutcome {
        if *self.lineage.get_or_insert(lineage) != lineage {
            return Err(CatalogueRejection::LineageIsFixed);
        }
        Ok(CatalogueReceipt::LineageContinued)
    }

    fn create(&mut self, record: &EventRecord) -> CatalogueOutcome {
        let router = self.router().ok_or(CatalogueRejection::NoShards)?;
        if let Some(known) = self.events.get(&record.plan.event) {
            // Rules may have changed since; what was asked for then is what counts.
            let same = (known.asked.is_none() || known.asked == record.asked)
                && known.name == record.name
                && known.venue == record.venue
                && known.section_names == record.section_names
                && known.plan.sections == record.plan.sections;
            return if same {
                Ok(CatalogueReceipt::EventAt {
                    version: known.plan.version,
                })
            } else {
                Err(CatalogueRejection::EventExistsWithDifferentContent)
            };
        }
        if self.events.len() >= EVENTS_MAX {
            return Err(CatalogueRejection::EventsMax);
        }
        let sections = &record.plan.sections;
        let mut names: Vec<&str> = record.section_names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let shards_known = sections
            .iter()
            .all(|s| (1..=router.count()).contains(&s.shard.0));
        let sound = !sections.is_empty()
            && sections.len() <= SECTIONS_PER_EVENT_MAX
            && names.len() == sections.len()
            && record.section_names.len() == sections.len()
            && shards_known;
        if !sound {
            return Err(CatalogueRejection::EventInvalid);
        }
        self.events
            .insert(record.plan.event, Arc::new(record.clone()));
        Ok(CatalogueReceipt::EventAt {
            version: record.plan.version,
        })
    }

    fn change(&mut self, event: EventId, expected: u64, rules: &EventRules) -> CatalogueOutcome {
        let record = self
            .events
            .get_mut(&event)
            .ok_or(CatalogueRejection::EventUnknown)?;
        let version = record.plan.version;
        if version == expected + 1 && record.plan.rules == *rules {
            return Ok(CatalogueReceipt::EventAt { version });
        }
        if version != expected {
            return Err(CatalogueRejection::VersionConflict { version });
        }
        let record = Arc::make_mut(record);
        record.plan.rules = rules.clone();
        record.plan.version += 1;
        Ok(CatalogueReceipt::EventAt {
            version: record.plan.version,
        })
    }

    fn record_installed(
        &mut self,
        event: EventId,
        shard: ShardId,
        version: u64,
    ) -> CatalogueOutcome {
        if !self.events.contains_key(&event) {
            return Err(CatalogueRejection::EventUnknown);
        }
        let known = self.installed.entry((event, shard)).or_insert(version);
        *known = version.max(*known);
        Ok(CatalogueReceipt::InstallRecorded)
    }
}
