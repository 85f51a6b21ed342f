//! P7: limits a person hold over all their orders and all sections, at every index: what a ledger
//! keeps of a person is what their orders add up to, no order is larger than one may be, and all
//! of a person's orders, in every shard together, are no more than one person may have.

use std::collections::BTreeMap;

use ledger::{BuyerId, EventId, ShardId};

use super::Course;

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut places: BTreeMap<(EventId, BuyerId), BTreeMap<ShardId, u32>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for entry in course.by_time() {
        for person in &entry.buyers {
            let shards = places.entry((person.event, person.buyer)).or_default();
            shards.insert(entry.shard, person.of_orders);
            let all: u32 = shards.values().sum();
            let kept = person.kept == person.of_orders;
            if !kept || person.largest > person.order_max || all > person.max {
                wrong.push(format!(
                    "shard {} entry {}: {all} places in all; {person:?}",
                    entry.shard, entry.index
                ));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::course::{BuyerCount, Entry};
    use crate::checker::hand::{entry, with};

    fn count(shard: u16, index: u64, kept: u32, of_orders: u32, largest: u32) -> Entry {
        let mut entry = entry(shard, index, index * 10, Vec::new());
        entry.buyers.push(BuyerCount {
            event: EventId(1),
            buyer: BuyerId(2),
            kept,
            of_orders,
            max: 8,
            largest,
            order_max: 6,
            session: None,
        });
        entry
    }

    #[test]
    fn eight_places_are_allowed_and_the_ninth_is_not_wherever_it_is() {
        assert!(check(&with(vec![count(1, 1, 8, 8, 6)])).is_empty());
        assert!(check(&with(vec![count(1, 1, 5, 5, 5), count(2, 2, 3, 3, 3)])).is_empty());
        assert_eq!(check(&with(vec![count(1, 1, 9, 9, 6)])).len(), 1);
        assert_eq!(check(&with(vec![count(1, 1, 7, 7, 7)])).len(), 1);
        assert_eq!(
            check(&with(vec![count(1, 1, 5, 5, 5), count(2, 2, 4, 4, 4)])).len(),
            1
        );
        assert_eq!(
            check(&with(vec![count(1, 1, 3, 5, 5)])).len(),
            1,
            "it leaks"
        );
    }
}
