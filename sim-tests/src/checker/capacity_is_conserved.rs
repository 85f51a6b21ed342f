//! Seats neither appear nor vanish: available, held, pinned, sold and blocked add up to the house.

use super::Evidence;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let sections = evidence.shards.values().flat_map(|shard| &shard.sections);
    let mut sum = 0;
    let mut wrong = Vec::new();
    for section in sections {
        let all =
            section.available + section.held + section.pinned + section.sold + section.blocked;
        sum += u64::from(all);
        if section.sold as usize != section.sold_seats.len() {
            wrong.push(format!(
                "section {}: {} sold, {} tickets",
                section.section,
                section.sold,
                section.sold_seats.len()
            ));
        }
        if section.pinned > 0 {
            wrong.push(format!(
                "section {}: {} places are pinned for ever",
                section.section, section.pinned
            ));
        }
    }
    if sum != evidence.capacity {
        wrong.push(format!("{sum} places in a house of {}", evidence.capacity));
    }
    wrong
}
