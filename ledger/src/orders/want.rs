//! Whether what an order asks for is well formed. Pure checks against the event's plan.

use std::collections::BTreeSet;

use probes::Bug;

use crate::command::{OpenOrder, Want};
use crate::event::{EventPlan, Layout, SectionPlan};
use crate::ids::*;
use crate::limits::*;
use crate::outcome::Rejection;

/// Checks all legs of `open`, in the order of [`Rejection`]s, and gives the places wanted.
pub(super) fn check_order(plan: &EventPlan, open: &OpenOrder) -> Result<u16, Rejection> {
    if open.legs.is_empty() || open.legs.len() > LEGS_PER_ORDER_MAX {
        return Err(Rejection::OrderInvalid);
    }
    if open.legs.iter().any(|leg| !well_formed(&leg.want)) || names_a_section_twice(open) {
        return Err(Rejection::OrderInvalid);
    }
    for leg in &open.legs {
        check_leg(plan, leg.shard, &leg.want)?;
    }
    let places: u16 = open.legs.iter().map(|leg| leg.want.count()).sum();
    let max = plan.rules.order_seats_max.min(SEATS_PER_ORDER_MAX);
    if places > max && !probes::planted(Bug::OrderOverCap) {
        return Err(Rejection::OrderSeatsMax { max });
    }
    Ok(places)
}

/// Checks what one leg wants of `shard`.
pub(super) fn check_leg(plan: &EventPlan, shard: ShardId, want: &Want) -> Result<(), Rejection> {
    if !well_formed(want) {
        return Err(Rejection::OrderInvalid);
    }
    let named = |section: SectionNo| -> Result<&SectionPlan, Rejection> {
        let plan = plan
            .section(section)
            .ok_or(Rejection::SectionUnknown { section })?;
        if plan.shard == shard {
            Ok(plan)
        } else {
            Err(Rejection::OrderInvalid)
        }
    };
    match want {
        Want::Seats { section, seats } => {
            let plan = named(*section)?;
            let seated = matches!(plan.layout, Layout::Seated { .. });
            let capacity = plan.layout.capacity();
            match seats
                .as_slice()
                .iter()
                .find(|seat| !seated || u32::from(seat.0) >= capacity)
            {
                Some(seat) => Err(Rejection::SeatUnknown {
                    section: *section,
                    seat: *seat,
                }),
                None => Ok(()),
            }
        }
        Want::Standing { section, .. } => match named(*section)?.layout {
            Layout::Standing { .. } => Ok(()),
            Layout::Seated { .. } => Err(Rejection::OrderInvalid),
        },
        Want::Best { sections, .. } => sections
            .iter()
            .try_for_each(|section| named(*section).map(drop)),
    }
}

/// What can be said without the event.
fn well_formed(want: &Want) -> bool {
    let count = usize::from(want.count());
    if count == 0 || count > SEATS_PER_LEG_MAX {
        return false;
    }
    match want {
        Want::Seats { seats, .. } => {
            let seats = seats.as_slice();
            (1..seats.len()).all(|i| !seats[..i].contains(&seats[i]))
        }
        Want::Standing { .. } => true,
        Want::Best { sections, .. } => {
            !sections.is_empty()
                && sections.len() <= SECTIONS_PER_EVENT_MAX
                && (sections.len() == 1
                    || sections.iter().collect::<BTreeSet<_>>().len() == sections.len())
        }
    }
}

/// Two legs that name the same section would be one leg.
fn names_a_section_twice(open: &OpenOrder) -> bool {
    let named = |want: &Want| match want {
        Want::Seats { section, .. } | Want::Standing { section, .. } => Some(*section),
        Want::Best { .. } => None,
    };
    open.legs.iter().enumerate().any(|(i, leg)| {
        named(&leg.want).is_some()
            && open.legs[..i]
                .iter()
                .any(|other| named(&other.want) == named(&leg.want))
    })
}
