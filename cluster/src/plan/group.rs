//! The next step of one group.

use std::collections::BTreeSet;

use super::seen::{Bounds, GroupSeen};
use super::step::{Reason, Step};
use crate::members::{NodeState, Registry, Wish, Zones};

/// What is known when a group's step is chosen.
pub(super) struct Look<'a> {
    pub(super) registry: &'a Registry,
    pub(super) zones: &'a Zones,
    pub(super) bounds: Bounds,
    pub(super) group: u32,
    pub(super) seen: &'a GroupSeen,
    /// Nodes that may not leave this group yet.
    pub(super) kept: &'a BTreeSet<u64>,
}

impl Look<'_> {
    /// The step, if there is something left to do and it is safe.
    pub(super) fn step(&self) -> Result<Option<Step>, Reason> {
        let seen = self.seen;
        if !seen.settled {
            return Err(Reason::Unsettled);
        }
        for config in &seen.configs {
            if let Some(missing) = seen.missing(config, self.bounds) {
                return Err(Reason::NoQuorum { missing });
            }
        }
        if let [_, voters] = &seen.configs[..] {
            let (group, voters) = (self.group, voters.clone());
            return Ok(Some(Step::Finish { group, voters }));
        }
        // A change that was finished without it: it steps down by itself, or is asked to.
        if !seen.voters().contains(&seen.leader) {
            let heir = self.heir(&seen.voters(), None);
            let group = self.group;
            return Ok(heir.map(|to| Step::MoveLeader { group, to }));
        }
        if let Some(step) = self.learner_to_add() {
            return Ok(Some(step));
        }
        let nobody = Wish::default();
        let groups = &self.registry.placement().groups;
        let wish = groups.get(&self.group).unwrap_or(&nobody);
        if seen.voters() != wish.voters {
            return self.towards(wish).map(Some);
        }
        if let Some(step) = self.learner_to_remove() {
            return Ok(Some(step));
        }
        match wish.leader.filter(|to| *to != seen.leader) {
            Some(node) if !seen.is_ready(node, self.bounds) => Err(Reason::LeaderNotReady { node }),
            Some(to) => {
                let group = self.group;
                Ok(Some(Step::MoveLeader { group, to }))
            }
            None => Ok(None),
        }
    }

    fn learner_to_add(&self) -> Option<Step> {
        let mut nodes = self.registry.nodes();
        let (node, record) = nodes.find(|(node, record)| {
            record.state != NodeState::Leaving && !self.seen.replicas.contains_key(node)
        })?;
        Some(Step::AddLearner {
            group: self.group,
            node,
            peer: record.peer.clone(),
        })
    }

    fn learner_to_remove(&self) -> Option<Step> {
        let stays = |node: &u64| {
            let state = self.registry.state(*node);
            state.is_some_and(|state| state != NodeState::Leaving)
        };
        let mut learners = self.seen.learners();
        let node = learners.find(|node| !stays(node) && !self.kept.contains(node))?;
        let group = self.group;
        Some(Step::RemoveLearner { group, node })
    }

    /// One step from these voters to those.
    fn towards(&self, wish: &Wish) -> Result<Step, Reason> {
        let (seen, group) = (self.seen, self.group);
        let voters = seen.voters();
        for node in wish.voters.difference(&voters).copied() {
            if !seen.is_heard(node, self.bounds) {
                return Err(Reason::NotHeard { node });
            }
            if !seen.is_ready(node, self.bounds) {
                let entries = seen.lag(node);
                return Err(Reason::Behind { node, entries });
            }
        }
        if let Some(missing) = seen.missing(&wish.voters, self.bounds) {
            return Err(Reason::NoNewQuorum { missing });
        }
        let members = self.registry.members();
        if self.zones.would_crowd(&voters, &wish.voters, &members) {
            return Err(Reason::ZonesCrowded);
        }
        if wish.voters.contains(&seen.leader) {
            let voters = wish.voters.clone();
            return Ok(Step::ChangeVoters { group, voters });
        }
        // Whoever leads is to go: somebody who stays takes over first.
        let stay = voters.intersection(&wish.voters).copied().collect();
        match self.heir(&stay, wish.leader) {
            Some(to) => Ok(Step::MoveLeader { group, to }),
            // None of those who stay is there: old and new vote together, and one of the new takes over.
            None => {
                let together: BTreeSet<u64> = voters.union(&wish.voters).copied().collect();
                match seen.missing(&together, self.bounds) {
                    Some(missing) => Err(Reason::NoNewQuorum { missing }),
                    None => Ok(Step::ChangeVoters {
                        group,
                        voters: together,
                    }),
                }
            }
        }
    }

    /// Who of these takes over best: who had better lead, or else who lacks least.
    fn heir(&self, of: &BTreeSet<u64>, wanted: Option<u64>) -> Option<u64> {
        let seen = self.seen;
        let able = of.iter().copied();
        let able = able.filter(|node| seen.is_ready(*node, self.bounds));
        able.min_by_key(|node| (wanted != Some(*node), seen.lag(*node), *node))
    }
}
