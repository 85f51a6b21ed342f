//! P6: one place a person, and a place never gets worse: everybody is in the roster once; the
//! position that is told is the draw's (or after it the order of arrival) and stays; nobody is
//! told that they may enter before the cursor has passed them; the cursor never goes back and
//! keeps the rate.

use std::collections::{BTreeMap, BTreeSet};

use api::config::OWN_ISSUER;
use ledger::change::Change;
use ledger::{BuyerId, Command, EventId};

use super::Course;
use super::course::RoomView;
use crate::client::Reply;

/// Credit that admits one person: a rate a minute, times milliseconds.
const PERSON: u64 = 60_000;
/// The bucket holds a second's worth, and a person's fraction.
const BURST_MS: u64 = 1_000;

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut wrong = cursors(course);
    for room in &course.rooms {
        let once: BTreeSet<_> = room.roster.iter().collect();
        if once.len() != room.roster.len() {
            wrong.push(format!(
                "{:032x}: somebody is in the roster twice",
                room.event.0
            ));
        }
    }
    // Whose a queue token is: of whoever was given it first.
    let mut owners: BTreeMap<String, (BuyerId, EventId)> = BTreeMap::new();
    for op in &course.ops {
        let Reply::Answered(200, body) = &op.reply else {
            continue;
        };
        if let Some(event) = op.path.strip_prefix("/api/v1/queue/join?event_id=") {
            let Some(event) = event.parse::<uuid::Uuid>().ok() else {
                continue;
            };
            let (who, event) = (
                api::auth::person(OWN_ISSUER, &op.who),
                EventId(event.as_u128()),
            );
            let room = course.rooms.iter().find(|room| room.event == event);
            if room.is_some_and(|room| !room.roster.contains(&who)) {
                wrong.push(format!(
                    "{} was told to have joined and is not in the roster",
                    op.who
                ));
            }
            if let Some(token) = body["queue_token"].as_str() {
                owners.insert(token.to_owned(), (who, event));
            }
        }
    }
    for op in course
        .ops
        .iter()
        .filter(|op| op.path == "/api/v1/queue/status")
    {
        let Reply::Answered(200, body) = &op.reply else {
            continue;
        };
        let Some((room, index)) = owners.get(&op.token).and_then(|(who, event)| {
            let room = course.rooms.iter().find(|room| room.event == *event)?;
            let index = room.roster.iter().position(|known| known == who)?;
            Some((room, index as u64))
        }) else {
            continue;
        };
        let told = body["queue_position"].as_u64();
        let position = room.position(index);
        if told.is_some() && told != position.map(|position| position + 1) {
            wrong.push(format!(
                "{} was told position {told:?} and has {position:?}",
                op.who
            ));
        }
        if body["status"] == "admitted" {
            let reached = course.facts().any(|(entry, fact)| match fact {
                Change::QueueAdmitted { event, cursor } => {
                    *event == room.event
                        && Some(*cursor) > position
                        && entry.applied_at <= op.returned
                }
                _ => false,
            });
            if !reached {
                wrong.push(format!("{} was told to enter before their turn", op.who));
            }
        }
    }
    wrong
}

/// The cursor's account, beside the ledger's.
#[derive(Default)]
struct Cursor {
    at: u64,
    joined: u64,
    credit: u64,
    stepped_at: Option<u64>,
    rate: u64,
}

fn cursors(course: &Course) -> Vec<String> {
    let mut wrong = Vec::new();
    let rooms: BTreeMap<_, &RoomView> =
        course.rooms.iter().map(|room| (room.event, room)).collect();
    let mut cursors: BTreeMap<EventId, Cursor> = BTreeMap::new();
    for entry in &course.trail {
        for act in &entry.acts {
            let rules = match &act.command {
                Command::InstallEvent(plan) => Some((plan.event, &plan.rules)),
                Command::SetRules { event, rules, .. } => Some((*event, &**rules)),
                _ => None,
            };
            if let Some((event, rules)) = rules
                && rooms
                    .get(&event)
                    .is_some_and(|room| room.shard == entry.shard)
            {
                let rate = rules
                    .queue
                    .as_ref()
                    .map_or(0, |queue| queue.admit_per_minute);
                let cursor = cursors.entry(event).or_default();
                // What was earned until now was earned at either rate; the higher one is allowed.
                cursor.rate = cursor.rate.max(rate.into());
            }
            for fact in &act.facts {
                match fact {
                    Change::QueueJoined { event, joined } => {
                        cursors.entry(*event).or_default().joined = *joined;
                    }
                    Change::QueueDrawn { event, .. } => {
                        cursors.entry(*event).or_default().stepped_at = Some(entry.at.0);
                    }
                    Change::QueueAdmitted { event, cursor } => {
                        let known = cursors.entry(*event).or_default();
                        if let Some(why) = known.step(*cursor, entry.at.0) {
                            wrong.push(format!(
                                "shard {} entry {}: {why}",
                                entry.shard, entry.index
                            ));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    wrong
}

impl Cursor {
    fn step(&mut self, to: u64, now: u64) -> Option<String> {
        let Some(stepped_at) = self.stepped_at else {
            return Some("somebody was admitted before the draw".to_owned());
        };
        let (from, joined) = (self.at, self.joined);
        if to <= from || to > joined {
            return Some(format!(
                "the cursor went from {from} to {to}, of {joined} people"
            ));
        }
        let full = PERSON.max(self.rate * BURST_MS) + PERSON;
        let earned = now.saturating_sub(stepped_at).saturating_mul(self.rate);
        self.credit = (self.credit + earned).min(full);
        self.stepped_at = Some(now.max(stepped_at));
        self.at = to;
        let cost = (to - from) * PERSON;
        let fits = cost <= self.credit;
        self.credit = self.credit.saturating_sub(cost);
        (!fits).then(|| {
            format!(
                "{} people were admitted at once at {} a minute",
                to - from,
                self.rate
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checker::hand::{entry, op, swapped, with};

    const EVENT: EventId = EventId(1);

    #[test]
    fn a_cursor_keeps_its_rate_and_its_direction() {
        let mut cursor = Cursor {
            joined: 100,
            rate: 60,
            stepped_at: Some(0),
            ..Cursor::default()
        };
        assert_eq!(cursor.step(1, 1_000), None);
        assert_eq!(cursor.step(2, 2_000), None);
        assert!(cursor.step(2, 3_000).is_some(), "it stood still");
        assert!(cursor.step(1, 4_000).is_some(), "it went back");
        assert!(cursor.step(9, 4_000).is_some(), "a rush");
        assert!(cursor.step(101, 400_000).is_some(), "more than joined");
    }

    #[test]
    fn what_is_told_of_a_place_is_the_draws() {
        let who = |name| api::auth::person(OWN_ISSUER, name);
        let admitted = Change::QueueAdmitted {
            event: EVENT,
            cursor: 1,
        };
        let drawn = Change::QueueDrawn {
            event: EVENT,
            people: 2,
        };
        let joined = Change::QueueJoined {
            event: EVENT,
            joined: 2,
        };
        let run = |name: &str, position: u64, status: &str, at: u64| {
            let mut course = with(vec![
                entry(1, 1, 1_000, vec![joined, drawn]),
                entry(1, 2, 5_000, vec![admitted]),
            ]);
            course.trail[0].acts[0].command = Command::Tick;
            course.rooms.push(swapped(1, [who("ann"), who("bob")]));
            let path = format!("/api/v1/queue/join?event_id={}", uuid::Uuid::from_u128(1));
            course.ops.push(op(
                name,
                0,
                500,
                "POST",
                &path,
                Some((200, json!({"queue_token": "t"}))),
            ));
            let told = json!({"queue_position": position, "status": status});
            let mut asked = op(
                name,
                at,
                at + 10,
                "GET",
                "/api/v1/queue/status",
                Some((200, told)),
            );
            asked.token = "t".to_owned();
            course.ops.push(asked);
            // The rate is not what this is about.
            check(&course)
                .into_iter()
                .filter(|found| !found.contains("a minute"))
                .count()
        };
        assert_eq!(run("bob", 1, "admitted", 5_000), 0);
        assert_eq!(run("ann", 2, "waiting", 9_000), 0);
        assert_eq!(run("bob", 2, "waiting", 2_000), 1, "a worse place");
        assert_eq!(run("bob", 1, "admitted", 2_000), 1, "too early");
        assert_eq!(run("ann", 2, "admitted", 9_000), 1, "never up");
        assert!(run("eve", 1, "waiting", 9_000) > 0, "not in the roster");
    }
}
