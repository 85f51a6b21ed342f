//! What a clock does to an order: read off the ledgers, because a tick names nobody.

use ledger::command::CloseReason;
use ledger::limits::OPENING_GRACE_MS;
use ledger::orders::OrderState;
use ledger::seats::LegState;
use ledger::{Ledger, LegKey, OrderId, ShardId, Timestamp};

use super::step::Step;

/// Whether a tick at `now` does this step to an order.
pub(super) fn is_due(
    ledger: &Ledger,
    id: OrderId,
    legs: usize,
    step: Step,
    now: Timestamp,
) -> bool {
    match step {
        Step::Expire | Step::Drive => ledger.order(id).is_some_and(|order| {
            let over = now >= order.until;
            let silent = now >= order.opened_at().plus_ms(OPENING_GRACE_MS);
            match order.state {
                OrderState::Held => step == Step::Expire && over,
                OrderState::Opening { .. } if over => step == Step::Expire,
                OrderState::Opening { driven } => step == Step::Drive && !driven && silent,
                _ => false,
            }
        }),
        Step::ExpireLeg => (0..legs).any(|number| {
            let leg = ledger.seats().leg(leg_key(id, number));
            leg.is_some_and(|leg| {
                leg.expires_here && leg.state == LegState::Held && now >= leg.until
            })
        }),
        _ => false,
    }
}

/// Whether it has been done.
pub(super) fn was_swept(ledger: &Ledger, id: OrderId, legs: &[ShardId], step: Step) -> bool {
    match step {
        Step::Expire => ledger
            .closed_order(id)
            .is_some_and(|closed| closed.why == CloseReason::Expired),
        Step::Drive => ledger
            .order(id)
            .is_some_and(|order| order.state == OrderState::Opening { driven: true }),
        Step::ExpireLeg => legs.iter().enumerate().any(|(number, shard)| {
            *shard == ledger.shard() && ledger.seats().leg(leg_key(id, number)).is_none()
        }),
        _ => false,
    }
}

fn leg_key(order: OrderId, number: usize) -> LegKey {
    LegKey {
        order,
        leg: number as u8,
    }
}
