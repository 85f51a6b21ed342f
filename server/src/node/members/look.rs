//! Every group as its leader describes it, and the registry.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::SYSTEM_GROUP;
use cluster::members::Registry;
use cluster::plan::{GroupSeen, ReplicaSeen, Seen};
use futures::StreamExt;
use raft_node::{Client, Description};

use crate::node::backend::Replicas;

/// How long a group's leader may take to answer. One that does not is not seen.
const DESCRIBE_WITHIN: Duration = Duration::from_secs(1);
/// Groups asked at once.
const AT_ONCE: usize = 64;

/// What was found.
#[derive(Clone, Debug)]
pub struct Look {
    /// How many shards the cluster has.
    pub shards: u16,
    /// The nodes and the placement, as this node's replica has them.
    pub registry: Registry,
    /// Every group.
    pub seen: Seen,
    /// Which entry holds each group's membership: a change names the one it was decided on.
    pub memberships: BTreeMap<u32, u64>,
}

/// Asks every group's leader; `None` before the cluster was initialized.
pub async fn look(client: &Client, replicas: &Replicas) -> Option<Look> {
    let (router, registry) = replicas
        .catalogue
        .look(|catalogue, _, _| (catalogue.router(), catalogue.registry().clone()));
    let shards = router?.count();
    let groups = SYSTEM_GROUP..=u32::from(shards);
    let asked = groups.map(|group| async move {
        let described = client.describe(group, DESCRIBE_WITHIN).await;
        (group, described.ok())
    });
    let mut look = Look {
        shards,
        registry,
        seen: Seen::new(),
        memberships: BTreeMap::new(),
    };
    let mut answers = futures::stream::iter(asked).buffered(AT_ONCE);
    while let Some((group, described)) = answers.next().await {
        if let Some(described) = &described {
            let index = described.membership_index;
            look.memberships.insert(group, index);
        }
        look.seen.insert(group, described.and_then(as_seen));
    }
    Some(look)
}

fn as_seen(described: Description) -> Option<GroupSeen> {
    let replicas = described.replicas.into_iter().map(|(node, replica)| {
        let heard_ms = replica.heard.map(|ago| ago.as_millis() as u64);
        let replica = ReplicaSeen {
            peer: replica.address,
            matched: replica.matched,
            heard_ms,
        };
        (node, replica)
    });
    Some(GroupSeen {
        leader: described.leader?,
        configs: described.configs,
        settled: described.settled,
        last_log: described.last_log_index,
        replicas: replicas.collect(),
    })
}
