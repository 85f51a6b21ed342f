//! Seats neither appear nor vanish, at any index: available, held, pinned, sold and blocked add up
//! to the section; counted seat by seat they are what the ledger keeps; a sold place has a ticket.

use super::Course;

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut wrong = Vec::new();
    for entry in &course.trail {
        for section in &entry.sections {
            let counts = section.counts;
            let whole = counts.capacity() == section.capacity;
            let seen = section.by_seat.is_none_or(|seats| seats == counts);
            if !whole || !seen || section.tickets != counts.sold {
                wrong.push(format!(
                    "shard {} entry {}: {section:?}",
                    entry.shard, entry.index
                ));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use ledger::seats::Counts;
    use ledger::{EventId, SectionKey, SectionNo};

    use super::*;
    use crate::checker::course::SectionCount;
    use crate::checker::hand::{entry, with};

    #[test]
    fn a_seat_that_vanishes_or_is_counted_twice_is_seen_at_its_entry() {
        let counts = Counts {
            available: 7,
            sold: 3,
            ..Counts::default()
        };
        let good = SectionCount {
            key: SectionKey {
                event: EventId(1),
                section: SectionNo(0),
            },
            capacity: 10,
            counts,
            by_seat: Some(counts),
            tickets: 3,
            revision: 3,
        };
        let course = |section: SectionCount| {
            let mut entry = entry(1, 5, 1_000, Vec::new());
            entry.sections.push(section);
            with(vec![entry])
        };
        assert!(check(&course(good.clone())).is_empty());
        let vanished = SectionCount {
            capacity: 11,
            ..good.clone()
        };
        let miscounted = SectionCount {
            by_seat: Some(Counts {
                available: 6,
                sold: 4,
                ..counts
            }),
            ..good.clone()
        };
        let ticketless = SectionCount { tickets: 2, ..good };
        for bad in [vanished, miscounted, ticketless] {
            assert_eq!(check(&course(bad)).len(), 1);
        }
    }
}
