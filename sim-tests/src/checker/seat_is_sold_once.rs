//! P1: a seat is sold to at most one order.
//!
//! Checked twice: what the replicas say was sold, and what buyers were told, which would also
//! catch replicas that agree on a wrong answer.

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use crate::history::{Told, Yes};

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut owner: BTreeMap<&str, String> = BTreeMap::new();
    for sold in evidence.sold().filter(|sold| sold.seat.contains('-')) {
        let order = sold.order_id.to_string();
        if let Some(other) = owner.insert(&sold.seat, order.clone()) {
            wrong.push(format!("{} is sold to {other} and to {order}", sold.seat));
        }
    }
    let mut told: BTreeMap<&str, &str> = BTreeMap::new();
    let refunds: BTreeSet<&str> = evidence.refunds().collect();
    // A seat whose money was to go back may have been sold again.
    let kept = |yes: &&Yes| yes.told == Told::Paid && !refunds.contains(yes.order.as_str());
    for yes in evidence.yes.iter().filter(kept) {
        for seat in yes.seats.iter().filter(|seat| seat.contains('-')) {
            match told.insert(seat, &yes.order) {
                Some(other) if other != yes.order => {
                    wrong.push(format!(
                        "{seat} was told sold to {other} and to {}",
                        yes.order
                    ));
                }
                _ => {}
            }
        }
    }
    wrong
}
