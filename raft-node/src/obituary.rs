//! A leader whose process has ended is not waited for.
//!
//! Followers wait for a silent leader as long as its lease lasts, and a time-out longer: it may only
//! be slow. But where nobody listens at its address any more, its process is gone, and the system
//! says so at once. Then its followers take its lease away, each for itself, and stand for
//! election one after the other, beginning with another one in each group, so that what a node led
//! is spread over those who are left. (ADR 0014)
//!
//! Who is wrong about it, because only its own way to the leader is barred, does no harm: the others
//! still hear the leader and refuse the pre-vote.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openraft::raft::TransferLeaderRequest;

use crate::client::Client;
use crate::group::{Group, Leader};

/// How long the next one in turn waits for the one before: some round trips and a sync.
const TURN: Duration = Duration::from_millis(60);
/// How often each stands; after that the election time-out decides, as ever.
const ROUNDS: u32 = 4;

/// Watches over one group's leader until the task is dropped.
pub(crate) async fn keep(client: Client, group: Arc<Group>) {
    let mut refused = client.shared.links.refused();
    let mut leader = group.leader.clone();
    loop {
        let (known, dead) = (*leader.borrow(), refused.borrow().clone());
        let gone = known.node.filter(|node| dead.contains(node));
        if let Some(gone) = gone {
            bury(&client, &group, known, gone).await;
        }
        tokio::select! {
            biased;
            _ = leader.eventually(|now| *now != known) => {}
            _ = refused.eventually(|now| *now != dead) => {}
        }
    }
}

async fn bury(client: &Client, group: &Group, known: Leader, gone: u64) {
    let metrics = group.metrics();
    let voters: BTreeSet<u64> = metrics.membership_config.membership().voter_ids().collect();
    let left: Vec<u64> = voters.into_iter().filter(|voter| *voter != gone).collect();
    let me = client.shared.config.node_id;
    let Some(place) = left.iter().position(|voter| *voter == me) else {
        return;
    };
    let vote = metrics.vote;
    if !vote.committed || vote.leader_id.voted_for != gone {
        return;
    }
    tracing::info!(
        group = group.id,
        leader = gone,
        "the leader's process has ended"
    );
    probes::reached(probes::Mark::LeaderBuried);
    // Addressed to somebody else, it only ends the lease.
    let request = TransferLeaderRequest::new(vote, gone, None);
    if group.raft.handle_transfer_leader(request).await.is_err() {
        return; // Consensus has stopped here, and says so elsewhere.
    }
    let turn = u32::try_from((place + group.id as usize) % left.len()).unwrap_or(0);
    let everybody = u32::try_from(left.len()).unwrap_or(1);
    let mut wait = TURN / 2 + TURN * turn;
    for _ in 0..ROUNDS {
        tokio::time::sleep(wait).await;
        let back = !client.shared.links.refused().borrow().contains(&gone);
        if back || *group.leader.borrow() != known {
            return;
        }
        if group.raft.trigger().elect(true).await.is_err() {
            return;
        }
        wait = TURN * everybody;
    }
}
