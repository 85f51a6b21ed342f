//! Which shard owns which section: chosen once, when the event is created, and for ever.
//!
//! An event lives in as few shards as it needs. An order whose seats and whose home are in one
//! shard is one log entry; across shards it is three in two groups (ADR 0006).

use ledger::ShardId;

use crate::route::Router;

/// Places for which one shard is enough. It sells them in seconds, so more shards would only make
/// every order cross between them.
pub const PLACES_PER_SHARD: u64 = 100_000;

/// How many shards an event of so many places is spread over when its organizer does not say.
pub fn default_spread(places: u64) -> u16 {
    u16::try_from(places.div_ceil(PLACES_PER_SHARD).max(1)).unwrap_or(u16::MAX)
}

/// Spreads sections of these capacities over `spread` shards, or over all when there are fewer, so
/// that each owns about as many places: largest first onto the emptiest shard (Graham's LPT rule:
/// never worse than 4/3 of the best). `offset` says with which shard to begin, so that events do
/// not all live in the same ones.
pub fn spread_sections(
    router: Router,
    capacities: &[u32],
    offset: u64,
    spread: u16,
) -> Vec<ShardId> {
    let all = u64::from(router.count());
    let used = usize::from(spread.clamp(1, router.count()));
    let mut load = vec![0u64; used];
    let mut order: Vec<usize> = (0..capacities.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(capacities[i]), i));
    let mut shards = vec![ShardId(1); capacities.len()];
    for i in order {
        let emptiest = (0..used)
            .min_by_key(|&shard| load[shard])
            .expect("at least one shard is used");
        load[emptiest] += u64::from(capacities[i]);
        let number = (offset % all + emptiest as u64) % all;
        shards[i] = ShardId(number as u16 + 1);
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventy_equal_sections_differ_by_one_section_at_most() {
        let router = Router::new(8).expect("8 shards");
        let shards = spread_sections(router, &[1_000; 70], 3, 8);
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
        let shards = spread_sections(router, &[10, 20_000, 10, 10], 0, 2);
        let huge = shards[1];
        assert!(
            [shards[0], shards[2], shards[3]]
                .iter()
                .all(|&shard| shard != huge)
        );
    }

    #[test]
    fn an_event_uses_as_many_shards_as_it_is_told_and_events_use_different_ones() {
        let router = Router::new(8).expect("8 shards");
        let used = |offset, spread| {
            let mut shards = spread_sections(router, &[100; 20], offset, spread);
            shards.sort_unstable();
            shards.dedup();
            shards
        };
        assert_eq!(used(0, 1), [ShardId(1)]);
        assert_eq!(used(6, 3), [ShardId(1), ShardId(7), ShardId(8)]);
        assert_eq!(used(5, 0).len(), 1, "none would be too few");
        assert_eq!(used(5, 4_000).len(), 8, "as many as there are");
    }

    #[test]
    fn a_stadium_fits_one_shard_and_a_festival_takes_some() {
        assert_eq!(default_spread(0), 1);
        assert_eq!(default_spread(100_000), 1);
        assert_eq!(default_spread(100_001), 2);
        assert_eq!(default_spread(2_000_000), 20);
        assert_eq!(default_spread(u64::MAX), u16::MAX);
    }
}
