//! How an unpaid order ends: its seats and its buyer's allowance go back, and it is remembered.

use probes::Bug;

use super::{ClosedOrder, Order};
use crate::buyers::BuyerKey;
use crate::change::Change;
use crate::command::CloseReason;
use crate::due::Due;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::outcome::{Outcome, Receipt, Rejection};

impl Ledger {
    pub(crate) fn close_order(
        &mut self,
        id: OrderId,
        buyer: BuyerId,
        why: CloseReason,
        now: Timestamp,
    ) -> Outcome {
        let Some(order) = self.orders.get(&id) else {
            let closed = self.closed.get(id).ok_or(Rejection::OrderUnknown)?;
            return if closed.buyer == buyer {
                Ok(Receipt::OrderClosed)
            } else {
                Err(Rejection::OrderNotOfBuyer)
            };
        };
        if order.buyer != buyer {
            return Err(Rejection::OrderNotOfBuyer);
        }
        if !order.is_hold() && !probes::planted(Bug::PaidOrderGivenBack) {
            return Err(Rejection::OrderInPayment);
        }
        self.end_order(id, why, now);
        Ok(Receipt::OrderClosed)
    }

    /// Ends an order that is not paid. The caller has seen to its money.
    pub(crate) fn end_order(&mut self, id: OrderId, why: CloseReason, now: Timestamp) {
        let Some(order) = self.orders.remove(&id) else {
            return;
        };
        if let Some(at) = order.deadline() {
            self.due.clear(at, Due::Order(id));
        }
        self.release_legs(&order, now);
        self.note(Change::OrderClosed {
            order: order.reference(),
            why,
        });
        if !probes::planted(Bug::AllowanceNotGivenBack) {
            self.buyers.give_back(
                BuyerKey {
                    event: order.event,
                    buyer: order.buyer,
                },
                order.places(),
            );
        }
        self.closed.remember(ClosedOrder::of(&order, why, now));
    }

    /// Frees every leg's seats, sold ones too: here at once, elsewhere by message.
    ///
    /// A leg of ours is freed in place even when its other messages went through the outbox:
    /// whatever of them is still under way finds the leg gone, which they all take for an answer.
    pub(crate) fn release_legs(&mut self, order: &Order, now: Timestamp) {
        // The order's own record says that its legs here are over; they need no tombstones.
        let unsold = !order.is_sold();
        for (number, leg) in order.legs.iter().enumerate() {
            let key = order.leg_key(number);
            if leg.shard == self.shard {
                if unsold {
                    self.seats.undo(key, now, &mut self.due);
                } else {
                    self.seats
                        .release(key, now, &mut self.tickets, &mut self.due);
                }
            } else if number == 0 || !probes::planted(Bug::LegNotReleased) {
                self.outboxes.send(leg.shard, Message::Release { leg: key });
            }
        }
    }
}
