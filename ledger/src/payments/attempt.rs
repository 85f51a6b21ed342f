//! One try to pay, and what each of the provider's answers makes of it. Pure: it is told whether
//! its order still waits for it, and tells what the order must hear.
//!
//! Answers arrive in any order and any number of times (a reply, a webhook, another webhook). Each
//! is judged by the state alone; one that has nothing to say any more is *stale*.

use probes::Bug;

use crate::ids::{OrderId, Timestamp};
use crate::payment::{PaymentResult, PaymentStep};
use crate::text::Text;

/// A try to pay for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// The order.
    pub order: OrderId,
    /// Which try, from 1.
    pub attempt: u8,
}

/// What is known of a try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Which try of its order, from 1.
    pub number: u8,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// The buyer's opaque payment method, until the money is taken. What comes after goes by the
    /// provider's reference, and a token that is not kept cannot leak.
    pub method: Text,
    /// The provider's reference, once known.
    pub reference: Box<str>,
    /// Where it stands.
    pub state: AttemptState,
    /// Whether the call it is owed was answered "unknown" before.
    pub unknown: bool,
    /// Whether the provider ever said that the money was taken.
    pub captured: bool,
    /// Since when it has been owed its present call: the oldest are called first.
    pub since: Timestamp,
}

/// Where a try stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// Owed: reserve the money.
    Authorizing,
    /// Certainly not reserved.
    Declined,
    /// Owed: undo the reservation.
    Cancelling,
    /// Certainly undone.
    Cancelled,
    /// Owed: take the money. The order is committed.
    Capturing,
    /// Taken.
    Captured,
    /// Owed: give it back.
    Refunding,
    /// Given back.
    Refunded,
    /// Could neither be cancelled nor refunded: there is nothing to give back.
    Settled,
}

/// What an answer means for the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing it does not know.
    Nothing,
    /// The money is reserved.
    Authorized,
    /// It will not be.
    Declined,
    /// Nobody knows.
    Unknown,
    /// The reservation is undone.
    Cancelled,
    /// It could not be undone.
    CancelRefused,
    /// The money is taken.
    Captured,
    /// It cannot be taken.
    CaptureRefused,
    /// The money is back.
    Refunded,
}

impl Attempt {
    /// The call it is owed.
    pub(super) fn owed(&self) -> Option<PaymentStep> {
        match self.state {
            AttemptState::Authorizing => Some(PaymentStep::Authorize),
            AttemptState::Cancelling => Some(PaymentStep::Cancel),
            AttemptState::Capturing => Some(PaymentStep::Capture),
            AttemptState::Refunding => Some(PaymentStep::Refund),
            AttemptState::Declined
            | AttemptState::Cancelled
            | AttemptState::Captured
            | AttemptState::Refunded
            | AttemptState::Settled => None,
        }
    }

    /// Whether this success was heard of, and is what the state comes from. Everything else is judged
    /// in its turn: a refusal, a reservation of something that is over.
    pub(super) fn knows(&self, step: PaymentStep, result: &PaymentResult) -> bool {
        let PaymentResult::Done { reference } = result else {
            return false;
        };
        match step {
            // Neither is reached by anything but a reservation that was heard of.
            PaymentStep::Authorize => {
                *reference == *self.reference
                    && matches!(self.state, AttemptState::Capturing | AttemptState::Captured)
            }
            PaymentStep::Capture => self.captured,
            PaymentStep::Cancel | PaymentStep::Refund => false,
        }
    }

    pub(super) fn enter(&mut self, state: AttemptState, now: Timestamp) {
        self.state = state;
        self.unknown = false;
        self.since = now;
    }

    /// Takes the provider's answer in. `live`: its order is not over and waits for this try.
    /// `None`: the answer is stale, and nothing changed.
    pub(super) fn learn(
        &mut self,
        step: PaymentStep,
        result: &PaymentResult,
        live: bool,
        now: Timestamp,
    ) -> Option<News> {
        let news = match result {
            PaymentResult::Done { .. } => self.learn_done(step, live, now)?,
            PaymentResult::Refused { .. } => self.learn_refused(step, live, now)?,
            PaymentResult::Unknown
                if step == PaymentStep::Authorize && probes::planted(Bug::UnknownIsDeclined) =>
            {
                self.learn_refused(step, live, now)?
            }
            PaymentResult::Unknown => self.learn_unknown(step)?,
        };
        if let PaymentResult::Done { reference } = result
            && self.reference.is_empty()
        {
            self.reference = reference.as_str().into();
        }
        if self.captured {
            self.method = Text::default();
        }
        Some(news)
    }

    fn learn_done(&mut self, step: PaymentStep, live: bool, now: Timestamp) -> Option<News> {
        use AttemptState as State;
        match (step, self.state) {
            (PaymentStep::Authorize, State::Authorizing) => {
                self.enter(State::Capturing, now);
                Some(News::Authorized)
            }
            // A cancel is under way. Whether it came first only its own answer tells.
            (PaymentStep::Authorize, State::Cancelling) => Some(News::Nothing),
            // A late success of something that is over: undo it.
            (PaymentStep::Authorize, State::Declined | State::Cancelled | State::Settled) => {
                probes::reached(probes::Mark::LateAuthorizationUndone);
                self.enter(State::Cancelling, now);
                Some(News::Nothing)
            }
            (PaymentStep::Authorize, State::Captured)
                if probes::planted(Bug::LateAuthorizedTrusted) =>
            {
                self.enter(State::Capturing, now);
                Some(News::Nothing)
            }
            (PaymentStep::Authorize, _) => {
                probes::reached(probes::Mark::AuthorizedAgain);
                Some(News::Nothing)
            }

            (PaymentStep::Capture, State::Capturing) => {
                self.captured = true;
                self.enter(State::Captured, now);
                Some(News::Captured)
            }
            // Taken although it was refused first, or long over: give it back.
            (
                PaymentStep::Capture,
                State::Declined | State::Cancelling | State::Cancelled | State::Settled,
            ) if !live => {
                self.captured = true;
                self.enter(State::Refunding, now);
                Some(News::Nothing)
            }
            (PaymentStep::Capture, State::Captured | State::Refunding | State::Refunded) => {
                self.captured = true;
                Some(News::Nothing)
            }

            (PaymentStep::Cancel, State::Cancelling) => {
                self.enter(State::Cancelled, now);
                Some(if live { News::Cancelled } else { News::Nothing })
            }
            (PaymentStep::Cancel, State::Cancelled) => Some(News::Nothing),

            (PaymentStep::Refund, State::Refunding) => {
                self.enter(State::Refunded, now);
                Some(News::Refunded)
            }
            (PaymentStep::Refund, State::Refunded) => Some(News::Nothing),
            (PaymentStep::Capture | PaymentStep::Cancel | PaymentStep::Refund, _) => None,
        }
    }

    fn learn_refused(&mut self, step: PaymentStep, live: bool, now: Timestamp) -> Option<News> {
        use AttemptState as State;
        match (step, self.state) {
            (PaymentStep::Authorize, State::Authorizing) => {
                self.enter(State::Declined, now);
                Some(News::Declined)
            }
            // Certain that there is nothing to cancel; unless a success was heard of before.
            (PaymentStep::Authorize, State::Cancelling) if live && self.reference.is_empty() => {
                self.enter(State::Declined, now);
                Some(News::Cancelled)
            }
            (PaymentStep::Authorize, State::Declined) => Some(News::Nothing),

            (PaymentStep::Capture, State::Capturing) => {
                // The reservation may still stand, so it is undone.
                self.enter(State::Cancelling, now);
                Some(News::CaptureRefused)
            }

            (PaymentStep::Cancel, State::Cancelling) if live => {
                // Look it up again: it may have succeeded.
                self.enter(State::Authorizing, now);
                self.unknown = true;
                Some(News::CancelRefused)
            }
            (PaymentStep::Cancel, State::Cancelling) => {
                self.enter(State::Refunding, now);
                Some(News::Nothing)
            }

            // Money that was taken is owed until it is back, whatever the provider says today.
            (PaymentStep::Refund, State::Refunding) if self.captured => {
                self.unknown = true;
                Some(News::Nothing)
            }
            (PaymentStep::Refund, State::Refunding) => {
                self.enter(State::Settled, now);
                Some(News::Nothing)
            }
            (_, _) => None,
        }
    }

    fn learn_unknown(&mut self, step: PaymentStep) -> Option<News> {
        if self.owed() != Some(step) {
            return None;
        }
        probes::reached(probes::Mark::AnswerUnknown);
        self.unknown = true;
        Some(if step == PaymentStep::Authorize {
            News::Unknown
        } else {
            News::Nothing
        })
    }
}
