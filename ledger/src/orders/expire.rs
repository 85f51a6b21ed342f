//! P5: what the clock does to orders and legs. A late sweep is never wrong: every decision asks
//! the clock itself whether a hold is live.

use probes::Bug;

use super::OrderState;
use super::order::EARLY_MS;
use crate::command::CloseReason;
use crate::due::Due;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::limits::SWEEP_PER_TICK_MAX;
use crate::outcome::{Outcome, Receipt};

impl Ledger {
    /// Handles what is due, a bounded number, in (due, id) order.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Outcome {
        let mut swept = 0;
        while swept < SWEEP_PER_TICK_MAX {
            let Some((_, due)) = self.due.pop_due(now) else {
                break;
            };
            swept += 1;
            match due {
                Due::Order(order) => self.order_due(order, now),
                // A hold for another shard's order ends by itself, should its home be unreachable.
                Due::Leg(leg) => {
                    self.seats.expire(leg, now, &mut self.due);
                }
                Due::Room(event) => self.room_due(event, now),
                Due::Stock(event) => self.stock_due(event, now),
            }
        }
        Ok(Receipt::Ticked {
            swept: swept as u32,
        })
    }

    fn order_due(&mut self, id: OrderId, now: Timestamp) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let expired = now >= order.until
            || now.plus_ms(EARLY_MS) >= order.until && probes::planted(Bug::HoldEndsEarly);
        match order.state {
            OrderState::Opening { .. } | OrderState::Held if expired => {
                self.end_order(id, CloseReason::Expired, now);
            }
            OrderState::Opening { driven: false } => self.drive_opening(id),
            OrderState::Pinning { .. } if expired => {
                probes::reached(probes::Mark::ExpiredWhilePinning);
                self.end_order(id, CloseReason::Expired, now);
            }
            OrderState::Pinning { .. } => {
                probes::reached(probes::Mark::PinningGivenUp);
                self.unpin_to_held(id, now);
            }
            OrderState::AuthPending { .. } | OrderState::AuthUnknown { .. }
                if expired && probes::planted(Bug::PaymentEndsWithHold) =>
            {
                self.end_order(id, CloseReason::Expired, now);
            }
            OrderState::AuthPending { .. } | OrderState::AuthUnknown { .. } => {
                self.cancel_payment(id, now)
            }
            // Not live any more, or none of time's business: `deadline` gave no such entry.
            OrderState::Opening { driven: true }
            | OrderState::Held
            | OrderState::Cancelling
            | OrderState::Committed { .. }
            | OrderState::Paid
            | OrderState::Refunding
            | OrderState::Refunded => {}
        }
    }
}
