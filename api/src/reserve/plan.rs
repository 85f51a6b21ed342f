//! From a request to the legs of an order: which sections, in which shards, tried in which order.
//!
//! When the caller gave an `Idempotency-Key`, the tries and their order follow from the request
//! and the plan alone, never from what happens to be free: a repeat walks the same tries and finds
//! the order that the first walk made. A shard that is also home comes last then, because what it
//! refuses leaves no trace a repeat could find.

use cluster::catalogue::EventRecord;
use cluster::names;
use ledger::command::{LegWant, Want};
use ledger::event::{Layout, SectionPlan};
use ledger::limits::{LEGS_PER_ORDER_MAX, SEATS_PER_LEG_MAX};
use ledger::seat_list::SeatList;
use ledger::{SectionKey, SectionNo, ShardId};

use super::Seed;
use super::request::{BestAvailable, ReserveRequest};
use crate::problem::{Code, Problem};
use crate::state::AppState;

/// Shards asked for the best seats before giving up.
const TRIES_MAX: usize = 16;

/// What to try, one after the other.
pub struct Plans {
    /// The legs of each try.
    pub tries: Vec<Vec<LegWant>>,
    /// Whether a refusal means trying the next.
    pub best: bool,
}

/// The tries of a request.
pub fn plans(
    state: &AppState,
    record: &EventRecord,
    request: &ReserveRequest,
    seed: &Seed,
) -> Result<Plans, Problem> {
    let named = !request.seat_ids.is_empty() || !request.general_admission.is_empty();
    match &request.best_available {
        Some(_) if named => Err(Problem::field(
            "best_available",
            "either best_available, or seat_ids and general_admission",
        )),
        Some(best) => Ok(Plans {
            tries: best_tries(state, record, best, seed)?,
            best: true,
        }),
        None if !named => Err(Problem::field(
            "seat_ids",
            "say which seats, or best_available",
        )),
        None => Ok(Plans {
            tries: vec![named_legs(record, request)?],
            best: false,
        }),
    }
}

fn named_legs(record: &EventRecord, request: &ReserveRequest) -> Result<Vec<LegWant>, Problem> {
    let mut sections: Vec<(SectionNo, SeatList)> = Vec::new();
    for (number, id) in request.seat_ids.iter().enumerate() {
        let field = || format!("seat_ids[{number}]");
        let unknown = || Problem::new(Code::SeatUnknown, "no such seat").at(field());
        let (name, row, place) = names::parse_seat_id(id).ok_or_else(unknown)?;
        // Seats of one section mostly come together, and names are compared, not hashed.
        let last = sections.last().map(|(section, _)| *section);
        let section = last
            .filter(|section| record.section_name(*section) == name)
            .or_else(|| record.section_no(name))
            .ok_or_else(unknown)?;
        let plan = record.plan.section(section).ok_or_else(unknown)?;
        let Layout::Seated {
            rows,
            seats_per_row,
            ..
        } = plan.layout
        else {
            return Err(
                Problem::new(Code::SeatUnknown, "this section has no numbered seats").at(field()),
            );
        };
        let seat = names::seat_no(rows, seats_per_row, row, place).ok_or_else(unknown)?;
        let at = sections
            .iter()
            .position(|(known, _)| *known == section)
            .unwrap_or_else(|| {
                sections.push((section, SeatList::default()));
                sections.len() - 1
            });
        let list = &mut sections[at].1;
        if list.as_slice().contains(&seat) {
            return Err(Problem::field(field(), "this seat is named twice"));
        }
        if !list.push(seat) {
            let detail = format!("at most {SEATS_PER_LEG_MAX} seats of one section");
            return Err(Problem::new(Code::TooManySeats, detail).at("seat_ids"));
        }
    }
    let mut legs: Vec<LegWant> = Vec::with_capacity(sections.len());
    for (section, seats) in sections {
        let shard = record.plan.section(section).expect("found above").shard;
        legs.push(LegWant {
            shard,
            want: Want::Seats { section, seats },
        });
    }
    for (number, want) in request.general_admission.iter().enumerate() {
        let field = |name: &str| format!("general_admission[{number}].{name}");
        let section = record.section_no(&want.section).ok_or_else(|| {
            Problem::new(Code::SectionUnknown, "no such section").at(field("section"))
        })?;
        let plan = record
            .plan
            .section(section)
            .expect("the catalogue names only sections it has");
        let Layout::Standing { .. } = plan.layout else {
            return Err(Problem::field(
                field("section"),
                "this section has numbered seats; name them",
            ));
        };
        if !(1..=SEATS_PER_LEG_MAX).contains(&usize::from(want.count)) {
            return Err(Problem::field(
                field("count"),
                format!("1 to {SEATS_PER_LEG_MAX}"),
            ));
        }
        if legs.iter().any(
            |leg| matches!(leg.want, Want::Standing { section: known, .. } if known == section),
        ) {
            return Err(Problem::field(
                field("section"),
                "this section is named twice",
            ));
        }
        legs.push(LegWant {
            shard: plan.shard,
            want: Want::Standing {
                section,
                count: want.count,
            },
        });
    }
    if legs.len() > LEGS_PER_ORDER_MAX {
        let detail = format!("seats of at most {LEGS_PER_ORDER_MAX} sections in one order");
        return Err(Problem::new(Code::TooManySeats, detail).at("seat_ids"));
    }
    Ok(legs)
}

/// A section that may serve, best first by (tier, price, number).
struct Candidate {
    rank: (u16, u64),
    section: SectionNo,
    shard: ShardId,
}

fn best_tries(
    state: &AppState,
    record: &EventRecord,
    best: &BestAvailable,
    seed: &Seed,
) -> Result<Vec<Vec<LegWant>>, Problem> {
    if !(1..=SEATS_PER_LEG_MAX).contains(&usize::from(best.count)) {
        return Err(Problem::field(
            "best_available.count",
            format!("1 to {SEATS_PER_LEG_MAX}"),
        ));
    }
    let mut candidates = candidates(record, best)?;
    candidates.sort_by_key(|candidate| (candidate.rank, candidate.section));
    // Shards in the order of their best section.
    let mut shards: Vec<(ShardId, (u16, u64), Vec<SectionNo>)> = Vec::new();
    for candidate in &candidates {
        match shards
            .iter_mut()
            .find(|(shard, ..)| *shard == candidate.shard)
        {
            Some((_, _, sections)) => sections.push(candidate.section),
            None => shards.push((candidate.shard, candidate.rank, vec![candidate.section])),
        }
    }
    let count = shards.len().max(1);
    let turn = seed.turn();
    let turned = |shard: ShardId| (usize::from(shard.0) + turn) % count;
    if seed.keyed {
        shards.sort_by_key(|(shard, rank, _)| (*shard == seed.home, *rank, turned(*shard)));
    } else {
        let room = |shard: ShardId, sections: &[SectionNo]| {
            has_room(state, record, shard, sections, best.count)
        };
        shards.sort_by_cached_key(|(shard, rank, sections)| {
            (!room(*shard, sections), *rank, turned(*shard))
        });
        // Those that are full as far as we know are asked only when nobody else is there to ask.
        let promising = shards
            .iter()
            .filter(|(shard, _, sections)| room(*shard, sections))
            .count();
        shards.truncate(promising.max(1));
    }
    shards.truncate(TRIES_MAX);
    let leg = |(shard, _, sections): (ShardId, (u16, u64), Vec<SectionNo>)| {
        let want = Want::Best {
            sections,
            count: best.count,
            accessible: best.accessible,
        };
        vec![LegWant { shard, want }]
    };
    Ok(shards.into_iter().map(leg).collect())
}

fn candidates(record: &EventRecord, best: &BestAvailable) -> Result<Vec<Candidate>, Problem> {
    let mut wanted = Vec::with_capacity(best.sections.len());
    for (number, name) in best.sections.iter().enumerate() {
        let field = || format!("best_available.sections[{number}]");
        let section = record
            .section_no(name)
            .ok_or_else(|| Problem::new(Code::SectionUnknown, "no such section").at(field()))?;
        let seated = record
            .plan
            .section(section)
            .is_some_and(|plan| matches!(plan.layout, Layout::Seated { .. }));
        if !seated {
            return Err(Problem::field(
                field(),
                "this section has no numbered seats",
            ));
        }
        wanted.push(section);
    }
    let fits = |section: SectionNo, plan: &SectionPlan| {
        let shape = match &plan.layout {
            Layout::Seated { accessible, .. } => !best.accessible || !accessible.is_empty(),
            Layout::Standing { .. } => false,
        };
        shape
            && plan.layout.capacity() >= u32::from(best.count)
            && best.max_price.is_none_or(|max| plan.price <= max)
            && (wanted.is_empty() || wanted.contains(&section))
    };
    let numbered = record.plan.sections.iter().enumerate();
    Ok(numbered
        .map(|(number, plan)| (SectionNo(number as u16), plan))
        .filter(|(section, plan)| fits(*section, plan))
        .map(|(section, plan)| Candidate {
            rank: (plan.tier, plan.price),
            section,
            shard: plan.shard,
        })
        .collect())
}

/// Whether a shard seems to have enough places left, as the local replica sees it. Without a
/// replica: perhaps.
fn has_room(
    state: &AppState,
    record: &EventRecord,
    shard: ShardId,
    sections: &[SectionNo],
    count: u8,
) -> bool {
    let event = record.plan.event;
    let left = state.read(shard, |ledger, _| {
        sections.iter().any(|&section| {
            let section = ledger.seats().section(SectionKey { event, section });
            section.is_none_or(|section| section.counts().available >= u32::from(count))
        })
    });
    left.unwrap_or(true)
}
