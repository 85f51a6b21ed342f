//! P2, P4: an order takes its turns in order: opened, held, paid for, committed once, paid, perhaps
//! refunded; what is committed never ends unpaid, unless the provider would not take the money it
//! had reserved; what is over stays over.

use std::collections::BTreeMap;

use ledger::OrderId;
use ledger::change::Change;
use ledger::command::CloseReason;

use super::Course;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Open,
    Committed,
    Paid,
    Refunding,
    Refunded,
    Over,
}

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut stages: BTreeMap<OrderId, Stage> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (entry, fact) in course.facts() {
        let Some(order) = fact.order().map(|order| order.order) else {
            continue;
        };
        let before = stages.get(&order).copied();
        let refused = |why: &CloseReason| *why == CloseReason::CaptureRefused;
        let (fits, next) = match fact {
            Change::OrderOpened { .. } => (before.is_none(), Stage::Open),
            Change::OrderCommitted { .. } => (before == Some(Stage::Open), Stage::Committed),
            Change::OrderPaid { .. } => (before == Some(Stage::Committed), Stage::Paid),
            Change::RefundStarted { .. } => (before == Some(Stage::Paid), Stage::Refunding),
            Change::OrderRefunded { .. } => (before == Some(Stage::Refunding), Stage::Refunded),
            Change::OrderClosed { why, .. } => {
                let fits = match before {
                    Some(Stage::Open) => !refused(why),
                    Some(Stage::Committed) => refused(why),
                    _ => false,
                };
                (fits, Stage::Over)
            }
            _ => (before == Some(Stage::Open), Stage::Open),
        };
        if !fits {
            wrong.push(format!(
                "shard {} entry {}: {fact:?} after {before:?}",
                entry.shard, entry.index
            ));
        }
        stages.insert(order, next);
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::hand::{entry, order, with};

    #[test]
    fn a_committed_order_is_committed_once_and_does_not_end() {
        let of = order(1, 1);
        let opened = Change::OrderOpened { order: of };
        let committed = Change::OrderCommitted { order: of };
        let paid = Change::OrderPaid {
            order: of,
            amount: 1,
        };
        let closed = |why| Change::OrderClosed { order: of, why };
        let refund = Change::RefundStarted { order: of };
        let run = |facts| check(&with(vec![entry(1, 1, 10, facts)])).len();
        assert_eq!(run(vec![opened, committed, paid, refund]), 0);
        assert_eq!(
            run(vec![opened, committed, closed(CloseReason::CaptureRefused)]),
            0
        );
        assert_eq!(run(vec![opened, closed(CloseReason::Expired)]), 0);
        assert_eq!(run(vec![opened, committed, committed]), 1);
        assert_eq!(
            run(vec![
                opened,
                committed,
                paid,
                closed(CloseReason::Cancelled)
            ]),
            1
        );
        assert_eq!(
            run(vec![opened, closed(CloseReason::Expired), committed]),
            1
        );
        assert_eq!(run(vec![opened, refund]), 1);
    }
}
