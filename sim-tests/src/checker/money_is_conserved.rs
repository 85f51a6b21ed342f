//! P4: at most one charge an order; charged means seats, or the money goes back by itself.

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
        if payment.captures > 1 || payment.refunds > payment.captures {
            wrong.push(format!("{payment:?}: money moved more than once"));
        }
        match payment.state {
            ProviderState::Captured => {
                let order = payment.order.replace('-', "");
                if charged.insert(order.clone(), payment.amount).is_some() {
                    wrong.push(format!("{order} was charged twice"));
                }
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
