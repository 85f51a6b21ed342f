//! P1, and fencing: a second, naive account of who has which place, fact by fact. A place is taken
//! when it is free, and moved afterwards only for the leg that has it, in the order held, pinned,
//! sold; every hold has a number of its own, and a pin that names another one moves nothing; a leg
//! that its home has released is never held again.

use std::collections::{BTreeMap, BTreeSet};

use ledger::change::{Change, Moved};
use ledger::event::Layout;
use ledger::message::Message;
use ledger::outcome::Places;
use ledger::seats::SeatStatus;
use ledger::{Command, Generation, LegKey, SeatNo, SectionKey, SectionNo, ShardId};

use super::Course;
use super::course::{Act, Entry};

/// Who has what.
#[derive(Default)]
struct Account {
    seats: BTreeMap<(SectionKey, SeatNo), LegKey>,
    legs: BTreeMap<(ShardId, LegKey), (SeatStatus, Places, Generation)>,
    newest: BTreeMap<ShardId, Generation>,
    blocked: BTreeSet<(SectionKey, SeatNo)>,
    released: BTreeSet<(ShardId, LegKey)>,
    wrong: Vec<String>,
}

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut account = Account::default();
    for entry in &course.trail {
        for act in &entry.acts {
            account.plan(act);
            account.pins(entry, act);
            act.facts
                .iter()
                .for_each(|fact| account.fact(entry, act, fact));
            account.releases(entry, act);
        }
    }
    account.wrong
}

impl Account {
    fn plan(&mut self, act: &Act) {
        let Command::InstallEvent(plan) = &act.command else {
            return;
        };
        for (number, section) in plan.sections.iter().enumerate() {
            let section_no = SectionNo(number as u16);
            let key = SectionKey {
                event: plan.event,
                section: section_no,
            };
            if let Layout::Seated { blocked, .. } = &section.layout {
                self.blocked.extend(blocked.iter().map(|seat| (key, *seat)));
            }
        }
    }

    fn pins(&mut self, entry: &Entry, act: &Act) {
        for (leg, named) in &act.pins {
            let pinned = act.facts.iter().any(|fact| match fact {
                Change::SeatsPinned(moved) => moved.leg == *leg,
                _ => false,
            });
            let held = self.legs.get(&(entry.shard, *leg)).map(|(.., held)| *held);
            if pinned && held != Some(*named) {
                self.note(
                    entry,
                    format!("a pin of {named:?} moved {leg:?}, which is {held:?}"),
                );
            }
        }
    }

    fn releases(&mut self, entry: &Entry, act: &Act) {
        let Command::Deliver { messages, .. } = &act.command else {
            return;
        };
        for message in messages.iter().filter(|_| act.outcome.is_ok()) {
            if let Message::Release { leg } = message {
                self.released.insert((entry.shard, *leg));
            }
        }
    }

    fn fact(&mut self, entry: &Entry, act: &Act, fact: &Change) {
        use SeatStatus::{Held, Pinned, Sold};
        match fact {
            Change::SeatsHeld(moved) => self.held(entry, act, moved),
            Change::SeatsPinned(moved) => self.moved(entry, moved, &[Held], Some(Pinned)),
            Change::SeatsUnpinned(moved) => self.moved(entry, moved, &[Pinned], Some(Held)),
            Change::SeatsSold(moved) => self.moved(entry, moved, &[Pinned], Some(Sold)),
            Change::SeatsFreed(moved) => self.moved(entry, moved, &[Held, Pinned], None),
            Change::SaleRevoked(moved) => self.moved(entry, moved, &[Sold], None),
            _ => {}
        }
    }

    fn held(&mut self, entry: &Entry, act: &Act, moved: &Moved) {
        let generation = act.holds.iter().find(|(leg, _)| *leg == moved.leg);
        let generation = generation.map_or(Generation(0), |(_, generation)| *generation);
        let newest = self.newest.entry(entry.shard).or_default();
        // Undone in the same command: nobody ever knew its number.
        if generation.0 > 0 {
            if generation <= *newest {
                let found = format!("{:?} got {generation:?} after {newest:?}", moved.leg);
                self.note(entry, found);
            } else {
                *newest = generation;
            }
        }
        for seat in seats(moved) {
            if self.blocked.contains(&(moved.section, seat)) {
                self.note(entry, format!("{seat:?} is not for sale and is held"));
            }
            if let Some(owner) = self.seats.insert((moved.section, seat), moved.leg) {
                self.note(
                    entry,
                    format!("{seat:?} is held for {:?}, and was {owner:?}'s", moved.leg),
                );
            }
        }
        let key = (entry.shard, moved.leg);
        if self.released.contains(&key) {
            self.note(entry, format!("{:?} is held, and was released", moved.leg));
        }
        let before = self
            .legs
            .insert(key, (SeatStatus::Held, moved.places, generation));
        if let Some(before) = before {
            self.note(entry, format!("{:?} is held twice: {before:?}", moved.leg));
        }
    }

    fn moved(&mut self, entry: &Entry, moved: &Moved, from: &[SeatStatus], to: Option<SeatStatus>) {
        let key = (entry.shard, moved.leg);
        let known = self.legs.get(&key).copied();
        let fits = known
            .is_some_and(|(status, places, _)| from.contains(&status) && places == moved.places);
        if !fits {
            self.note(entry, format!("{moved:?} becomes {to:?} and was {known:?}"));
        }
        for seat in seats(moved) {
            let owner = self.seats.get(&(moved.section, seat)).copied();
            if owner != Some(moved.leg) {
                self.note(
                    entry,
                    format!("{seat:?} moves for {:?} and is {owner:?}'s", moved.leg),
                );
            }
            if to.is_none() {
                self.seats.remove(&(moved.section, seat));
            }
        }
        match (to, self.legs.get_mut(&key)) {
            (Some(to), Some(leg)) => leg.0 = to,
            _ => drop(self.legs.remove(&key)),
        }
    }

    fn note(&mut self, entry: &Entry, found: String) {
        self.wrong.push(format!(
            "shard {} entry {}: {found}",
            entry.shard, entry.index
        ));
    }
}

fn seats(moved: &Moved) -> Vec<SeatNo> {
    match &moved.places {
        Places::Seats(list) => list.as_slice().to_vec(),
        Places::Standing(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::hand::{entry, order, seat, with};

    fn holding(mut entry: Entry, leg: LegKey, generation: u64) -> Entry {
        entry.acts[0].holds.push((leg, Generation(generation)));
        entry
    }

    #[test]
    fn a_seat_moves_for_whoever_has_it_and_for_nobody_else() {
        let (a, b) = (seat(order(1, 1), 7), seat(order(1, 2), 7));
        let held = |index, moved: Moved, generation| {
            let entry = entry(1, index, index * 10, vec![Change::SeatsHeld(moved)]);
            holding(entry, moved.leg, generation)
        };
        let then = |index, fact| entry(1, index, index * 10, vec![fact]);
        let good = vec![
            held(1, a, 1),
            then(2, Change::SeatsPinned(a)),
            then(3, Change::SeatsUnpinned(a)),
            then(4, Change::SeatsFreed(a)),
            held(5, b, 2),
            then(6, Change::SeatsPinned(b)),
            then(7, Change::SeatsSold(b)),
        ];
        assert_eq!(check(&with(good.clone())), Vec::<String>::new());

        let taken_twice = vec![held(1, a, 1), held(2, b, 2)];
        let sold_unpinned = vec![held(1, a, 1), then(2, Change::SeatsSold(a))];
        let freed_by_another = vec![held(1, a, 1), then(2, Change::SeatsFreed(b))];
        let same_number = vec![held(1, a, 1), then(2, Change::SeatsFreed(a)), held(3, b, 1)];
        let mut released = vec![held(1, a, 1), then(2, Change::SeatsFreed(a)), held(3, a, 2)];
        released[1].acts[0].command = Command::Deliver {
            from: ShardId(2),
            first: 1,
            messages: vec![Message::Release { leg: a.leg }],
        };
        let mut old_pin = vec![held(1, a, 2), then(2, Change::SeatsPinned(a))];
        old_pin[1].acts[0].pins.push((a.leg, Generation(1)));
        for bad in [
            taken_twice,
            sold_unpinned,
            freed_by_another,
            same_number,
            released,
            old_pin,
        ] {
            assert_ne!(check(&with(bad)), Vec::<String>::new());
        }
    }
}
