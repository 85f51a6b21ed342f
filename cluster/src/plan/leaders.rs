//! Who had better lead: every node as many groups as any other, as far as votes allow, and then about
//! as much load.

use std::collections::{BTreeMap, BTreeSet};

use crate::members::Wish;

/// A leader that does not vote any more is replaced by the voter that leads least; nothing else moves.
pub(super) fn keep_or_replace(groups: &mut BTreeMap<u32, Wish>) {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for wish in groups.values() {
        if let Some(leader) = wish.leader {
            *counts.entry(leader).or_default() += 1;
        }
    }
    for wish in groups.values_mut() {
        let lost = wish
            .leader
            .is_some_and(|leader| !wish.voters.contains(&leader));
        if lost {
            let count = |voter: &u64| counts.get(voter).copied().unwrap_or(0);
            let voters = wish.voters.iter().copied();
            wish.leader = voters.min_by_key(|voter| (count(voter), *voter));
            if let Some(leader) = wish.leader {
                *counts.entry(leader).or_default() += 1;
            }
        }
    }
}

/// Gives every group a leader.
pub(super) fn assign(
    groups: &mut BTreeMap<u32, Wish>,
    members: &BTreeSet<u64>,
    load: &BTreeMap<u32, u64>,
) {
    let mut leading = Leading {
        of: BTreeMap::new(),
        groups,
        members,
        load,
    };
    leading.begin();
    while leading.shift() {}
    while leading.swap() {}
    let of = leading.of;
    for (group, leader) in of {
        if let Some(wish) = groups.get_mut(&group) {
            wish.leader = Some(leader);
        }
    }
}

struct Leading<'a> {
    of: BTreeMap<u32, u64>,
    groups: &'a BTreeMap<u32, Wish>,
    members: &'a BTreeSet<u64>,
    load: &'a BTreeMap<u32, u64>,
}

impl Leading<'_> {
    fn count(&self, node: u64) -> usize {
        self.of.values().filter(|leader| **leader == node).count()
    }

    fn load_of(&self, group: u32) -> u64 {
        self.load.get(&group).copied().unwrap_or(0)
    }

    fn load_on(&self, node: u64) -> u64 {
        let led = self.of.iter().filter(|(_, leader)| **leader == node);
        led.map(|(group, _)| self.load_of(*group)).sum()
    }

    /// Who leads stays; the others get whoever leads least, the heaviest group first.
    fn begin(&mut self) {
        let mut open = Vec::new();
        for (group, wish) in self.groups {
            match wish.leader.filter(|leader| wish.voters.contains(leader)) {
                Some(leader) => {
                    self.of.insert(*group, leader);
                }
                None => open.push(*group),
            }
        }
        open.sort_by_key(|group| (std::cmp::Reverse(self.load_of(*group)), *group));
        for group in open {
            let voters = self.groups[&group].voters.iter().copied();
            let least = voters.min_by_key(|node| (self.count(*node), self.load_on(*node), *node));
            if let Some(leader) = least {
                self.of.insert(group, leader);
            }
        }
    }

    /// Moves one leadership from a node to one that leads at least two fewer, through others if need
    /// be (a cost-reducing path; when there is none, no assignment is more even: Harvey et al.,
    /// "Semi-matchings for bipartite graphs", 2006). False when there is none.
    fn shift(&mut self) -> bool {
        let counts = self.members.iter().map(|node| (*node, self.count(*node)));
        let counts: BTreeMap<u64, usize> = counts.collect();
        let mut fullest: Vec<u64> = self.members.iter().copied().collect();
        fullest.sort_by_key(|node| (std::cmp::Reverse(counts[node]), *node));
        for from in fullest {
            if counts[&from] < 2 {
                break;
            }
            let few = counts[&from] - 2;
            // Breadth first: which group brought us to a node.
            let mut came: BTreeMap<u64, u32> = BTreeMap::new();
            let mut queue = std::collections::VecDeque::from([from]);
            while let Some(node) = queue.pop_front() {
                for (group, _) in self.of.iter().filter(|(_, leader)| **leader == node) {
                    for voter in self.groups[group].voters.iter().copied() {
                        if voter != from && !came.contains_key(&voter) {
                            came.insert(voter, *group);
                            queue.push_back(voter);
                        }
                    }
                }
            }
            let end = came.keys().copied().find(|node| counts[node] <= few);
            if let Some(mut end) = end {
                while end != from {
                    let group = came[&end];
                    let before = self.of.insert(group, end);
                    end = before.expect("a path goes along groups that are led");
                }
                return true;
            }
        }
        false
    }

    /// Two groups exchange their leaders, if the busier of the two nodes is less busy then.
    fn swap(&mut self) -> bool {
        if self.load.is_empty() {
            return false;
        }
        let loads = self.members.iter().map(|node| (*node, self.load_on(*node)));
        let loads: BTreeMap<u64, u64> = loads.collect();
        let led: Vec<(u32, u64)> = self
            .of
            .iter()
            .map(|(group, node)| (*group, *node))
            .collect();
        for (number, &(one, a)) in led.iter().enumerate() {
            for &(other, b) in &led[number + 1..] {
                let able = self.groups[&one].voters.contains(&b)
                    && self.groups[&other].voters.contains(&a);
                if a == b || !able {
                    continue;
                }
                let (on_a, on_b) = (loads[&a], loads[&b]);
                let (x, y) = (self.load_of(one), self.load_of(other));
                let then = (on_a - x + y).max(on_b - y + x);
                if then < on_a.max(on_b) {
                    self.of.insert(one, b);
                    self.of.insert(other, a);
                    return true;
                }
            }
        }
        false
    }
}
