//! P7: a pass is worth one session: whoever reserves behind a waiting room does so with their own
//! place, once it had come up, before it ended, and never with a second one.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::change::Change;
use ledger::limits::PASS_MS;
use ledger::{BuyerId, Command, EventId, Timestamp};

use super::Course;
use super::course::{Entry, RoomView};

/// When positions came up: by the cursor after it, when and at which stamp.
type Admissions = BTreeMap<EventId, Vec<(u64, Duration, Timestamp)>>;

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut admissions = Admissions::new();
    for (entry, fact) in course.facts() {
        if let Change::QueueAdmitted { event, cursor } = fact {
            let known = admissions.entry(*event).or_default();
            known.push((*cursor, entry.applied_at, entry.at));
        }
    }
    let mut used: BTreeMap<(EventId, BuyerId), u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for entry in &course.trail {
        for act in &entry.acts {
            let Command::OpenOrder(open) = &act.command else {
                continue;
            };
            let opened = |fact: &Change| matches!(fact, Change::OrderOpened { .. });
            let room = course.rooms.iter().find(|room| room.event == open.event);
            let Some(room) = room.filter(|_| act.facts.iter().any(opened)) else {
                continue;
            };
            let Some(pass) = open.pass else {
                wrong.push(format!("{} was opened without a pass", open.order));
                continue;
            };
            let first = *used.entry((open.event, open.buyer)).or_insert(pass.index);
            if first != pass.index {
                wrong.push(format!(
                    "{}: pass {} after pass {first}",
                    open.order, pass.index
                ));
            }
            if let Some(why) = misused(room, &admissions, entry, open.buyer, pass.index) {
                wrong.push(format!("{}: pass {}: {why}", open.order, pass.index));
            }
            let person = entry
                .buyers
                .iter()
                .find(|person| person.buyer == open.buyer);
            if person.is_some_and(|person| person.session != Some(first)) {
                wrong.push(format!("{}: pass {first} was not spent", open.order));
            }
            if entry.at >= pass.until {
                wrong.push(format!("{}: its pass ended before", open.order));
            }
        }
    }
    wrong
}

fn misused(
    room: &RoomView,
    admissions: &Admissions,
    entry: &Entry,
    buyer: BuyerId,
    index: u64,
) -> Option<String> {
    if room.roster.get(index as usize) != Some(&buyer) {
        return Some("it belongs to somebody else".to_owned());
    }
    let Some(position) = room.position(index) else {
        return Some("it was used before the draw".to_owned());
    };
    let known = admissions.get(&room.event).map_or(&[][..], Vec::as_slice);
    let Some((_, applied_at, at)) = known.iter().find(|(cursor, ..)| *cursor > position) else {
        return Some(format!("position {position} never came up"));
    };
    if *applied_at > entry.applied_at {
        return Some(format!("position {position} had not come up"));
    }
    (entry.at >= at.plus_ms(2 * PASS_MS)).then(|| format!("it came up at {at:?}"))
}

#[cfg(test)]
mod tests {
    use ledger::command::{OpenOrder, Pass};

    use super::*;
    use crate::checker::hand::{entry, order, swapped, with};

    fn open(index: u64, ms: u64, n: u128, pass: u64) -> Entry {
        let of = order(1, n);
        let mut entry = entry(1, index, ms, vec![Change::OrderOpened { order: of }]);
        entry.acts[0].command = Command::OpenOrder(Box::new(OpenOrder {
            order: of.order,
            event: EventId(1),
            buyer: BuyerId(7),
            pass: Some(Pass {
                index: pass,
                until: Timestamp(1_000_000),
            }),
            legs: Vec::new(),
        }));
        entry
    }

    fn run(trail: Vec<Entry>) -> usize {
        let admitted = Change::QueueAdmitted {
            event: EventId(1),
            cursor: 1,
        };
        let mut all = vec![entry(2, 1, 1_000, vec![admitted])];
        all.extend(trail);
        let mut course = with(all);
        course.rooms.push(swapped(2, [BuyerId(6), BuyerId(7)]));
        check(&course).len()
    }

    #[test]
    fn a_pass_serves_its_owner_once_their_place_has_come_up() {
        assert_eq!(run(vec![open(1, 2_000, 1, 1), open(2, 3_000, 2, 1)]), 0);
        assert_eq!(run(vec![open(1, 900, 1, 1)]), 1, "too early");
        assert_eq!(run(vec![open(1, 2_000, 1, 0)]), 1, "somebody else's");
        assert_eq!(run(vec![open(1, 1_000_000, 1, 1)]), 1, "over");
    }
}
