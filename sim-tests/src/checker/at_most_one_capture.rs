//! P4: money is taken at most once for an order, and given back at most as often as it was taken,
//! whatever was asked of the provider how often.

use std::collections::BTreeMap;

use api::payments::ProviderState;

use super::Evidence;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut charged: BTreeMap<&str, u64> = BTreeMap::new();
    for payment in &evidence.book {
        if payment.captures > 1 || payment.refunds > payment.captures {
            wrong.push(format!("{payment:?}: money moved more than once"));
        }
        *charged.entry(&payment.order).or_default() +=
            u64::from(payment.state == ProviderState::Captured);
    }
    let twice = charged.into_iter().filter(|(_, times)| *times > 1);
    wrong.extend(twice.map(|(order, _)| format!("{order} was charged twice")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Payment;

    fn payment(key: &str, state: ProviderState, captures: u64, refunds: u64) -> Payment {
        Payment {
            key: key.to_owned(),
            order: "an-order".to_owned(),
            amount: 100,
            state,
            captures,
            refunds,
        }
    }

    #[test]
    fn one_capture_after_any_number_of_declines_and_never_a_second_one() {
        let run = |book| {
            check(&Evidence {
                book,
                ..Evidence::default()
            })
            .len()
        };
        let taken = payment("b", ProviderState::Captured, 1, 0);
        assert_eq!(
            run(vec![
                payment("a", ProviderState::Declined, 0, 0),
                taken.clone()
            ]),
            0
        );
        assert_eq!(
            run(vec![
                payment("a", ProviderState::Refunded, 1, 1),
                taken.clone()
            ]),
            0
        );
        assert_eq!(
            run(vec![payment("a", ProviderState::Captured, 1, 0), taken]),
            1
        );
        assert_eq!(run(vec![payment("a", ProviderState::Captured, 2, 0)]), 1);
        assert_eq!(run(vec![payment("a", ProviderState::Refunded, 1, 2)]), 1);
    }
}
