//! P2: an order is whole or nothing, also across sections and shards.
//!
//! A paid order has a ticket for every place and every ticket belongs to a paid order; nothing is
//! left opening, paying or committed once the cluster has settled.

use std::collections::BTreeMap;

use super::Evidence;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut tickets: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for sold in evidence.sold() {
        tickets
            .entry(sold.order_id)
            .or_default()
            .push(sold.ticket_id);
    }
    for order in evidence.orders() {
        let mut have = tickets.remove(&order.order_id).unwrap_or_default();
        let mut want = order.tickets.clone();
        have.sort_unstable();
        want.sort_unstable();
        match order.phase.as_str() {
            "paid" if have == want && !want.is_empty() => {}
            "paid" => wrong.push(format!(
                "{} is paid with {want:?} but has {have:?}",
                order.order_id
            )),
            "held" | "refunded" if have.is_empty() => {}
            phase => wrong.push(format!(
                "{} is still {phase}, with {have:?}",
                order.order_id
            )),
        }
    }
    wrong.extend(
        tickets.into_iter().map(|(order, tickets)| {
            format!("{order} has tickets {tickets:?} and is no paid order")
        }),
    );
    wrong
}
