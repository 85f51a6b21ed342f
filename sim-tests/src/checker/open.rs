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

const OPEN: [Open; 2] = [
    Open {
        property: "heals",
        says: "a member is being replaced",
        story: "seed 25: replacing a wiped node does not always come to an end; the operator's call or the \
            harness's way of making it",
    },
    Open {
        property: "reads_are_fresh",
        says: "/seats?section=",
        story: "seeds 39, 44 and 87: a seat map says how long ago its replica heard of a leader, not how old what \
            it has applied is; and one map had a higher revision than the log explains",
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
        assert!(told(
            "heals",
            "a healed cluster did not settle: a member is being replaced"
        ));
        assert!(!told(
            "heals",
            "a healed cluster did not settle: a node is down"
        ));
        assert!(!told("seat_is_sold_once", "a member is being replaced"));
    }
}
