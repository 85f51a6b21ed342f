//! Orders that are not over, and what is left of those that are.

use ledger::orders::{Asked, ClosedOrder, OrderState, SavedOrder, SavedOrderLeg};
use ledger::*;

use super::super::ids::*;
use super::super::outcome::{close_reason, close_reason_number, held_leg};
use crate::error::{DecodeError, narrow, required};
use crate::v1;
use crate::v1::saved_order_state::Kind;

impl From<OrderState> for v1::SavedOrderState {
    fn from(state: OrderState) -> Self {
        let empty = v1::Empty {};
        let kind = match state {
            OrderState::Opening { driven } => Kind::Opening(driven),
            OrderState::Held => Kind::Held(empty),
            OrderState::Pinning { deadline } => Kind::Pinning(deadline.0),
            OrderState::AuthPending { deadline } => Kind::AuthPending(deadline.0),
            OrderState::AuthUnknown { deadline } => Kind::AuthUnknown(deadline.0),
            OrderState::Cancelling => Kind::Cancelling(empty),
            OrderState::Committed { captured } => Kind::Committed(captured),
            OrderState::Paid => Kind::Paid(empty),
            OrderState::Refunding => Kind::Refunding(empty),
            OrderState::Refunded => Kind::Refunded(empty),
        };
        Self { kind: Some(kind) }
    }
}

fn state(state: Option<v1::SavedOrderState>) -> Result<OrderState, DecodeError> {
    let kind = required(state.and_then(|state| state.kind), "order.state")?;
    Ok(match kind {
        Kind::Opening(driven) => OrderState::Opening { driven },
        Kind::Held(_) => OrderState::Held,
        Kind::Pinning(at) => OrderState::Pinning {
            deadline: Timestamp(at),
        },
        Kind::AuthPending(at) => OrderState::AuthPending {
            deadline: Timestamp(at),
        },
        Kind::AuthUnknown(at) => OrderState::AuthUnknown {
            deadline: Timestamp(at),
        },
        Kind::Cancelling(_) => OrderState::Cancelling,
        Kind::Committed(captured) => OrderState::Committed { captured },
        Kind::Paid(_) => OrderState::Paid,
        Kind::Refunding(_) => OrderState::Refunding,
        Kind::Refunded(_) => OrderState::Refunded,
    })
}

impl From<&SavedOrderLeg> for v1::SavedOrderLeg {
    fn from(leg: &SavedOrderLeg) -> Self {
        let (want, asked_mark) = match &leg.asked {
            Asked::Want(want) => (Some(want.into()), None),
            Asked::Mark(mark) => (None, Some(*mark)),
        };
        Self {
            want: Some(v1::LegWant {
                shard: leg.shard.0.into(),
                want,
            }),
            held: leg.held.as_ref().map(Into::into),
            pins_unanswered: leg.pins_unanswered.into(),
            pinned: leg.pinned,
            tickets: pack(leg.tickets.iter().map(|ticket| ticket.0)),
            asked_mark,
        }
    }
}

impl TryFrom<v1::SavedOrderLeg> for SavedOrderLeg {
    type Error = DecodeError;

    fn try_from(leg: v1::SavedOrderLeg) -> Result<Self, DecodeError> {
        let want = required(leg.want, "order.leg.want")?;
        Ok(Self {
            shard: shard(want.shard, "order.leg.shard")?,
            asked: match leg.asked_mark {
                Some(mark) => Asked::Mark(mark),
                None => Asked::Want(required(want.want, "order.leg.want")?.try_into()?),
            },
            held: leg.held.map(held_leg).transpose()?,
            pins_unanswered: narrow(leg.pins_unanswered, "order.leg.pins_unanswered")?,
            pinned: leg.pinned,
            tickets: unpack(&leg.tickets, "order.leg.tickets", TicketId)?,
        })
    }
}

impl From<&SavedOrder> for v1::SavedOrder {
    fn from(order: &SavedOrder) -> Self {
        Self {
            order: Some(id(order.id.0)),
            event: Some(id(order.event.0)),
            buyer: Some(id(order.buyer.0)),
            pass_index: order.pass_index,
            opened_at_ms: order.opened_at.0,
            until_ms: order.until.0,
            legs: order.legs.iter().map(Into::into).collect(),
            state: Some(order.state.into()),
            attempts: order.attempts.into(),
            method: order.method.clone(),
        }
    }
}

impl TryFrom<v1::SavedOrder> for SavedOrder {
    type Error = DecodeError;

    fn try_from(order: v1::SavedOrder) -> Result<Self, DecodeError> {
        Ok(Self {
            id: OrderId(from_id(order.order, "order.order")?),
            event: EventId(from_id(order.event, "order.event")?),
            buyer: BuyerId(from_id(order.buyer, "order.buyer")?),
            pass_index: order.pass_index,
            opened_at: Timestamp(order.opened_at_ms),
            until: Timestamp(order.until_ms),
            legs: super::all(order.legs, TryInto::try_into)?,
            state: state(order.state)?,
            attempts: narrow(order.attempts, "order.attempts")?,
            method: order.method,
        })
    }
}

impl From<&ClosedOrder> for v1::SavedClosedOrder {
    fn from(closed: &ClosedOrder) -> Self {
        Self {
            order: Some(id(closed.id.0)),
            event: Some(id(closed.event.0)),
            buyer: Some(id(closed.buyer.0)),
            content: closed.content,
            why: close_reason_number(closed.why),
            closed_at_ms: closed.closed_at.0,
            attempts: closed.attempts.into(),
        }
    }
}

impl TryFrom<v1::SavedClosedOrder> for ClosedOrder {
    type Error = DecodeError;

    fn try_from(closed: v1::SavedClosedOrder) -> Result<Self, DecodeError> {
        Ok(Self {
            id: OrderId(from_id(closed.order, "closed.order")?),
            event: EventId(from_id(closed.event, "closed.event")?),
            buyer: BuyerId(from_id(closed.buyer, "closed.buyer")?),
            content: closed.content,
            why: close_reason(closed.why)?,
            closed_at: Timestamp(closed.closed_at_ms),
            attempts: narrow(closed.attempts, "closed.attempts")?,
        })
    }
}
