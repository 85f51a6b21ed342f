//! Which release each node runs, and which version all of them support.

use std::time::Duration;

use cluster::{SYSTEM_GROUP, version};
use futures::StreamExt;
use probes::Bug;
use raft_node::Client;
use serde::{Deserialize, Serialize};

use crate::node::backend::Replicas;

/// A node that does not answer within this is not known to support anything.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Nodes asked at once.
const AT_ONCE: usize = 16;

/// `GET /admin/version`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Survey {
    /// The cluster's version.
    pub version: u16,
    /// The newest that every node supports; the cluster's own while one does not answer.
    pub common: u16,
    /// Every node.
    pub nodes: Vec<NodeRelease>,
    /// Why it cannot be raised to what the node that was asked supports; empty when it can, or is.
    pub missing: Vec<String>,
}

/// What one node runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeRelease {
    /// Its id.
    pub id: u64,
    /// Its release; absent when it did not answer.
    pub release: Option<String>,
    /// The newest cluster version that it supports; 0 when it did not answer.
    pub supports: u16,
}

/// Asks every node of the system group, and every one that is registered.
pub async fn survey(client: &Client, replicas: &Replicas) -> Result<Survey, String> {
    survey_within(client, replicas, ANSWER_WITHIN).await
}

/// The same, waiting so long for each node.
pub async fn survey_within(
    client: &Client,
    replicas: &Replicas,
    within: Duration,
) -> Result<Survey, String> {
    let (now, mut nodes) = replicas.catalogue.look(|catalogue, _, _| {
        let registered = catalogue.registry().nodes().map(|(node, _)| node);
        (catalogue.version(), registered.collect::<Vec<u64>>())
    });
    let described = client.describe(SYSTEM_GROUP, within).await;
    let described = described.map_err(|error| error.to_string())?;
    nodes.extend(described.replicas.keys());
    nodes.sort_unstable();
    nodes.dedup();
    let asked = nodes.into_iter().map(|id| async move {
        let said = client.describe_at(id, SYSTEM_GROUP, within).await;
        match said {
            Ok(said) => NodeRelease {
                id,
                supports: u16::try_from(said.supports).unwrap_or(u16::MAX),
                release: Some(match said.release.is_empty() {
                    true => "before 0.2".to_owned(),
                    false => said.release,
                }),
            },
            Err(_) => NodeRelease {
                id,
                release: None,
                supports: 0,
            },
        }
    });
    let nodes: Vec<NodeRelease> = futures::stream::iter(asked)
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(judge(now, nodes))
}

fn judge(now: u16, nodes: Vec<NodeRelease>) -> Survey {
    let newest = nodes.iter().map(|node| node.supports).max();
    let newest = newest.unwrap_or(now).min(version::NEWEST).max(now);
    let lacks = |node: &&NodeRelease| node.supports < newest;
    let missing = nodes.iter().filter(lacks).map(|node| match &node.release {
        None => format!(
            "node {} does not answer: start it, or remove it (usher cluster remove {})",
            node.id, node.id
        ),
        Some(release) => format!(
            "node {} runs release {release}, which supports version {}: upgrade it",
            node.id, node.supports
        ),
    });
    let missing: Vec<String> = missing.collect();
    let least = nodes.iter().map(|node| node.supports).min();
    let common = match probes::planted(Bug::VersionOfTheNewest) {
        true => newest,
        false => least.unwrap_or(now).min(version::NEWEST).max(now),
    };
    Survey {
        version: now,
        common,
        nodes,
        missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u64, release: Option<&str>, supports: u16) -> NodeRelease {
        NodeRelease {
            id,
            release: release.map(str::to_owned),
            supports,
        }
    }

    #[test]
    fn a_version_is_common_when_every_node_says_that_it_supports_it() {
        let all = judge(
            1,
            vec![node(1, Some("0.2.0"), 2), node(2, Some("0.2.0"), 2)],
        );
        assert_eq!((all.common, all.missing.len()), (2, 0));
        let old = judge(
            1,
            vec![node(1, Some("0.2.0"), 2), node(2, Some("0.1.0"), 1)],
        );
        assert_eq!((old.common, old.missing.len()), (1, 1));
        assert!(old.missing[0].contains("node 2 runs release 0.1.0"));
        let silent = judge(1, vec![node(1, Some("0.2.0"), 2), node(2, None, 0)]);
        assert_eq!((silent.common, silent.missing.len()), (1, 1));
        assert!(silent.missing[0].contains("node 2 does not answer"));
    }

    #[test]
    fn a_version_that_was_raised_stays_and_newer_releases_do_not_take_it_further_than_this_one_knows()
     {
        let raised = judge(2, vec![node(1, Some("0.2.0"), 2), node(2, None, 0)]);
        assert_eq!(raised.common, 2);
        let newer = judge(2, vec![node(1, Some("0.2.0"), 2), node(2, Some("9.0"), 9)]);
        assert_eq!((newer.common, newer.missing.len()), (2, 0));
    }
}
