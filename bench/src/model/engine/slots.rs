//! What comes in such numbers that it is taken together: polls and heartbeats, a slot and node at a time.
//!
//! Half a million people who poll every two seconds are 250,000 events a second; as one piece of work a
//! millisecond and node they are some thousands. `tests/model.rs` compares the two.

use super::{Engine, Then};
use crate::model::calendar::{Nanos, SECOND};

impl Engine {
    /// Polls that come to a node within a slot, as one piece of work (two or more where they would keep one
    /// core busy for long). A poll's time is what its piece waits, and its own work: those of a slot come one
    /// after the other, not all at its beginning.
    pub fn polls(&mut self, node: usize, count: u64) {
        const PIECE_NS: Nanos = 250_000;
        let now = self.now();
        let each = self.costs.door.poll_us.ns().max(1);
        let piece = (PIECE_NS / each).max(1);
        let mut left = count;
        while left > 0 {
            let part = left.min(piece);
            let cost = self.costs.door.poll_us.times(part);
            self.work(node, cost, Then::Polled(part, now));
            left -= part;
        }
    }

    /// The beats of all groups within `span` (four a second each), as one piece of work a node.
    pub fn beat(&mut self, span: Nanos) {
        let others = self.living().saturating_sub(1) as u64;
        for node in 0..self.nodes.len() {
            let led = self
                .shards
                .iter()
                .filter(|shard| shard.leader == Some(node));
            let led = led.count() as u64;
            let followed = self.shards.len() as u64 - led;
            let beats = &self.costs.heartbeat;
            let second =
                beats.leader_us.times(4 * led * others) + beats.replica_us.times(4 * followed);
            let cost = second * span / SECOND;
            self.work(node, cost, Then::Nothing);
        }
    }
}
