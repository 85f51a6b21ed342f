//! An event becomes known to a shard, and its rules change.

use super::EventState;
use crate::change::Change;
use crate::event::{EventPlan, EventRules, Layout, QueueRules, SectionPlan};
use crate::ids::*;
use crate::ledger::Ledger;
use crate::limits::*;
use crate::outcome::{Outcome, Receipt, Rejection};

/// Bytes of a beacon value.
const BEACON_BYTES_MAX: usize = 1_024;

impl Ledger {
    pub(crate) fn install_event(&mut self, plan: &EventPlan, now: Timestamp) -> Outcome {
        if let Some(known) = self.events.get(&plan.event) {
            if known.plan.sections != plan.sections {
                return Err(Rejection::EventExistsWithDifferentContent);
            }
            return match self.set_rules(plan.event, plan.version, &plan.rules, now) {
                Err(Rejection::VersionOld) => Ok(Receipt::EventInstalled),
                answer => answer,
            };
        }
        if self.events.len() >= EVENTS_MAX
            || !valid_sections(&plan.sections)
            || !valid_rules(&plan.rules)
        {
            return Err(Rejection::EventInvalid);
        }
        self.seats.install(plan, self.shard);
        self.events.insert(
            plan.event,
            EventState {
                plan: plan.clone(),
                room_due: None,
            },
        );
        self.note(Change::EventInstalled {
            event: plan.event,
            version: plan.version,
        });
        self.open_room(plan.event, now);
        Ok(Receipt::EventInstalled)
    }

    pub(crate) fn set_rules(
        &mut self,
        event: EventId,
        version: u64,
        rules: &EventRules,
        now: Timestamp,
    ) -> Outcome {
        let known = self.events.get_mut(&event).ok_or(Rejection::EventUnknown)?;
        let plan = &mut known.plan;
        if version < plan.version {
            return Err(Rejection::VersionOld);
        }
        if version == plan.version {
            return if plan.rules == *rules {
                Ok(Receipt::EventInstalled)
            } else {
                Err(Rejection::EventExistsWithDifferentContent)
            };
        }
        if !valid_rules(rules) || !may_follow(&plan.rules, rules) {
            return Err(Rejection::EventInvalid);
        }
        plan.version = version;
        plan.rules = rules.clone();
        self.seats.set_rules(event, rules);
        self.note(Change::RulesChanged { event, version });
        self.note_room_turn(event, now);
        Ok(Receipt::EventInstalled)
    }
}

/// Whether sections keep to their limits; nothing may be built from others.
pub(crate) fn valid_sections(sections: &[SectionPlan]) -> bool {
    !sections.is_empty()
        && sections.len() <= SECTIONS_PER_EVENT_MAX
        && sections.iter().all(valid_section)
}

fn valid_section(section: &SectionPlan) -> bool {
    let capacity = section.layout.capacity();
    match &section.layout {
        Layout::Seated {
            blocked,
            accessible,
            ..
        } => {
            let listed = |seats: &[SeatNo]| {
                seats.windows(2).all(|pair| pair[0] < pair[1])
                    && seats.last().is_none_or(|last| u32::from(last.0) < capacity)
            };
            (1..=SEATS_PER_SECTION_MAX).contains(&capacity) && listed(blocked) && listed(accessible)
        }
        Layout::Standing { .. } => (1..=STANDING_CAPACITY_MAX).contains(&capacity),
    }
}

fn valid_rules(rules: &EventRules) -> bool {
    (HOLD_MS_MIN..=HOLD_MS_MAX).contains(&rules.hold_ms)
        && (1..=SEATS_PER_ORDER_MAX).contains(&rules.order_seats_max)
        && rules.buyer_seats_max >= 1
        && rules.currency.iter().all(u8::is_ascii_uppercase)
        && rules
            .queue
            .as_ref()
            .is_none_or(|queue| queue.beacon.len() <= BEACON_BYTES_MAX)
}

/// What is promised once is kept: the currency, where the waiting room is, and the secret that
/// people have seen the hash of.
fn may_follow(old: &EventRules, new: &EventRules) -> bool {
    let secret = |queue: &QueueRules| queue.secret;
    old.currency == new.currency
        && old.room_shard == new.room_shard
        && old.queue.as_ref().map(secret) == new.queue.as_ref().map(secret)
}
