//! Whether all replicas of a group hold the same: equal digests at equal log indexes.
//!
//! Replicas are never stopped for this. All nodes are asked for one group's digest at the same time,
//! again and again until they were at one index: a group writes an entry a few times a second at
//! least, so asking one node after the other might never meet. Two digests at one index that differ
//! are a fault at once and for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::fetch::{self, Digest};
use super::findings::{Findings, Promise};
use crate::http_client::Target;

/// Digests seen so far: by group, by index, by node.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: BTreeMap<u32, BTreeMap<u64, BTreeMap<usize, String>>>,
}

impl Sightings {
    /// Adds what one node said.
    pub fn add(&mut self, node: usize, digests: impl IntoIterator<Item = Digest>) {
        for Digest {
            group,
            applied,
            digest,
        } in digests
        {
            let at_index = self
                .seen
                .entry(group)
                .or_default()
                .entry(applied)
                .or_default();
            at_index.insert(node, digest);
        }
    }

    /// Groups and indexes at which nodes hold different things.
    pub fn differences(&self) -> Vec<(u32, u64)> {
        let differ = |nodes: &BTreeMap<usize, String>| {
            let mut digests = nodes.values();
            let first = digests.next();
            digests.any(|digest| Some(digest) != first)
        };
        let all = self.seen.iter().flat_map(|(&group, indexes)| {
            indexes
                .iter()
                .map(move |(&index, nodes)| (group, index, nodes))
        });
        all.filter(|(_, _, nodes)| differ(nodes))
            .map(|(group, index, _)| (group, index))
            .collect()
    }

    /// Groups not yet seen on all `nodes` at one index.
    pub fn not_compared(&self, nodes: usize) -> Vec<u32> {
        let whole = |indexes: &BTreeMap<u64, BTreeMap<usize, String>>| {
            indexes.values().any(|seen| seen.len() == nodes)
        };
        let open = self.seen.iter().filter(|(_, indexes)| !whole(indexes));
        open.map(|(&group, _)| group).collect()
    }

    /// All groups.
    pub fn groups(&self) -> usize {
        self.seen.len()
    }
}

/// Collects digests until every group was compared on all nodes or `patience` is over.
pub async fn await_agreement(
    admins: &[impl Into<Target> + Clone],
    patience: Duration,
    findings: &mut Findings,
) -> Result<(), fetch::Error> {
    let start = Instant::now();
    let mut sightings = Sightings::default();
    for (node, admin) in admins.iter().enumerate() {
        sightings.add(node, fetch::digests(admin.clone()).await?.into_values());
    }
    let left = loop {
        let left = sightings.not_compared(admins.len());
        if (left.is_empty() && sightings.groups() > 0) || start.elapsed() > patience {
            break left;
        }
        for group in left {
            let asked = admins
                .iter()
                .map(|admin| fetch::digest(admin.clone(), group));
            for (node, digest) in try_join_all(asked).await?.into_iter().enumerate() {
                sightings.add(node, digest);
            }
        }
        // A digest reads a whole state; nodes have better things to do than that all the time.
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let groups = sightings.groups();
    findings.groups_agreed = groups - left.len();
    for (group, index) in sightings.differences() {
        let what = format!("replicas of group {group} differ after entry {index}");
        findings.broken(Promise::P3, what);
    }
    if !left.is_empty() || groups == 0 {
        let what = format!(
            "{} of {groups} groups never had all replicas at one index within {} s",
            left.len(),
            patience.as_secs()
        );
        findings.broken(Promise::P3, what);
    }
    Ok(())
}
