//! Every node keeps a link to every member, before it needs one: whoever is asked to lead has to hear
//! from a majority at once, and a link that is dialled only then costs an election time-out.

use std::time::Duration;

use crate::client::Client;

/// How often members are looked through.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Dials whoever belongs to a group and was not dialled yet, until the task is dropped.
pub(crate) async fn keep(client: Client) {
    let me = client.shared.config.node_id;
    loop {
        for group in client.shared.groups.values() {
            let stored = group.raft.metrics().borrow().membership_config.clone();
            for (member, _) in stored.membership().nodes() {
                if *member != me {
                    client.link(group, *member);
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
