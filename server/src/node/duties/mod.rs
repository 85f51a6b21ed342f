//! What only a leader does. Each duty reads from the state what is owed and forgets everything
//! else, so a new leader carries on where the old one died.

mod courier;
mod installer;
mod mover;
mod payments;

pub use courier::Courier;
pub use installer::Installer;
pub use mover::Mover;
pub use payments::Payments;

use std::time::Duration;

use ledger::{Command, ShardId};
use raft_node::Client;

/// How long a duty waits for one proposal before it looks again at what is owed.
const PROPOSAL_DEADLINE: Duration = Duration::from_secs(3);

/// Pause after a proposal that did not get through, so that a cluster without a leader is not
/// flooded by those who wait for one.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Proposes a command; `None` when its outcome is not known.
async fn propose(client: &Client, shard: ShardId, command: &Command) -> Option<ledger::Outcome> {
    let bytes = proto::encode_command(command);
    let committed = client
        .propose(u32::from(shard.0), bytes, PROPOSAL_DEADLINE)
        .await
        .ok()?;
    proto::decode_outcome(&committed.outcome).ok()
}
