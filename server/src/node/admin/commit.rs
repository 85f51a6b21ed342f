//! What an operator asked for, into the system group's log, with who asked.

use std::time::Duration;

use cluster::SYSTEM_GROUP;
use cluster::catalogue::{CatalogueCommand, CatalogueRejection, Deed};
use raft_node::error::ProposeError;

use super::Admin;

/// How long this node's replica may take to have what was committed.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// How long the system group may take to write the change down.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);

/// Why a command of an operator's was not carried out.
pub(super) enum NotDone {
    Refused(CatalogueRejection),
    /// It may have been, where the words say so.
    NotCommitted(String),
}

/// Has the system group carry out what an operator asked for, and write that down.
pub(super) async fn commit(
    admin: &Admin,
    by: &Deed,
    command: &CatalogueCommand,
) -> Result<(), NotDone> {
    let replica = &admin.replicas.catalogue;
    match replica.look(|catalogue, _, _| catalogue.speakable(command)) {
        Ok(()) => {}
        // There is no trail yet in which it could stand.
        Err(_) if *command == CatalogueCommand::Note => return Ok(()),
        Err(rejection) => return Err(NotDone::Refused(rejection)),
    }
    let bytes = cluster::codec::encode_for(Some(by), command);
    let client = admin.node.client();
    let committed = client.propose(SYSTEM_GROUP, bytes, COMMIT_WITHIN).await;
    let committed = committed.map_err(|error: ProposeError| {
        NotDone::NotCommitted(format!("{error}; asking again is harmless"))
    })?;
    // Whoever asks this node next, `--wait` for one, is to see it: the leader may have been faster. It is
    // done also if this node does not get there in time.
    let seen = client.wait_applied(SYSTEM_GROUP, committed.index, SEEN_WITHIN);
    if let Err(error) = seen.await {
        tracing::debug!(%error, "a change that is done is not seen here yet");
    }
    match cluster::codec::decode_outcome(&committed.outcome) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(rejection)) => Err(NotDone::Refused(rejection)),
        Err(error) => Err(NotDone::NotCommitted(error.to_string())),
    }
}
