//! A paid order's money goes back. Its seats are free from the entry that decides it.

use probes::Bug;

use super::attempt::{AttemptKey, AttemptState};
use crate::buyers::BuyerKey;
use crate::change::Change;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::orders::OrderState;
use crate::outcome::{Outcome, Rejection};

impl Ledger {
    pub(crate) fn start_refund(&mut self, id: OrderId, now: Timestamp) -> Outcome {
        let Some(order) = self.orders.get_mut(&id) else {
            let closed = self.closed.get(id).ok_or(Rejection::OrderUnknown)?;
            return Err(Rejection::OrderOver { why: closed.why });
        };
        match order.state {
            OrderState::Paid => {}
            OrderState::Refunding | OrderState::Refunded => {
                probes::reached(probes::Mark::RefundedAgain);
                return self.payment_receipt(id);
            }
            _ => return Err(Rejection::RefundImpossible),
        }
        let free = order.amount() == 0;
        let state = if free {
            OrderState::Refunded
        } else {
            OrderState::Refunding
        };
        order.enter(state, &mut self.due);
        let key = AttemptKey {
            order: id,
            attempt: order.attempts,
        };
        let buyer = BuyerKey {
            event: order.event,
            buyer: order.buyer,
        };
        let places = order.places();
        let order = order.reference();
        probes::reached(probes::Mark::Refunded);
        self.note(Change::RefundStarted { order });
        if free {
            self.note(Change::OrderRefunded { order });
        }
        if !probes::planted(Bug::RefundForgetsMoney) {
            self.payments
                .change(key, |attempt| attempt.enter(AttemptState::Refunding, now));
        }
        self.buyers.give_back(buyer, places);
        let order = self.orders.remove(&id).expect("it was there a moment ago");
        if !probes::planted(Bug::RefundKeepsSeats) {
            self.release_legs(&order, now);
        }
        self.orders.insert(order);
        self.payment_receipt(id)
    }

    /// The money is back.
    pub(super) fn refunded(&mut self, id: OrderId) {
        if let Some(order) = self.orders.get_mut(&id)
            && order.state == OrderState::Refunding
        {
            order.enter(OrderState::Refunded, &mut self.due);
            let refunded = Change::OrderRefunded {
                order: order.reference(),
            };
            self.journal.note(&mut self.seats, refunded);
        }
    }
}
