//! The cluster's version on this node: what all nodes support, and what the data directory needs.
//!
//! See [`cluster::version`] for what a version is; [`stamp`] keeps a node from going back behind it,
//! [`survey`] asks all nodes how far they could go.

mod stamp;
mod survey;

pub use stamp::Stamping;
pub use survey::{NodeRelease, Survey, survey};

use std::time::Duration;

use cluster::SYSTEM_GROUP;
use cluster::catalogue::{CatalogueCommand, CatalogueReceipt};
use raft_node::Client;

/// How long the system group may take to write a version down.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);

/// Raises the cluster's version; what it is then.
pub async fn raise(client: &Client, to: u16) -> Result<u16, String> {
    let command = cluster::codec::encode_command(&CatalogueCommand::RaiseVersion { to });
    let committed = client.propose(SYSTEM_GROUP, command, COMMIT_WITHIN).await;
    let committed = committed.map_err(|error| error.to_string())?;
    match cluster::codec::decode_outcome(&committed.outcome) {
        Ok(Ok(CatalogueReceipt::VersionAt { version })) => Ok(version),
        Ok(Ok(receipt)) => Err(format!("an answer to something else: {receipt:?}")),
        Ok(Err(rejection)) => Err(rejection.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
