//! Which shard owns which section: chosen once, when the event is created, and for ever.

use ledger::ShardId;

use crate::route::Router;

/// Spreads sections of these capacities over all shards so that each owns about as many places:
/// largest first onto the emptiest shard (Graham's LPT rule: never worse than 4/3 of the best).
/// `offset` turns the tie-break, so that many small events do not all start at shard 1.
pub fn spread_sections(router: Router, capacities: &[u32], offset: u64) -> Vec<ShardId> {
    let count = usize::from(router.count());
    let mut load = vec![0u64; count];
    let mut order: Vec<usize> = (0..capacities.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(capacities[i]), i));
    let mut shards = vec![ShardId(1); capacities.len()];
    let start = (offset % count as u64) as usize;
    for i in order {
        let best = (0..count)
            .map(|step| (start + step) % count)
            .min_by_key(|&shard| load[shard])
            .expect("a router has at least one shard");
        load[best] += u64::from(capacities[i]);
        shards[i] = ShardId(best as u16 + 1);
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventy_equal_sections_differ_by_one_section_at_most() {
        let router = Router::new(8).expect("8 shards");
        let shards = spread_sections(router, &[1_000; 70], 3);
        let mut counts = [0; 8];
        for shard in shards {
            counts[usize::from(shard.0) - 1] += 1;
        }
        assert_eq!(counts.iter().sum::<i32>(), 70);
        assert!(
            counts.iter().all(|&count| count == 8 || count == 9),
            "{counts:?}"
        );
    }

    #[test]
    fn one_huge_section_does_not_pull_the_small_ones_to_its_shard() {
        let router = Router::new(2).expect("2 shards");
        let shards = spread_sections(router, &[10, 20_000, 10, 10], 0);
        let huge = shards[1];
        assert!(
            [shards[0], shards[2], shards[3]]
                .iter()
                .all(|&shard| shard != huge)
        );
    }
}
