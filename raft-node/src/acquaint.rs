//! Every node keeps a link to every member, before it needs one: whoever is asked to lead has to hear
//! from a majority at once, and a link that is dialled only then costs an election time-out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::transport::link::Link;

/// How often members are looked through.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Dials whoever belongs to a group and was not dialled yet, until the task is dropped.
pub(crate) async fn keep(client: Client) {
    loop {
        links(&client);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The links to everybody else who belongs to a group of this node; made where there was none.
pub(crate) fn links(client: &Client) -> Vec<(u64, Arc<Link>)> {
    let mut seen = BTreeSet::from([client.shared.config.node_id]);
    let mut links = Vec::new();
    for group in client.shared.groups.values() {
        let stored = group.raft.metrics().borrow().membership_config.clone();
        for (member, _) in stored.membership().nodes() {
            if seen.insert(*member)
                && let Some(link) = client.link(group, *member)
            {
                links.push((*member, link));
            }
        }
    }
    links
}
