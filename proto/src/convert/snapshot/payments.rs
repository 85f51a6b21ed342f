//! Tries to pay.

use ledger::payments::{Attempt, AttemptState};
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

pub(super) fn encode((order, attempt): &(OrderId, Attempt)) -> v1::SavedAttempt {
    v1::SavedAttempt {
        order: Some(id(order.0)),
        attempt: attempt.number.into(),
        amount: attempt.amount,
        currency: attempt.currency.to_vec(),
        method: attempt.method.as_str().to_owned(),
        reference: attempt.reference.to_string(),
        state: state_number(attempt.state),
        unknown: attempt.unknown,
        captured: attempt.captured,
        since_ms: attempt.since.0,
    }
}

pub(super) fn decode(wire: v1::SavedAttempt) -> Result<(OrderId, Attempt), DecodeError> {
    let order = OrderId(from_id(wire.order, "attempt.order")?);
    let attempt = Attempt {
        number: narrow(wire.attempt, "attempt.attempt")?,
        amount: wire.amount,
        currency: narrow(wire.currency.as_slice(), "attempt.currency")?,
        method: wire.method.into(),
        reference: wire.reference.into(),
        state: state(wire.state)?,
        unknown: wire.unknown,
        captured: wire.captured,
        since: Timestamp(wire.since_ms),
    };
    Ok((order, attempt))
}
