//! Event plans and rules.

use ledger::event::*;
use ledger::*;

use super::ids::*;
use crate::error::{DecodeError, narrow, required};
use crate::v1;

fn sale_number(sale: Sale) -> u32 {
    match sale {
        Sale::Scheduled => 1,
        Sale::Open => 2,
        Sale::Paused => 3,
        Sale::Closed => 4,
    }
}

fn sale(number: u32) -> Result<Sale, DecodeError> {
    Ok(match number {
        1 => Sale::Scheduled,
        2 => Sale::Open,
        3 => Sale::Paused,
        4 => Sale::Closed,
        _ => return Err(DecodeError::Missing("rules.sale")),
    })
}

impl From<&EventRules> for v1::EventRules {
    fn from(rules: &EventRules) -> Self {
        Self {
            sale: sale_number(rules.sale),
            opens_at_ms: rules.opens_at.0,
            hold_ms: rules.hold_ms,
            order_seats_max: rules.order_seats_max.into(),
            buyer_seats_max: rules.buyer_seats_max.into(),
            currency: rules.currency.to_vec(),
            queue: rules.queue.as_ref().map(|queue| v1::QueueRules {
                admit_per_minute: queue.admit_per_minute,
                secret: queue.secret.to_vec(),
                beacon: queue.beacon.clone(),
            }),
            room_shard: rules.room_shard.0.into(),
        }
    }
}

impl TryFrom<v1::EventRules> for EventRules {
    type Error = DecodeError;

    fn try_from(rules: v1::EventRules) -> Result<Self, DecodeError> {
        let queue = rules.queue.map(|queue| {
            Ok::<_, DecodeError>(QueueRules {
                admit_per_minute: queue.admit_per_minute,
                secret: narrow(queue.secret.as_slice(), "queue.secret")?,
                beacon: queue.beacon,
            })
        });
        Ok(Self {
            sale: sale(rules.sale)?,
            opens_at: Timestamp(rules.opens_at_ms),
            hold_ms: rules.hold_ms,
            order_seats_max: narrow(rules.order_seats_max, "rules.order_seats_max")?,
            buyer_seats_max: narrow(rules.buyer_seats_max, "rules.buyer_seats_max")?,
            currency: narrow(rules.currency.as_slice(), "rules.currency")?,
            queue: queue.transpose()?,
            room_shard: shard(rules.room_shard, "rules.room_shard")?,
        })
    }
}

impl From<&SectionPlan> for v1::SectionPlan {
    fn from(plan: &SectionPlan) -> Self {
        use v1::section_plan::Layout as Wire;
        let layout = match &plan.layout {
            Layout::Seated {
                rows,
                seats_per_row,
                blocked,
                accessible,
            } => Wire::Seated(v1::Seated {
                rows: (*rows).into(),
                seats_per_row: (*seats_per_row).into(),
                blocked: seat_numbers(blocked),
                accessible: seat_numbers(accessible),
            }),
            Layout::Standing { capacity } => Wire::Standing(*capacity),
        };
        Self {
            shard: plan.shard.0.into(),
            price: plan.price,
            tier: plan.tier.into(),
            layout: Some(layout),
        }
    }
}

impl TryFrom<v1::SectionPlan> for SectionPlan {
    type Error = DecodeError;

    fn try_from(plan: v1::SectionPlan) -> Result<Self, DecodeError> {
        use v1::section_plan::Layout as Wire;
        let layout = match required(plan.layout, "section.layout")? {
            Wire::Seated(seated) => Layout::Seated {
                rows: narrow(seated.rows, "section.rows")?,
                seats_per_row: narrow(seated.seats_per_row, "section.seats_per_row")?,
                blocked: seats(&seated.blocked)?,
                accessible: seats(&seated.accessible)?,
            },
            Wire::Standing(capacity) => Layout::Standing { capacity },
        };
        Ok(Self {
            shard: shard(plan.shard, "section.shard")?,
            layout,
            price: plan.price,
            tier: narrow(plan.tier, "section.tier")?,
        })
    }
}

impl From<&EventPlan> for v1::EventPlan {
    fn from(plan: &EventPlan) -> Self {
        Self {
            event: Some(id(plan.event.0)),
            version: plan.version,
            rules: Some((&plan.rules).into()),
            sections: plan.sections.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::EventPlan> for EventPlan {
    type Error = DecodeError;

    fn try_from(plan: v1::EventPlan) -> Result<Self, DecodeError> {
        Ok(Self {
            event: EventId(from_id(plan.event, "event")?),
            version: plan.version,
            rules: required(plan.rules, "event.rules")?.try_into()?,
            sections: plan
                .sections
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
        })
    }
}
