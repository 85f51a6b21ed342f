//! Verdicts. A property is a file: what it says, where the promise stands, how it is checked.
//!
//! Two kinds: of the state a cluster has settled in ([`Evidence`]), and of the course it took
//! ([`Course`]: answers, and what the committed log made of them). Both are plain data; every
//! checker is shown, by hand, what holds and what does not.

mod abuse_is_refused;
mod acked_is_durable;
mod allowance_kept;
mod answers_follow_the_log;
mod at_most_one_capture;
mod capacity_at_every_index;
mod capacity_is_conserved;
mod clock_keeps_pace;
pub mod course;
mod draw_is_fair;
mod fencing;
#[cfg(test)]
mod hand;
mod hold_respected;
mod log_says_what_was_told;
mod money_is_conserved;
pub mod nothing_is_left_over;
mod operators_are_on_record;
mod order_is_whole;
mod order_turns;
mod pass_spent_once;
mod pins_last;
mod queue_order;
pub mod raft_safety;
mod reads_are_fresh;
pub mod replay;
mod replicas_agree;
mod same_request_same_answer;
mod seat_is_sold_once;
mod seats_linearize;
mod snapshot_equals_replay;
pub mod wgl;

use std::collections::BTreeMap;

pub use course::Course;
use ledger::OrderId;
pub use operators_are_on_record::Line;
use server::node::audit_view::{AuditView, OrderView, SoldView};

use crate::fate::Fate;
use crate::gateway::Payment;
use crate::history::{Told, Yes};

/// A cluster that has settled.
#[derive(Default)]
pub struct Evidence {
    /// Every "yes" a client got, in order.
    pub yes: Vec<Yes>,
    /// (applied, digest) of every replica, by shard, a node each.
    pub digests: BTreeMap<u16, Vec<(u64, [u8; 32])>>,
    /// One replica's view of every shard.
    pub shards: BTreeMap<u16, AuditView>,
    /// Invariants broken inside a replica, if any.
    pub broken: Vec<String>,
    /// The provider's book.
    pub book: Vec<Payment>,
    /// Places of the event.
    pub capacity: u64,
    /// How orders across shards ended.
    pub fates: Vec<(OrderId, Fate)>,
    /// Whether all of them have to be over by now.
    pub all_must_end: bool,
    /// Holds and pins without a reason, some time after the faults had ended.
    pub left_over: Vec<String>,
    /// Messages that were not what they had been when they were sent first.
    pub changed_messages: Vec<String>,
    /// What an operator was granted: the request's name, and what it was.
    pub granted: Vec<(String, String)>,
    /// The trail, as each replica tells it.
    pub trails: Vec<Vec<Line>>,
}

impl Evidence {
    fn orders(&self) -> impl Iterator<Item = &OrderView> {
        self.shards.values().flat_map(|shard| &shard.orders)
    }

    /// What time it is where an order is at home.
    fn home_now_ms(&self, order: &str) -> u64 {
        let home = api::text::parse_order(order).map(OrderId::home);
        home.and_then(|home| self.shards.get(&home.0))
            .map_or(0, |shard| shard.now_ms)
    }

    /// Orders whose money was to go back.
    fn refunds(&self) -> impl Iterator<Item = &str> {
        let asked = |yes: &&Yes| yes.told == Told::RefundAsked;
        self.yes.iter().filter(asked).map(|yes| yes.order.as_str())
    }

    fn sold(&self) -> impl Iterator<Item = &SoldView> {
        self.shards
            .values()
            .flat_map(|shard| &shard.sections)
            .flat_map(|section| &section.sold_seats)
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which property.
    pub property: &'static str,
    /// What was found.
    pub found: String,
}

type Check = fn(&Evidence) -> Vec<String>;
type CourseCheck = fn(&Course) -> Vec<String>;

/// Every property of a settled cluster, by name.
const CHECKS: [(&str, Check); 11] = [
    ("seat_is_sold_once", seat_is_sold_once::check),
    ("order_is_whole", order_is_whole::check),
    ("acked_is_durable", acked_is_durable::check),
    ("at_most_one_capture", at_most_one_capture::check),
    ("money_is_conserved", money_is_conserved::check),
    ("capacity_is_conserved", capacity_is_conserved::check),
    ("replicas_agree", replicas_agree::check),
    ("nothing_is_left_over", nothing_is_left_over::check),
    ("a_message_keeps_its_number", |evidence| {
        evidence.changed_messages.clone()
    }),
    ("operators_are_on_record", operators_are_on_record::check),
    ("ledger_invariants", |evidence| evidence.broken.clone()),
];

/// Every property of a course, by name.
const COURSE_CHECKS: [(&str, CourseCheck); 19] = [
    ("raft_safety", raft_safety::check),
    ("replicas_agree", |course| course.disagreements.clone()),
    ("snapshot_equals_replay", snapshot_equals_replay::check),
    ("log_says_what_was_told", log_says_what_was_told::check),
    ("answers_follow_the_log", answers_follow_the_log::check),
    ("capacity_at_every_index", capacity_at_every_index::check),
    ("fencing", fencing::check),
    ("order_turns", order_turns::check),
    ("pins_last", pins_last::check),
    ("same_request_same_answer", same_request_same_answer::check),
    ("hold_respected", hold_respected::check),
    ("clock_keeps_pace", clock_keeps_pace::check),
    ("allowance_kept", allowance_kept::check),
    ("pass_spent_once", pass_spent_once::check),
    ("queue_order", queue_order::check),
    ("draw_is_fair", draw_is_fair::check),
    ("reads_are_fresh", reads_are_fresh::check),
    ("seats_linearize", seats_linearize::check),
    ("abuse_is_refused", abuse_is_refused::check),
];

/// Findings of one property that are reported, at most.
const FOUND_MAX: usize = 5;

/// Everything that was wrong on the way.
pub fn check_course(course: &Course) -> Vec<Violation> {
    let run = |&(property, check): &(&'static str, fn(&Course) -> Vec<String>)| {
        let found = check(course).into_iter().take(FOUND_MAX);
        found.map(move |found| Violation { property, found })
    };
    COURSE_CHECKS.iter().flat_map(run).collect()
}

/// Everything that is wrong.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let run = |&(property, check): &(&'static str, Check)| {
        check(evidence)
            .into_iter()
            .map(move |found| Violation { property, found })
    };
    CHECKS.iter().flat_map(run).collect()
}
