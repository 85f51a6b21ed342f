//! Verdicts. A property is a file: what it says, where the promise stands, how it is checked.
//! All run after the faults have ended and the cluster had time to settle.

mod acked_is_durable;
mod capacity_is_conserved;
mod money_is_conserved;
pub mod nothing_is_left_over;
mod order_is_whole;
mod replicas_agree;
mod seat_is_sold_once;

use std::collections::BTreeMap;

use ledger::OrderId;
use server::node::audit_view::{AuditView, OrderView, SoldView};

use crate::fate::Fate;
use crate::gateway::Payment;
use crate::history::Yes;

/// All that the checkers look at.
pub struct Evidence {
    /// The true wall clock, in ms since the epoch, when this was gathered.
    pub now_ms: u64,
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
}

impl Evidence {
    fn orders(&self) -> impl Iterator<Item = &OrderView> {
        self.shards.values().flat_map(|shard| &shard.orders)
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

/// Every property, by name.
const CHECKS: [(&str, Check); 9] = [
    ("seat_is_sold_once", seat_is_sold_once::check),
    ("order_is_whole", order_is_whole::check),
    ("acked_is_durable", acked_is_durable::check),
    ("money_is_conserved", money_is_conserved::check),
    ("capacity_is_conserved", capacity_is_conserved::check),
    ("replicas_agree", replicas_agree::check),
    ("nothing_is_left_over", nothing_is_left_over::check),
    ("a_message_keeps_its_number", |evidence| {
        evidence.changed_messages.clone()
    }),
    ("ledger_invariants", |evidence| evidence.broken.clone()),
];

/// Everything that is wrong.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let run = |&(property, check): &(&'static str, Check)| {
        check(evidence)
            .into_iter()
            .map(move |found| Violation { property, found })
    };
    CHECKS.iter().flat_map(run).collect()
}
