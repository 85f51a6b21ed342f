//! Who votes and who leads, as `cluster/src/plan/` places it: zones first, then even shares, then the
//! lower number. Every node has every shard, as a voter or as a learner, so that every door reads locally
//! (ADR 0009); a learner receives, syncs and applies as a voter does.

use std::collections::BTreeMap;

/// One shard's replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Nodes that vote, rising.
    pub voters: Vec<usize>,
    /// Which of them leads.
    pub leader: usize,
}

/// Places `shards` shards with `replicas` voters each on nodes in these zones. At most as many voters as
/// there are nodes.
#[must_use]
pub fn place(zones: &[usize], shards: usize, replicas: usize) -> Vec<Place> {
    let mut votes = vec![0_usize; zones.len()];
    let mut leads = vec![0_usize; zones.len()];
    (0..shards)
        .map(|_| {
            let mut voters: Vec<usize> = Vec::new();
            while voters.len() < replicas.min(zones.len()) {
                let others = (0..zones.len()).filter(|node| !voters.contains(node));
                let best =
                    others.min_by_key(|node| (crowding(zones, &voters, *node), votes[*node]));
                let best = best.expect("there are more nodes than voters so far");
                votes[best] += 1;
                voters.push(best);
            }
            voters.sort_unstable();
            let leader = least(&voters, &leads);
            leads[leader] += 1;
            Place { voters, leader }
        })
        .collect()
}

/// Which of these nodes leads least; the first of them.
///
/// # Panics
/// Without any node.
#[must_use]
pub fn least(nodes: &[usize], leads: &[usize]) -> usize {
    let least = nodes.iter().copied().min_by_key(|node| leads[*node]);
    least.expect("somebody votes")
}

/// The sum of the squares of voters a zone, with one more.
fn crowding(zones: &[usize], voters: &[usize], one_more: usize) -> usize {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for node in voters.iter().chain([&one_more]) {
        *counts.entry(zones[*node]).or_default() += 1;
    }
    counts.values().map(|count| count * count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_and_leaders_lie_evenly_and_no_zone_has_two_of_three() {
        for nodes in [3, 5, 7, 9, 16] {
            let zones: Vec<usize> = (0..nodes).map(|node| node % 3).collect();
            let places = place(&zones, 64, 3);
            let mut votes = vec![0; nodes];
            let mut leads = vec![0; nodes];
            for place in &places {
                let mut seen: Vec<usize> = place.voters.iter().map(|node| zones[*node]).collect();
                seen.sort_unstable();
                assert_eq!(seen, [0, 1, 2], "{place:?}");
                assert!(place.voters.contains(&place.leader));
                place.voters.iter().for_each(|node| votes[*node] += 1);
                leads[place.leader] += 1;
            }
            let spread = |of: &[i32]| of.iter().max().unwrap_or(&0) - of.iter().min().unwrap_or(&0);
            assert!(spread(&leads) <= 64 / nodes as i32, "{nodes}: {leads:?}");
            assert_eq!(votes.iter().sum::<i32>(), 64 * 3);
        }
        assert_eq!(
            place(&[0, 1], 1, 5)[0].voters,
            [0, 1],
            "as many as there are"
        );
    }
}
