//! §5, §6: a crash at any point ends in *held, payable, known to its home* or in *nothing held
//! within 15 s*; and in the end every order is paid or over, and no seat is held for nobody.
//!
//! The first half is looked at 15 s after the faults have ended, on the leaders; the second once
//! the cluster has settled, for runs in which every order has to end.

use ledger::orders::OrderState;
use ledger::seats::LegState;
use ledger::{Ledger, OrderId};

use super::Evidence;

/// How much later than its deadline a hold may be swept: a tick and a message.
const SWEPT_WITHIN_MS: u64 = 2_000;

/// A leg that has seats, in its shard.
#[derive(Clone, Debug)]
pub struct Leftover {
    /// Its order.
    pub order: OrderId,
    /// How firmly.
    pub state: LegState,
}

/// The legs of a shard that hold or pin.
pub fn unsold(ledger: &Ledger) -> impl Iterator<Item = Leftover> {
    ledger.seats().legs().into_iter().filter_map(|leg| {
        (leg.state != LegState::Sold).then_some(Leftover {
            order: leg.key.order,
            state: leg.state,
        })
    })
}

/// What is wrong about a leg, as its order's home sees it.
pub fn judge(leftover: &Leftover, home: &Ledger) -> Option<String> {
    let order = home.order(leftover.order);
    let live = order.is_some_and(|order| {
        let hold = matches!(order.state, OrderState::Held | OrderState::Opening { .. });
        hold && home.now() < order.until.plus_ms(SWEPT_WITHIN_MS)
    });
    let allowed = live && leftover.state == LegState::Held;
    (!allowed).then(|| {
        let state = order.map(|order| order.state);
        let Leftover { order, state: leg } = leftover;
        format!("{order}: a leg is {leg:?} 15 s after the last fault; its home says {state:?}")
    })
}

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = evidence.left_over.clone();
    if !evidence.all_must_end {
        return wrong;
    }
    let sections = evidence.shards.values().flat_map(|shard| &shard.sections);
    for section in sections.filter(|section| section.held + section.pinned > 0) {
        wrong.push(format!(
            "section {}: {} held and {} pinned when every order is over",
            section.section, section.held, section.pinned
        ));
    }
    let open = evidence.fates.iter().filter(|(_, fate)| !fate.is_final());
    wrong.extend(open.map(|(order, fate)| format!("{order} is still {fate}")));
    wrong
}
