//! Who votes where: zones first, then the nodes' shares, then as few moves as possible.

use std::collections::{BTreeMap, BTreeSet};

use super::target::Unplaceable;
use crate::members::{Registry, Wish, Zones};

/// Seats of all groups while they are being given away.
pub(super) struct Seats {
    zones: Zones,
    members: BTreeSet<u64>,
    replication: usize,
    groups: BTreeMap<u32, Wish>,
    /// In how many groups each member votes.
    shares: BTreeMap<u64, usize>,
}

impl Seats {
    /// The seats as they are, without those who may not vote.
    pub(super) fn new(
        registry: &Registry,
        replication: u8,
        base: &BTreeMap<u32, Wish>,
    ) -> Result<Self, Unplaceable> {
        let members = registry.members();
        if replication == 0 || members.len() < usize::from(replication) {
            let members = members.len();
            return Err(Unplaceable {
                members,
                replication,
            });
        }
        let groups = base.iter().map(|(group, wish)| {
            let voters = wish.voters.intersection(&members).copied().collect();
            let leader = wish.leader;
            (*group, Wish { voters, leader })
        });
        let groups: BTreeMap<u32, Wish> = groups.collect();
        let share = |member: &u64| {
            let votes = groups.values();
            votes.filter(|wish| wish.voters.contains(member)).count()
        };
        let shares = members.iter().map(|member| (*member, share(member)));
        Ok(Self {
            zones: Zones::of(registry),
            shares: shares.collect(),
            replication: replication.into(),
            members,
            groups,
        })
    }

    pub(super) fn into_groups(self) -> BTreeMap<u32, Wish> {
        self.groups
    }

    /// Gives every group as many voters as it is to have.
    pub(super) fn fill(&mut self) {
        let groups: Vec<u32> = self.groups.keys().copied().collect();
        for group in groups {
            while self.voters(group).len() < self.replication {
                let voters = self.voters(group);
                let others = self.members.difference(voters).copied();
                let best = others.min_by_key(|node| {
                    let crowding = self.zones.crowding(&with(voters, *node));
                    (crowding, self.shares[node], *node)
                });
                let best = best.expect("there are at least as many members as voters");
                self.give(group, best);
            }
            while self.voters(group).len() > self.replication {
                let voters = self.voters(group);
                let leader = self.groups[&group].leader;
                let worst = voters.iter().copied().min_by_key(|node| {
                    let crowding = self.zones.crowding(&without(voters, *node));
                    let share = usize::MAX - self.shares[node];
                    (crowding, leader == Some(*node), share, *node)
                });
                let worst = worst.expect("there are more voters than there are to be");
                self.take(group, worst);
            }
        }
    }

    /// Exchanges voters until no exchange puts a group's voters into more zones, more evenly.
    pub(super) fn spread_over_zones(&mut self) {
        let groups: Vec<u32> = self.groups.keys().copied().collect();
        for group in groups {
            loop {
                let voters = self.voters(group);
                let now = self.zones.crowding(voters);
                let leader = self.groups[&group].leader;
                let outs = voters.iter().copied();
                let pairs = outs.flat_map(|out| {
                    let others = self.members.difference(voters).copied();
                    others.map(move |instead| (out, instead))
                });
                let best = pairs.min_by_key(|(out, instead)| {
                    let then = self.exchanged(group, *out, *instead);
                    let share = self.shares[instead];
                    (then, leader == Some(*out), share, *out, *instead)
                });
                match best {
                    Some((out, instead)) if self.exchanged(group, out, instead) < now => {
                        self.take(group, out);
                        self.give(group, instead);
                    }
                    _ => break,
                }
            }
        }
    }

    /// Exchanges voters until no exchange that zones allow makes the nodes' shares more even. Each
    /// makes the sum of the shares' squares smaller, so it ends.
    pub(super) fn level(&mut self) {
        while let Some((group, out, instead)) = self.lighter() {
            self.take(group, out);
            self.give(group, instead);
        }
    }

    /// An exchange from a fuller node to an emptier one.
    fn lighter(&self) -> Option<(u32, u64, u64)> {
        let mut nodes: Vec<u64> = self.members.iter().copied().collect();
        nodes.sort_by_key(|node| (self.shares[node], *node));
        for &out in nodes.iter().rev() {
            for &instead in &nodes {
                if self.shares[&out] < self.shares[&instead] + 2 {
                    break;
                }
                let groups = self.groups.iter();
                let movable = groups.filter(|(group, wish)| {
                    let voters = &wish.voters;
                    voters.contains(&out)
                        && !voters.contains(&instead)
                        && self.exchanged(**group, out, instead) <= self.zones.crowding(voters)
                });
                let best = movable.min_by_key(|(group, wish)| (wish.leader == Some(out), **group));
                if let Some((&group, _)) = best {
                    return Some((group, out, instead));
                }
            }
        }
        None
    }

    fn exchanged(&self, group: u32, out: u64, instead: u64) -> u64 {
        let voters = without(self.voters(group), out);
        self.zones.crowding(&with(&voters, instead))
    }

    fn voters(&self, group: u32) -> &BTreeSet<u64> {
        &self.groups[&group].voters
    }

    fn give(&mut self, group: u32, node: u64) {
        let wish = self.groups.entry(group).or_default();
        wish.voters.insert(node);
        *self.shares.entry(node).or_default() += 1;
    }

    fn take(&mut self, group: u32, node: u64) {
        let wish = self.groups.entry(group).or_default();
        wish.voters.remove(&node);
        *self.shares.entry(node).or_default() -= 1;
    }
}

fn with(voters: &BTreeSet<u64>, node: u64) -> BTreeSet<u64> {
    let mut voters = voters.clone();
    voters.insert(node);
    voters
}

fn without(voters: &BTreeSet<u64>, node: u64) -> BTreeSet<u64> {
    let mut voters = voters.clone();
    voters.remove(&node);
    voters
}
