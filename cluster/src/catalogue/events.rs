//! Events in the catalogue: created once, their rules changed by version, and what each shard is
//! known to have of them.

use std::sync::Arc;

use ledger::event::{EventPlan, EventRules};
use ledger::limits::{EVENTS_MAX, SECTIONS_PER_EVENT_MAX};
use ledger::{EventId, SectionNo, ShardId, Timestamp};

use super::Catalogue;
use super::words::{CatalogueOutcome, CatalogueReceipt, CatalogueRejection};

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

impl Catalogue {
    pub(super) fn create(&mut self, record: &EventRecord) -> CatalogueOutcome {
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

    pub(super) fn change(
        &mut self,
        event: EventId,
        expected: u64,
        rules: &EventRules,
    ) -> CatalogueOutcome {
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

    pub(super) fn record_installed(
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
