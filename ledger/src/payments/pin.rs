//! A buyer wants to pay: every leg is pinned first, so that no clock can take a seat away while
//! the money is on its way.

use probes::Bug;

use super::attempt::{Attempt, AttemptKey, AttemptState};
use crate::change::Change;
use crate::command::CloseReason;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::limits::*;
use crate::message::Message;
use crate::orders::OrderState;
use crate::outcome::{Outcome, Rejection};

impl Ledger {
    pub(crate) fn start_payment(
        &mut self,
        id: OrderId,
        buyer: BuyerId,
        method: &str,
        now: Timestamp,
    ) -> Outcome {
        let Some(order) = self.orders.get_mut(&id) else {
            let closed = self.closed.get(id).ok_or(Rejection::OrderUnknown)?;
            let mine = closed.buyer == buyer;
            return Err(if mine {
                Rejection::OrderOver { why: closed.why }
            } else {
                Rejection::OrderNotOfBuyer
            });
        };
        if order.buyer != buyer {
            return Err(Rejection::OrderNotOfBuyer);
        }
        match order.state {
            OrderState::Opening { .. } => return Err(Rejection::OrderNotHeldYet),
            OrderState::Held => {}
            _ => return self.payment_receipt(id),
        }
        if now >= order.until && !probes::planted(Bug::ExpiredHoldPaid) {
            probes::reached(probes::Mark::PaidTooLate);
            return Err(Rejection::HoldExpired);
        }
        if order.attempts >= PAYMENT_ATTEMPTS_MAX {
            return Err(Rejection::PaymentAttemptsMax);
        }
        if method.len() > PAYMENT_METHOD_BYTES_MAX {
            return Err(Rejection::TextTooLong);
        }
        order.set_method(method);
        if order.is_local() {
            self.pin_in_place(id, now);
        } else {
            order.enter(
                OrderState::Pinning {
                    deadline: now.plus_ms(PINNING_MS),
                },
                &mut self.due,
            );
            for number in 0..order.legs.len() {
                let leg = order.leg_key(number);
                let part = &mut order.legs[number];
                let generation = part.generation().expect("every leg of a held order holds");
                part.pinned = false;
                part.pins_unanswered = part.pins_unanswered.saturating_add(1);
                self.outboxes
                    .send(part.shard, Message::Pin { leg, generation });
            }
        }
        self.payment_receipt(id)
    }

    fn pin_in_place(&mut self, id: OrderId, now: Timestamp) {
        let order = self.orders.get(&id).expect("the caller has just seen it");
        for (number, part) in order.legs.iter().enumerate() {
            let generation = part.generation().expect("every leg of a held order holds");
            self.seats
                .pin(order.leg_key(number), generation, now, &mut self.due)
                .expect("a leg at home is held exactly as long as its order");
        }
        self.authorize(id, now);
    }

    /// Every leg is pinned: the money may be asked for.
    fn authorize(&mut self, id: OrderId, now: Timestamp) {
        let order = self
            .orders
            .get_mut(&id)
            .expect("the caller has just seen it");
        let mut amount = order.amount();
        if order.legs.len() > 1 && probes::planted(Bug::FirstLegCharged) {
            amount = order.legs[0].amount();
        }
        if amount == 0 {
            // Nothing to charge, so nobody to ask.
            self.commit(id, now);
            return;
        }
        order.attempts += 1;
        let key = AttemptKey {
            order: id,
            attempt: order.attempts,
        };
        let attempt = Attempt {
            number: key.attempt,
            amount,
            currency: self
                .events
                .get(&order.event)
                .map_or(*b"XXX", |event| event.plan.rules.currency),
            method: order.take_method(),
            reference: Box::default(),
            state: AttemptState::Authorizing,
            unknown: false,
            captured: false,
            since: now,
        };
        order.enter(
            OrderState::AuthPending {
                deadline: now.plus_ms(PAYMENT_UNKNOWN_MS),
            },
            &mut self.due,
        );
        self.payments.insert(id, attempt);
        let started = Change::PaymentStarted {
            order: order.reference(),
            attempt: key.attempt,
            amount,
        };
        self.journal.note(&mut self.seats, started);
    }

    /// A leg's shard has pinned it.
    pub(crate) fn leg_pinned(&mut self, leg: LegKey, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&leg.order) else {
            return;
        };
        let Some(part) = order.legs.get_mut(usize::from(leg.leg)) else {
            return;
        };
        part.pins_unanswered = part.pins_unanswered.saturating_sub(1);
        let older = part.pins_unanswered > 0 && !probes::planted(Bug::OldPinCounts);
        if older || !matches!(order.state, OrderState::Pinning { .. }) {
            probes::reached(probes::Mark::LatePin);
            return;
        }
        part.pinned = true;
        let all = order.legs.iter().all(|part| part.pinned);
        if all || probes::planted(Bug::CommitBeforeAllPinned) {
            self.authorize(leg.order, now);
        }
    }

    /// A leg's hold is gone. The order cannot be whole any more, so it is nothing.
    pub(crate) fn pin_refused(&mut self, leg: LegKey, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&leg.order) else {
            return;
        };
        let Some(part) = order.legs.get_mut(usize::from(leg.leg)) else {
            return;
        };
        part.pins_unanswered = part.pins_unanswered.saturating_sub(1);
        if matches!(order.state, OrderState::Pinning { .. } | OrderState::Held) {
            probes::reached(probes::Mark::LegLost);
            self.end_order(leg.order, CloseReason::LegLost, now);
        }
    }

    /// The payment came to nothing, the hold goes on for the rest of its time.
    pub(crate) fn unpin_to_held(&mut self, id: OrderId, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        debug_assert!(
            now < order.until,
            "an order past its deadline is closed, not held again"
        );
        let until = order.until;
        order.enter(OrderState::Held, &mut self.due);
        let held = Change::OrderHeld {
            order: order.reference(),
            until,
        };
        self.journal.note(&mut self.seats, held);
        for number in 0..order.legs.len() {
            let leg = order.leg_key(number);
            if order.is_local() {
                self.seats.unpin(leg, until, now, &mut self.due);
            } else {
                order.legs[number].pinned = false;
                self.outboxes
                    .send(order.legs[number].shard, Message::Unpin { leg, until });
            }
        }
    }
}
