//! P4: money is taken only once the sale is decided. Watched from outside, when the provider is
//! asked: whoever asks has to see the decision in its own replica of the order's home, because
//! that is where it reads what it owes.

use std::sync::Arc;

use api::text::parse_order;
use ledger::outcome::OrderPhase;

use super::World;

/// Watches every call that asks for money to be taken.
pub(super) fn watch(world: &Arc<World>) {
    let watched = Arc::downgrade(world);
    world.provider.watch_captures(Box::new(move |node, order| {
        if let Some(world) = watched.upgrade() {
            world.judge_capture(node, order);
        }
    }));
}

impl World {
    fn judge_capture(&self, node: usize, order: &str) {
        use OrderPhase::{Held, InDoubt, Opening, Paying};
        let Some((alive, id)) = self.alive(node).zip(parse_order(order)) else {
            return;
        };
        let Some(home) = alive.replicas.ledgers.get(&id.home()) else {
            return;
        };
        let phase = home.look(|ledger, _, _| ledger.order(id).map(|order| order.phase()));
        if let Some(phase @ (Opening | Held | Paying | InDoubt)) = phase {
            let node = node + 1;
            let found = format!("node {node} takes the money for {order}, which is {phase:?}");
            self.alarm("capture_follows_commit", found);
        }
    }
}
