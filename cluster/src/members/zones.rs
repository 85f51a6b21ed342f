//! How evenly voters lie over zones.
//!
//! A zone is lost as a whole, so the worst zone decides: voters 2-2-1 survive what 3-1-1 does not.
//! The measure is the sum of the squares of voters a zone, which is least when they lie most evenly.

use std::collections::{BTreeMap, BTreeSet};

use super::Registry;

/// Which zone each node is in. Nodes without one are each a zone of their own.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    of: BTreeMap<u64, String>,
}

impl Zones {
    /// Of the nodes of a registry.
    pub fn of(registry: &Registry) -> Self {
        let of = registry.nodes();
        let of = of.map(|(node, record)| (node, record.zone.clone()));
        Self { of: of.collect() }
    }

    /// How unevenly these voters lie: less is better.
    pub fn crowding(&self, voters: &BTreeSet<u64>) -> u64 {
        let mut zones: BTreeMap<&str, u64> = BTreeMap::new();
        let mut apart = 0;
        for voter in voters {
            match self.of.get(voter).map(String::as_str) {
                Some(zone) if !zone.is_empty() => *zones.entry(zone).or_default() += 1,
                _ => apart += 1,
            }
        }
        zones.values().map(|count| count * count).sum::<u64>() + apart
    }

    /// Whether so many voters or fewer would share zones more than before, and more than these members
    /// have to.
    pub fn would_crowd(
        &self,
        old: &BTreeSet<u64>,
        new: &BTreeSet<u64>,
        members: &BTreeSet<u64>,
    ) -> bool {
        let crowding = self.crowding(new);
        new.len() <= old.len()
            && crowding > self.crowding(old)
            && crowding > self.crowding_min(members, new.len())
    }

    /// The least crowding that `count` of these nodes can have.
    pub fn crowding_min(&self, nodes: &BTreeSet<u64>, count: usize) -> u64 {
        let mut chosen = BTreeSet::new();
        for _ in 0..count.min(nodes.len()) {
            let others = nodes.iter().filter(|node| !chosen.contains(*node));
            let next = others.min_by_key(|node| {
                let mut with = chosen.clone();
                with.insert(**node);
                self.crowding(&with)
            });
            chosen.extend(next.copied());
        }
        self.crowding(&chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::NodeRecord;

    #[test]
    fn the_worst_zone_counts_and_unnamed_zones_are_apart() {
        let zone = |name: &str| NodeRecord {
            zone: name.to_owned(),
            ..NodeRecord::default()
        };
        let nodes = ["a", "a", "a", "b", "c", "", ""];
        let nodes = (1..).zip(nodes.map(zone)).collect();
        let registry = Registry::from_parts(nodes, BTreeSet::new(), Default::default());
        let zones = Zones::of(&registry);
        let crowding = |nodes: &[u64]| zones.crowding(&nodes.iter().copied().collect());
        assert_eq!(crowding(&[1, 4, 5]), 3);
        assert_eq!(crowding(&[1, 2, 4]), 5);
        assert_eq!(crowding(&[6, 7, 1]), 3, "no zone told: apart");
        let all = BTreeSet::from([1, 2, 3, 4, 5]);
        assert_eq!(zones.crowding_min(&all, 3), 3);
        assert_eq!(zones.crowding_min(&all, 5), 11);
    }
}
