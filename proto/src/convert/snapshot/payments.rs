//! Tries to pay.

use ledger::payments::{Attempt, AttemptKey, AttemptState};
use ledger::*;

use super::super::ids::*;
use crate::error::{DecodeError, narrow};
use crate::v1;

fn state_number(state: AttemptState) -> u32 {
    match state {
        AttemptState::Authorizing => 1,
        AttemptState::Declined => 2,
        AttemptState::Cancelling => 3,
        AttemptState::Cancelled => 4,
        AttemptState::Capturing => 5,
        AttemptState::Captured => 6,
        AttemptState::Refunding => 7,
        AttemptState::Refunded => 8,
        AttemptState::Settled => 9,
    }
}

fn state(number: u32) -> Result<AttemptState, DecodeError> {
    Ok(match number {
        1 => AttemptState::Authorizing,
        2 => AttemptState::Declined,
        3 => AttemptState::Cancelling,
        4 => AttemptState::Cancelled,
        5 => AttemptState::Capturing,
        6 => AttemptState::Captured,
        7 => AttemptState::Refunding,
        8 => AttemptState::Refunded,
        9 => AttemptState::Settled,
        _ => return Err(DecodeError::Missing("attempt.state")),
    })
}

pub(super) fn encode((key, attempt): &(AttemptKey, Attempt)) -> v1::SavedAttempt {
    v1::SavedAttempt {
        order: Some(id(key.order.0)),
        attempt: key.attempt.into(),
        amount: attempt.amount,
        currency: attempt.currency.to_vec(),
        method: attempt.method.clone(),
        reference: attempt.reference.clone(),
        state: state_number(attempt.state),
        unknown: attempt.unknown,
        captured: attempt.captured,
        since_ms: attempt.since.0,
    }
}

pub(super) fn decode(wire: v1::SavedAttempt) -> Result<(AttemptKey, Attempt), DecodeError> {
    let key = AttemptKey {
        order: OrderId(from_id(wire.order, "attempt.order")?),
        attempt: narrow(wire.attempt, "attempt.attempt")?,
    };
    let attempt = Attempt {
        amount: wire.amount,
        currency: narrow(wire.currency.as_slice(), "attempt.currency")?,
        method: wire.method,
        reference: wire.reference,
        state: state(wire.state)?,
        unknown: wire.unknown,
        captured: wire.captured,
        since: Timestamp(wire.since_ms),
    };
    Ok((key, attempt))
}
