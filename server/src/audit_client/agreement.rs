//! Whether all replicas of a group hold the same: equal digests at equal log indexes.
//!
//! Replicas are never stopped for this. Digests are collected until every group was seen on all
//! nodes at one index; two digests at one index that differ are a fault at once and for ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::fetch::{self, Digest};
use super::findings::{Findings, Promise};

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

    /// Groups of which all `nodes` were seen at one index, and all groups.
    pub fn compared(&self, nodes: usize) -> (usize, usize) {
        let whole = |indexes: &BTreeMap<u64, BTreeMap<usize, String>>| {
            indexes.values().any(|seen| seen.len() == nodes)
        };
        (
            self.seen.values().filter(|indexes| whole(indexes)).count(),
            self.seen.len(),
        )
    }
}

/// Collects digests until every group was compared on all nodes or `patience` is over.
pub async fn await_agreement(
    admins: &[SocketAddr],
    patience: Duration,
    findings: &mut Findings,
) -> Result<(), fetch::Error> {
    let start = Instant::now();
    let mut sightings = Sightings::default();
    let (compared, groups) = loop {
        for (node, &admin) in admins.iter().enumerate() {
            sightings.add(node, fetch::digests(admin).await?.into_values());
        }
        let (compared, groups) = sightings.compared(admins.len());
        if (compared == groups && groups > 0) || start.elapsed() > patience {
            break (compared, groups);
        }
        // A digest reads a whole state; nodes have better things to do than that all the time.
        tokio::time::sleep(Duration::from_millis(400)).await;
    };
    findings.groups_agreed = compared;
    for (group, index) in sightings.differences() {
        let what = format!("replicas of group {group} differ after entry {index}");
        findings.broken(Promise::P3, what);
    }
    if compared < groups {
        let what = format!(
            "{} of {groups} groups never had all replicas at one index within {} s",
            groups - compared,
            patience.as_secs()
        );
        findings.broken(Promise::P3, what);
    }
    Ok(())
}
