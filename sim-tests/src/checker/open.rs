//! What the simulator found and nobody has mended yet. A violation that says what stands here is
//! reported as *open* and does not fail its run, so that everything else still can; a sweep counts
//! them. A line leaves this file with the change that mends it, and none is added for a wrong
//! checker.

use super::Violation;

/// Something that is known to be broken.
struct Open {
    property: &'static str,
    /// Words of what is found.
    says: &'static str,
    /// What is wrong, and where.
    story: &'static str,
}

const OPEN: [Open; 4] = [
    Open {
        property: "same_request_same_answer",
        says: "best_available",
        story: "P8, seed 12: a request for the best seats of an event over several shards goes from try to try; \
            one that was refused is not remembered, so the same request asked twice at once may be granted twice",
    },
    Open {
        property: "hold_respected",
        says: "ended as Refused",
        story: "P8, seed 12: of two doors that drive one order at once, one may be told that a leg is held \
            and the other, before seats came free, that it is refused; the second ends what the first promised",
    },
    Open {
        property: "abuse_is_refused",
        says: "another event under the same key",
        story: "P8, seeds 15 and 60: once an event's rules were changed, the rules it was created with are not \
            known any more, so a creation with other rules under the same key is answered like a repeat",
    },
    Open {
        property: "hold_respected",
        says: "lost seats",
        story: "P5, seed 98: with clocks that are seconds apart, a leg's shard ends a hold by its own leader's \
            time before its home does; LEG_MARGIN_MS covers less",
    },
];

/// The story behind a violation, when it is a known one.
pub fn story(violation: &Violation) -> Option<&'static str> {
    let known =
        |open: &&Open| open.property == violation.property && violation.found.contains(open.says);
    OPEN.iter().find(known).map(|open| open.story)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_so_is_known() {
        let told = |property, found: &str| {
            story(&Violation {
                property,
                found: found.to_owned(),
            })
            .is_some()
        };
        assert!(told("hold_respected", "a leg lost seats"));
        assert!(!told("hold_respected", "a leg ended early"));
        assert!(!told("seat_is_sold_once", "a leg lost seats"));
    }
}
