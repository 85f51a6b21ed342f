//! P4: charged means seats, or the money goes back by itself; nothing stays reserved.

use std::collections::BTreeMap;

use api::payments::ProviderState;

use super::Evidence;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let paid: BTreeMap<String, u64> = evidence
        .orders()
        .filter(|order| order.phase == "paid")
        .map(|order| (order.order_id.simple().to_string(), order.amount))
        .collect();
    let mut wrong = Vec::new();
    let mut charged: BTreeMap<String, u64> = BTreeMap::new();
    for payment in &evidence.book {
        match payment.state {
            ProviderState::Captured => {
                let order = payment.order.replace('-', "");
                charged.insert(order, payment.amount);
            }
            ProviderState::Authorized => {
                wrong.push(format!(
                    "{payment:?}: money is still reserved and nobody cares"
                ));
            }
            ProviderState::Cancelled | ProviderState::Refunded | ProviderState::Declined => {}
        }
    }
    for (order, amount) in &paid {
        if charged.get(order) != Some(amount) {
            wrong.push(format!(
                "{order} is paid ({amount}); charged: {:?}",
                charged.get(order)
            ));
        }
    }
    for order in charged.keys().filter(|order| !paid.contains_key(*order)) {
        wrong.push(format!("{order} was charged and has no seats"));
    }
    wrong
}
