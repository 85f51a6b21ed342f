//! What the provider answered is written down; the order hears what it means.

use super::attempt::{AttemptKey, AttemptState, News};
use crate::change::Change;
use crate::command::CloseReason;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::limits::*;
use crate::orders::OrderState;
use crate::outcome::{Outcome, Rejection};
use crate::payment::{PaymentDue, PaymentResult, PaymentStep};

impl Ledger {
    /// Calls to the payment provider that somebody must make, oldest first, at most `limit`.
    pub fn payments_due(&self, limit: usize) -> Vec<PaymentDue> {
        self.payments_due_of(limit, |_, _, _| true)
    }

    /// The same of those that are `wanted`, by order, step and attempt: whoever makes many calls need not
    /// copy those that are under way.
    pub fn payments_due_of(
        &self,
        limit: usize,
        wanted: impl FnMut(OrderId, PaymentStep, u8) -> bool,
    ) -> Vec<PaymentDue> {
        self.payments.due(wanted).take(limit).collect()
    }

    /// How many payments are owed a call.
    pub fn payments_due_count(&self) -> usize {
        self.payments.owed_count()
    }

    /// The call that an attempt at paying is owed.
    pub fn payment_owed(&self, order: OrderId, attempt: u8) -> Option<PaymentStep> {
        self.payments.get(AttemptKey { order, attempt })?.owed()
    }

    /// Whether this success of a call was recorded before: whoever hears of it again need not record it.
    /// What a replica that is behind knows stays known.
    pub fn payment_known(
        &self,
        order: OrderId,
        step: PaymentStep,
        attempt: u8,
        result: &PaymentResult,
    ) -> bool {
        let attempt = self.payments.get(AttemptKey { order, attempt });
        attempt.is_some_and(|attempt| attempt.knows(step, result))
    }

    pub(crate) fn record_payment(
        &mut self,
        id: OrderId,
        step: PaymentStep,
        attempt: u8,
        result: &PaymentResult,
        now: Timestamp,
    ) -> Outcome {
        let key = AttemptKey { order: id, attempt };
        if self.payments.get(key).is_none() {
            probes::reached(probes::Mark::AnswerOfNoAttempt);
            self.payment_receipt(id)?;
            return Err(Rejection::PaymentStale);
        }
        if let PaymentResult::Done { reference } = result
            && reference.len() > PROVIDER_REF_BYTES_MAX
        {
            return Err(Rejection::TextTooLong);
        }
        let live = self
            .orders
            .get(&id)
            .is_some_and(|order| order.attempts == attempt && order.awaits_payment());
        let news = self
            .payments
            .change(key, |attempt| attempt.learn(step, result, live, now))
            .flatten()
            .ok_or(Rejection::PaymentStale)?;
        self.hear(id, news, now);
        let receipt = self.payment_receipt(id);
        if receipt.is_err() {
            // The order was forgotten; its money was not, until now.
            self.payments.forget_settled(key);
            return Ok(crate::outcome::Receipt::Payment {
                phase: crate::outcome::OrderPhase::Closed(CloseReason::PaymentCancelled),
            });
        }
        receipt
    }

    fn hear(&mut self, id: OrderId, news: News, now: Timestamp) {
        match news {
            News::Nothing => {}
            News::Authorized => self.commit(id, now),
            News::Declined => self.declined(id, now),
            News::Unknown => self.in_doubt(id),
            News::Cancelled => self.end_order(id, CloseReason::PaymentCancelled, now),
            News::CancelRefused => {
                let deadline = now.plus_ms(PAYMENT_UNKNOWN_MS);
                if let Some(order) = self.orders.get_mut(&id) {
                    order.enter(OrderState::AuthUnknown { deadline }, &mut self.due);
                }
            }
            News::Captured => self.captured(id),
            News::CaptureRefused => self.end_order(id, CloseReason::CaptureRefused, now),
            News::Refunded => self.refunded(id),
        }
    }

    /// The hold goes on, or ends when its time or its tries are over.
    fn declined(&mut self, id: OrderId, now: Timestamp) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let declined = Change::PaymentDeclined {
            order: order.reference(),
            attempt: order.attempts,
        };
        self.journal.note(&mut self.seats, declined);
        if now >= order.until || order.attempts >= PAYMENT_ATTEMPTS_MAX {
            probes::reached(probes::Mark::DeclinedForGood);
            self.end_order(id, CloseReason::Declined, now);
        } else {
            probes::reached(probes::Mark::DeclinedAndHeld);
            self.unpin_to_held(id, now);
        }
    }

    /// Unknown is not failed: the seats stay pinned, the deadline for finding out stays.
    fn in_doubt(&mut self, id: OrderId) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if let OrderState::AuthPending { deadline } = order.state {
            probes::reached(probes::Mark::InDoubt);
            order.enter(OrderState::AuthUnknown { deadline }, &mut self.due);
            let in_doubt = Change::PaymentInDoubt {
                order: order.reference(),
                attempt: order.attempts,
            };
            self.journal.note(&mut self.seats, in_doubt);
        }
    }

    /// Nobody found out in time: undo it. The seats stay pinned until that is certain.
    pub(crate) fn cancel_payment(&mut self, id: OrderId, now: Timestamp) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.enter(OrderState::Cancelling, &mut self.due);
        let key = AttemptKey {
            order: id,
            attempt: order.attempts,
        };
        self.payments
            .change(key, |attempt| attempt.enter(AttemptState::Cancelling, now));
    }
}
