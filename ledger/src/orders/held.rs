//! The legs of an opening order report: the last "held" makes the order held, the first "refused"
//! ends it.

use super::{Order, OrderState};
use crate::change::Change;
use crate::command::{CloseReason, HoldLeg};
use crate::ids::*;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::outcome::{HeldLeg, Outcome, Receipt, Rejection};

impl Ledger {
    /// The door's word that the legs hold.
    ///
    /// After the order's end nothing needs to be undone: its end sent `Release` to every leg, and
    /// a released leg is never held again.
    pub(crate) fn record_held(&mut self, id: OrderId, legs: &[HeldLeg], now: Timestamp) -> Outcome {
        let Some(order) = self.orders.get_mut(&id) else {
            return Err(match self.closed.get(id) {
                Some(closed) => Rejection::OrderOver { why: closed.why },
                None => Rejection::OrderUnknown,
            });
        };
        if matches!(order.state, OrderState::Opening { .. }) {
            if legs.iter().any(|held| !fits(order, held)) {
                return Err(Rejection::OrderInvalid);
            }
            if now >= order.until {
                return Err(Rejection::HoldExpired);
            }
            for held in legs {
                order.legs[usize::from(held.leg)].hold(held);
            }
            if order.all_held() {
                order.enter(OrderState::Held, &mut self.due);
                let held = Change::OrderHeld {
                    order: order.reference(),
                    until: order.until,
                };
                self.journal.note(&mut self.seats, held);
            }
        }
        Ok(order.receipt())
    }

    /// A leg's shard tells that it holds.
    pub(crate) fn leg_held(&mut self, id: OrderId, held: &HeldLeg, now: Timestamp) {
        // Rejections have no reader here: the order is over, or its end is due and comes by itself.
        let _ = self.record_held(id, std::slice::from_ref(held), now);
    }

    /// A leg's shard tells that it cannot hold. An order that is held already heard a "yes" for
    /// this leg; should that hold be lost, its pin will be refused.
    pub(crate) fn leg_refused(&mut self, leg: LegKey, now: Timestamp) {
        if self
            .orders
            .get(&leg.order)
            .is_some_and(|order| matches!(order.state, OrderState::Opening { .. }))
        {
            probes::reached(probes::Mark::CourierRefused);
            self.end_order(leg.order, CloseReason::Refused, now);
        }
    }

    /// The door has not reported in time: the courier asks the legs itself.
    pub(crate) fn drive_opening(&mut self, id: OrderId) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        probes::reached(probes::Mark::OrderDriven);
        for leg in 0..order.legs.len() {
            let part = &order.legs[leg];
            if let Some(want) = part.want().filter(|_| !part.is_held()) {
                let hold = HoldLeg {
                    leg: order.leg_key(leg),
                    event: order.event,
                    buyer: order.buyer,
                    want,
                    until: order.until,
                };
                self.outboxes
                    .send(part.shard, Message::Hold(Box::new(hold)));
            }
        }
        order.enter(OrderState::Opening { driven: true }, &mut self.due);
    }
}

/// Whether `held` can be what one of the order's legs got.
fn fits(order: &Order, held: &HeldLeg) -> bool {
    order
        .legs
        .get(usize::from(held.leg))
        .is_some_and(|leg| leg.count() == held.places.count())
}

impl Ledger {
    /// The receipt of an order's payment.
    pub(crate) fn payment_receipt(&self, id: OrderId) -> Outcome {
        if let Some(order) = self.orders.get(&id) {
            return Ok(Receipt::Payment {
                phase: order.phase(),
            });
        }
        let closed = self.closed.get(id).ok_or(Rejection::OrderUnknown)?;
        Ok(Receipt::Payment {
            phase: crate::outcome::OrderPhase::Closed(closed.why),
        })
    }
}
