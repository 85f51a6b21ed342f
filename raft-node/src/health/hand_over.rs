//! A node that had better not lead hands its groups to voters who had.
//!
//! It goes on standing for election. Whoever has the longest log must be able to lead, or nobody
//! can bring the others up to date: with one node down and the other behind, a cluster whose third
//! node declined to stand would stand still for ever. So it leads, and hands over as soon as
//! somebody fit has caught up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::Client;
use crate::node::heirs;

/// A group is offered to somebody so often at most: while it is, its leader proposes nothing.
const OFFER_EVERY: Duration = Duration::from_secs(10);
/// An heir that is further behind than this would keep everybody waiting.
const BEHIND_MAX: u64 = 1_000;

/// When each group was offered last.
#[derive(Default)]
pub(super) struct HandOver {
    offered: BTreeMap<u32, Duration>,
}

impl HandOver {
    /// Offers what this node leads to whoever is fit, if this node is not.
    pub(super) async fn offer(&mut self, client: &Client) {
        let health = &client.shared.health;
        let Some(why) = health.unfit() else {
            return self.offered.clear();
        };
        let fit = health.fit_peers();
        let now = client.now();
        for group in client.shared.groups.values() {
            let offered = self.offered.get(&group.id);
            if offered.is_some_and(|at| now.saturating_sub(*at) < OFFER_EVERY) {
                continue;
            }
            let last = group.metrics().last_log_index.unwrap_or(0);
            let able: Vec<u64> = heirs(group)
                .into_iter()
                .filter(|(node, matched)| fit.contains(node) && matched + BEHIND_MAX >= last)
                .map(|(node, _)| node)
                .collect();
            if able.is_empty() {
                continue;
            }
            // Not all groups to one node.
            let heir = able[group.id as usize % able.len()];
            tracing::warn!(group = group.id, to = heir, %why, "hands its leadership over");
            self.offered.insert(group.id, now);
            if let Err(fatal) = group.raft.trigger().transfer_leader(heir).await {
                tracing::debug!(group = group.id, %fatal, "not handed over");
            }
        }
    }
}
