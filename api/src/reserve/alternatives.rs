//! Seats to offer instead of a taken one: the nearest that are free, as the local replica sees it.
//! Best effort; they may be gone by the time somebody asks for them.

use cluster::catalogue::EventRecord;
use cluster::names;
use ledger::command::{LegWant, Want};
use ledger::seats::{SeatStatus, Section, Shape};
use ledger::{Rejection, SeatNo, SectionKey, SectionNo};

use crate::state::AppState;

const OFFERED_MAX: usize = 8;
const ROWS_AWAY_MAX: u16 = 3;
const SEATS_AWAY_MAX: u16 = 24;

/// Ids of free seats near the wanted ones, nearest first.
pub fn near(
    state: &AppState,
    record: &EventRecord,
    legs: &[LegWant],
    why: Rejection,
) -> Vec<String> {
    let told = match why {
        Rejection::SeatNotAvailable { section, seat } => Some((section, seat)),
        _ => None,
    };
    let wanted = |leg: &LegWant| match &leg.want {
        Want::Seats { section, seats } => seats.as_slice().first().map(|seat| (*section, *seat)),
        _ => None,
    };
    let Some((section, seat)) = told.or_else(|| legs.iter().find_map(wanted)) else {
        return Vec::new();
    };
    let Some(plan) = record.plan.section(section) else {
        return Vec::new();
    };
    let key = SectionKey {
        event: record.plan.event,
        section,
    };
    let also_wanted = |place: SeatNo| {
        legs.iter().any(|leg| {
            matches!(&leg.want, Want::Seats { section: known, seats }
                if *known == section && seats.as_slice().contains(&place))
        })
    };
    let found = state.read(plan.shard, |ledger, _| {
        let section = ledger.seats().section(key)?;
        Some(free_near(section, seat, &also_wanted))
    });
    let seats = found.ok().flatten().unwrap_or_default();
    named(record, section, &seats)
}

fn free_near(section: &Section, seat: SeatNo, also_wanted: &dyn Fn(SeatNo) -> bool) -> Vec<SeatNo> {
    let Shape::Seated {
        rows,
        seats_per_row,
    } = section.shape()
    else {
        return Vec::new();
    };
    let (row, number) = names::row_and_number(seats_per_row, seat);
    let mut found = Vec::new();
    let mut offer = |row: u16, number: u16| {
        if let Some(place) = names::seat_no(rows, seats_per_row, row, number)
            && section.state_of(place) == Some(SeatStatus::Available)
            && !also_wanted(place)
            && found.len() < OFFERED_MAX
        {
            found.push(place);
        }
    };
    for away in 0..=ROWS_AWAY_MAX {
        for row in both_sides(row, away) {
            for aside in 0..=SEATS_AWAY_MAX {
                both_sides(number, aside).for_each(|number| offer(row, number));
            }
        }
    }
    if found.is_empty() && section.counts().available > 0 {
        let free = section
            .states()
            .enumerate()
            .filter(|(_, state)| *state == SeatStatus::Available);
        let places = free
            .map(|(place, _)| SeatNo(place as u16))
            .filter(|place| !also_wanted(*place));
        found.extend(places.take(OFFERED_MAX));
    }
    found
}

/// `from - away` and `from + away`; once when they are the same. 0 stands for "before the first".
fn both_sides(from: u16, away: u16) -> impl Iterator<Item = u16> {
    let before = from.saturating_sub(away);
    let after = (away > 0).then(|| from.saturating_add(away));
    std::iter::once(before).chain(after)
}

fn named(record: &EventRecord, section: SectionNo, seats: &[SeatNo]) -> Vec<String> {
    let Some(ledger::event::Layout::Seated { seats_per_row, .. }) =
        record.plan.section(section).map(|plan| &plan.layout)
    else {
        return Vec::new();
    };
    let name = record.section_name(section);
    seats
        .iter()
        .map(|seat| names::seat_id(name, *seats_per_row, *seat))
        .collect()
}
