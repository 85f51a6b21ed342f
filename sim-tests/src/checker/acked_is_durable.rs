//! P3: what was answered "yes" is never lost, also when every node loses power at once.
//!
//! Paid as told: the order is paid, for that amount, with those tickets. Held as told: the order
//! is known as held or paid, or its time ran out by its home's clock, or its buyer gave it back or
//! did not pay. (Seeds 393, 574, 647: the true clock says nothing where one leaped ahead.)

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use crate::history::Told;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let orders: BTreeMap<String, _> = evidence
        .orders()
        .map(|order| (order.order_id.to_string(), order))
        .collect();
    let touched: BTreeSet<&str> = evidence
        .yes
        .iter()
        .filter(|yes| yes.told != Told::Held)
        .map(|yes| yes.order.as_str())
        .collect();
    let refunds: BTreeSet<&str> = evidence.refunds().collect();
    let mut wrong = Vec::new();
    for yes in &evidence.yes {
        let order = orders.get(&yes.order);
        match yes.told {
            Told::Paid => {
                let kept = order.is_some_and(|order| {
                    let known: BTreeSet<_> =
                        order.tickets.iter().map(ToString::to_string).collect();
                    let refunded =
                        order.phase == "refunded" && refunds.contains(yes.order.as_str());
                    if refunded {
                        return true;
                    }
                    order.phase == "paid"
                        && order.amount == yes.amount
                        && yes.tickets.iter().all(|ticket| known.contains(ticket))
                });
                if !kept {
                    wrong.push(format!(
                        "{} was told paid; the cluster has {order:?}",
                        yes.order
                    ));
                }
            }
            Told::Held => {
                let over = yes.held_until_ms <= evidence.home_now_ms(&yes.order);
                if order.is_none() && !over && !touched.contains(yes.order.as_str()) {
                    wrong.push(format!(
                        "{} was told held and is gone before its time",
                        yes.order
                    ));
                }
            }
            Told::RefundAsked => {}
            Told::Cancelled => {
                if order.is_some() {
                    wrong.push(format!(
                        "{} was told given back and is {order:?}",
                        yes.order
                    ));
                }
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use ledger::{OrderId, ShardId};
    use server::node::audit_view::AuditView;

    use super::*;
    use crate::history::Yes;

    fn at(now_ms: u64) -> AuditView {
        AuditView {
            now_ms,
            ..AuditView::default()
        }
    }

    #[test]
    fn a_hold_is_over_by_the_time_in_its_log() {
        let id = OrderId::new(ShardId(1), 7);
        let held = Yes {
            told: Told::Held,
            order: uuid::Uuid::from_u128(id.0).to_string(),
            seats: Vec::new(),
            amount: 0,
            held_until_ms: 90_000,
            tickets: Vec::new(),
        };
        let mut evidence = Evidence {
            yes: vec![held],
            ..Evidence::default()
        };
        assert_eq!(check(&evidence).len(), 1, "lost");
        evidence.shards.insert(1, at(89_999));
        assert_eq!(check(&evidence).len(), 1, "lost");
        evidence.shards.insert(2, at(95_000));
        assert_eq!(check(&evidence).len(), 1, "another shard's clock");
        evidence.shards.insert(1, at(90_000));
        assert_eq!(check(&evidence).len(), 0, "it ended in time");
    }
}
