//! How long leaders have led, as one mover has seen it: a leadership goes back to the node that had better
//! have it only when somebody else has held it for a while. A node that comes and goes would otherwise
//! take its groups along each time, and each time its end is an election.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::plan::Step;
use tokio::time::Instant;

use super::Look;

/// A leader that has led for less is left alone, unless an operator has just asked for another one.
const LED_FOR: Duration = Duration::from_secs(10);

/// What one mover remembers of leaders. Nothing is lost with it but a little patience.
#[derive(Default)]
pub struct Tenures {
    /// Of the placement that was looked at last.
    placement: Option<u64>,
    /// Each group's leader, and since when; `None`: for long enough.
    leaders: BTreeMap<u32, (u64, Option<Instant>)>,
}

impl Tenures {
    /// Notes who leads now. Another placement is an operator's word, or a node's farewell: whatever it
    /// wants, it wants now.
    pub fn note(&mut self, look: &Look, now: Instant) {
        let placement = look.registry.placement().version;
        let changed = self.placement.is_some_and(|last| last != placement);
        self.placement = Some(placement);
        for (group, seen) in &look.seen {
            let Some(seen) = seen else { continue };
            let tenure = self.leaders.entry(*group).or_insert((0, None));
            if tenure.0 != seen.leader {
                *tenure = (seen.leader, Some(now));
            }
            if changed {
                tenure.1 = None;
            }
        }
    }

    /// This mover had somebody lead a group: on the way to what is wanted, nobody has to be patient.
    pub fn moved(&mut self, step: &Step) {
        if let Step::MoveLeader { group, to } = step {
            self.leaders.insert(*group, (*to, None));
        }
    }

    /// Whether a step only gives a leadership back, and somebody took it a moment ago.
    pub fn is_too_soon(&self, look: &Look, step: &Step, now: Instant) -> bool {
        let Step::MoveLeader { group, to } = step else {
            return false;
        };
        let Some(Some(seen)) = look.seen.get(group) else {
            return false;
        };
        let wish = look.registry.placement().groups.get(group);
        // Otherwise votes are to move, and the leader goes first.
        let back =
            wish.is_some_and(|wish| wish.leader == Some(*to) && wish.voters == seen.voters());
        let tenure = self.leaders.get(group).and_then(|(_, since)| *since);
        back && tenure.is_some_and(|since| now.duration_since(since) < LED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cluster::members::{Placement, Registry, Wish};
    use cluster::plan::GroupSeen;

    use super::*;

    fn look(placement: u64, leader: u64) -> Look {
        let voters = BTreeSet::from([1, 2, 3]);
        let wish = Wish {
            voters: voters.clone(),
            leader: Some(1),
        };
        let placement = Placement {
            version: placement,
            replication: 3,
            groups: BTreeMap::from([(4, wish)]),
        };
        let seen = GroupSeen {
            leader,
            configs: vec![voters],
            ..GroupSeen::default()
        };
        Look {
            shards: 4,
            registry: Registry::from_parts(BTreeMap::new(), BTreeSet::new(), placement),
            seen: BTreeMap::from([(4, Some(seen))]),
            memberships: BTreeMap::new(),
        }
    }

    const BACK: Step = Step::MoveLeader { group: 4, to: 1 };

    #[test]
    fn a_leadership_goes_back_when_it_was_held_for_a_while_or_an_operator_says_so() {
        let (start, mut tenures) = (Instant::now(), Tenures::default());
        let after = |seconds| start + Duration::from_secs(seconds);
        tenures.note(&look(1, 1), start);
        tenures.note(&look(1, 2), after(20));
        assert!(tenures.is_too_soon(&look(1, 2), &BACK, after(29)));
        assert!(!tenures.is_too_soon(&look(1, 2), &BACK, after(30)));
        tenures.note(&look(1, 3), after(31));
        assert!(tenures.is_too_soon(&look(1, 3), &BACK, after(40)), "anew");
        tenures.note(&look(2, 3), after(32));
        assert!(
            !tenures.is_too_soon(&look(2, 3), &BACK, after(32)),
            "an operator's word"
        );
        let aside = Step::MoveLeader { group: 4, to: 2 };
        tenures.moved(&aside);
        tenures.note(&look(2, 2), after(33));
        assert!(
            !tenures.is_too_soon(&look(2, 2), &BACK, after(33)),
            "on the way"
        );
    }

    #[test]
    fn a_new_mover_waits_and_leaders_that_have_to_go_do_not() {
        let (start, mut tenures) = (Instant::now(), Tenures::default());
        tenures.note(&look(7, 2), start);
        assert!(tenures.is_too_soon(&look(7, 2), &BACK, start));
        let mut moving = look(7, 2);
        let seen = moving.seen.get_mut(&4).and_then(Option::as_mut);
        seen.expect("it was seen").configs = vec![BTreeSet::from([2, 3, 4])];
        assert!(!tenures.is_too_soon(&moving, &BACK, start));
    }
}
