//! One step, done. Each may be done twice, and each is refused by whoever leads when it was decided on
//! something that is no longer so.

use std::time::Duration;

use cluster::SYSTEM_GROUP;
use cluster::catalogue::CatalogueCommand;
use cluster::members::NodeRecord;
use cluster::plan::Step;
use cluster::version;
use raft_node::{Client, Voters};

use super::look::Look;

/// How long one step may take before it is looked at again.
const STEP_WITHIN: Duration = Duration::from_secs(5);
/// How long somebody who was asked to lead may take to do so.
const LEADS_WITHIN: Duration = Duration::from_secs(2);

/// Does one step; what went wrong, in words, otherwise.
pub async fn act(client: &Client, look: &Look, step: &Step) -> Result<(), String> {
    let expected = |group: &u32| look.memberships.get(group).copied();
    let done = match step {
        Step::Register { node, peer } => {
            let record = NodeRecord {
                peer: peer.clone(),
                ..NodeRecord::default()
            };
            let (node, shards) = (*node, look.shards);
            let command = CatalogueCommand::AddNode {
                node,
                record,
                shards,
                // A member already: it followed the cluster to its version.
                supports: version::NEWEST,
            };
            return propose(client, &command).await;
        }
        Step::Place {
            expected,
            replication,
            groups,
        } => {
            let command = CatalogueCommand::Place {
                expected: *expected,
                replication: *replication,
                groups: groups.clone(),
            };
            return propose(client, &command).await;
        }
        Step::Gone { node } => {
            let command = CatalogueCommand::NodeGone { node: *node };
            return propose(client, &command).await;
        }
        Step::AddLearner { group, node, peer } => client
            .begin_learner(*group, *node, peer.clone(), STEP_WITHIN)
            .await
            .map(|_| ()),
        Step::ChangeVoters { group, voters } | Step::Finish { group, voters } => {
            let change = Voters {
                voters: voters.clone(),
                retain: true,
                expected: expected(group),
            };
            let changed = client.replace_voters(*group, change, STEP_WITHIN).await;
            changed.map(|_| ())
        }
        Step::MoveLeader { group, to } => {
            let moved = client.move_leader(*group, *to, STEP_WITHIN).await;
            if moved.is_ok() {
                leads(client, *group, *to).await;
            }
            moved
        }
        Step::RemoveLearner { group, node } => {
            let removed = client.remove_learner(*group, *node, STEP_WITHIN).await;
            removed.map(|_| ())
        }
    };
    done.map_err(|error| error.to_string())
}

/// Commits a command of the catalogue.
async fn propose(client: &Client, command: &CatalogueCommand) -> Result<(), String> {
    let bytes = cluster::codec::encode_command(command);
    let committed = client.propose(SYSTEM_GROUP, bytes, STEP_WITHIN).await;
    let committed = committed.map_err(|error| error.to_string())?;
    let outcome = cluster::codec::decode_outcome(&committed.outcome);
    match outcome.map_err(|error| error.to_string())? {
        Ok(_) => Ok(()),
        Err(rejection) => Err(rejection.to_string()),
    }
}

/// Waits a while for a handover: it was asked for, and nobody promised it.
async fn leads(client: &Client, group: u32, to: u64) {
    let Some(mut leader) = client.leader(group) else {
        return;
    };
    let moved = leader.eventually(|leader| leader.node == Some(to));
    // Whoever looks next sees what came of it.
    let _ = tokio::time::timeout(LEADS_WITHIN, moved).await;
}
