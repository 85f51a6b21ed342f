//! Whether this node's keys are those of the state it serves.
//!
//! Keys of payments, tickets and queue tokens are derived from the id of the cluster in which the
//! state began. A restore carries that id on, in the catalogue; a node is told it by its
//! configuration, because its door needs keys before it knows any state. The two must agree.

use cluster::SYSTEM_GROUP;
use cluster::catalogue::Catalogue;
use raft_node::Client;
use uuid::Uuid;

use super::config::Config;
use super::machines::Shared;

/// The configuration and the cluster's state name different lineages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongLineage {
    /// The state was restored, from another lineage than the file says.
    #[error(
        "lineage: this cluster's state began in cluster {0}; set `lineage = \"{0}\"` and that cluster's `secret`"
    )]
    Other(Uuid),
    /// The state began here.
    #[error("lineage: this cluster's state began in it; remove the setting")]
    None,
}

/// Judges what the state says, once the cluster was initialized.
pub fn judge(catalogue: &Catalogue, config: &Config) -> Option<Result<(), WrongLineage>> {
    catalogue.router()?;
    let began = catalogue.lineage().map(Uuid::from_u128);
    let began = began.unwrap_or(config.cluster_id);
    Some(match began {
        _ if began == config.lineage() => Ok(()),
        _ if began == config.cluster_id => Err(WrongLineage::None),
        _ => Err(WrongLineage::Other(began)),
    })
}

/// Waits until this node's replica of the catalogue tells, and judges it.
pub async fn confirmed(
    client: &Client,
    catalogue: &Shared<Catalogue>,
    config: &Config,
) -> Result<(), WrongLineage> {
    let Some(mut applied) = client.applied(SYSTEM_GROUP) else {
        // Stopping.
        return std::future::pending().await;
    };
    loop {
        let index = applied.borrow().index;
        if let Some(judged) = catalogue.look(|catalogue, _, _| judge(catalogue, config)) {
            return judged;
        }
        applied.eventually(|now| now.index > index).await;
    }
}
