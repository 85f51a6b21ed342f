//! §4 "Time": the stamps of one leader never go back and run between 0.9 and 1.1 times as fast as
//! its monotonic clock, whatever its wall clock does: no hold ends early because somebody
//! corrected a clock. The ledger's clock is never behind a stamp and never goes back, whoever
//! leads; and no stamp is behind it, or time would stand still until that leader has caught up.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::{ShardId, Timestamp};

use super::Course;

/// Milliseconds are cut off here and there, and monotonic clocks differ a little.
const SLACK_MS: u64 = 20;

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut first: BTreeMap<(ShardId, u64), (Duration, u64, u64)> = BTreeMap::new();
    let mut clocks: BTreeMap<ShardId, Timestamp> = BTreeMap::new();
    for entry in &course.trail {
        let clock = clocks.insert(entry.shard, entry.clock).unwrap_or_default();
        if entry.clock < clock.max(entry.at) {
            wrong.push(format!(
                "shard {} entry {}: its clock went from {clock:?} to {:?}",
                entry.shard, entry.index, entry.clock
            ));
        }
        if entry.at < clock {
            wrong.push(format!(
                "shard {} entry {}: stamped {} ms behind its shard's clock",
                entry.shard,
                entry.index,
                clock.since_ms(entry.at)
            ));
        }
        let Some(proposed_at) = entry.proposed_at else {
            continue;
        };
        let known = first.entry((entry.shard, entry.term));
        let (began, at, last) = known.or_insert((proposed_at, entry.at.0, entry.at.0));
        let passed = proposed_at.saturating_sub(*began).as_millis() as u64;
        let stamped = entry.at.0.saturating_sub(*at);
        let slowest = passed * 8 / 10;
        let fastest = passed * 12 / 10 + SLACK_MS;
        if entry.at.0 < *last || stamped + SLACK_MS < slowest || stamped > fastest {
            wrong.push(format!(
                "shard {} entry {}: {stamped} ms by stamps of term {}, {passed} ms in truth",
                entry.shard, entry.index, entry.term
            ));
        }
        *last = entry.at.0;
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::course::Entry;
    use crate::checker::hand::{entry, with};

    fn stamped(index: u64, true_ms: u64, stamp_ms: u64) -> Entry {
        Entry {
            proposed_at: Some(Duration::from_millis(true_ms)),
            ..entry(1, index, stamp_ms, Vec::new())
        }
    }

    #[test]
    fn a_leap_of_the_wall_clock_is_not_in_the_stamps() {
        let run = |stamp| {
            let trail = vec![stamped(1, 0, 50_000), stamped(2, 10_000, stamp)];
            check(&with(trail)).len()
        };
        assert_eq!(run(60_000), 0);
        assert_eq!(run(61_000), 0);
        assert_eq!(run(59_000), 0);
        assert_eq!(run(3_660_000), 1, "an hour's leap");
        assert_eq!(run(50_000), 1, "it stood still");
        assert_eq!(run(49_000), 3, "the stamp went back, and the clock with it");
        let mut trail = vec![
            entry(1, 1, 5_000, Vec::new()),
            entry(1, 2, 5_010, Vec::new()),
        ];
        trail[1].clock = Timestamp(4_000);
        assert_eq!(check(&with(trail)).len(), 1, "the ledger's went back");
    }
}
