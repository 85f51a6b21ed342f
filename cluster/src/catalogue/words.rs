//! What can be said to the catalogue, and what it answers.

use ledger::event::EventRules;
use ledger::{EventId, ShardId, Timestamp};

use super::events::EventRecord;
use super::keys::{KeyId, KeyRecord};
use crate::members::{NodeRecord, Wish};
use crate::version;

/// A change of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueCommand {
    /// First command of a cluster's life: how many shards it has. Repeated: must be the same.
    FixShards {
        /// 1 to 4095.
        shards: u16,
    },
    /// Adds an event. Repeated with the same content: the same receipt.
    CreateEvent(Box<EventRecord>),
    /// Replaces an event's rules, if its version is still `expected`.
    ChangeRules {
        /// The show.
        event: EventId,
        /// The version the change was computed from.
        expected: u64,
        /// The new rules.
        rules: Box<EventRules>,
    },
    /// A shard has this version of an event.
    RecordInstalled {
        /// The show.
        event: EventId,
        /// The shard.
        shard: ShardId,
        /// The version it has.
        version: u64,
    },
    /// A node belongs to the cluster from now on. It gets a replica of every group and votes in
    /// none until the placement says so. Repeated with the same content: the same receipt. One that
    /// was registered without a zone may be given one so.
    AddNode {
        /// Its id, never another node's.
        node: u64,
        /// Where it is, and how it fails.
        record: NodeRecord,
        /// How many shards it was told the cluster has.
        shards: u16,
        /// The newest cluster version that it supports.
        supports: u16,
    },
    /// The node is to vote nowhere and lead nothing, and stay.
    DrainNode {
        /// Which.
        node: u64,
    },
    /// A drained node may vote again.
    UndrainNode {
        /// Which.
        node: u64,
    },
    /// The node is to leave the cluster, for ever: drained, then taken out of every group.
    RemoveNode {
        /// Which.
        node: u64,
    },
    /// The node is in no group any more. Its id stays taken, its address is free.
    NodeGone {
        /// Which.
        node: u64,
    },
    /// Who is to vote in which group, if the placement's version is still `expected`.
    Place {
        /// The version the change was computed from.
        expected: u64,
        /// How many voters a group is to have.
        replication: u8,
        /// Every group.
        groups: Vec<(u32, Wish)>,
    },
    /// First command of a restored cluster's life: whose payment keys and tickets it goes on with.
    /// The nodes of the cluster that was backed up are forgotten; others run this one.
    ContinueLineage {
        /// Id of the cluster in which the state began.
        lineage: u128,
    },
    /// Every node supports this version, and none goes back behind it. Repeated: the same receipt.
    RaiseVersion {
        /// The cluster's version from now on: see [`crate::version`].
        to: u16,
    },
    /// A key of the HTTP API is good from now on. Repeated with the same content: the same receipt.
    CreateKey {
        /// Its public half.
        key: KeyId,
        /// What it is for.
        record: Box<KeyRecord>,
    },
    /// A key is good for nothing any more, for ever.
    RevokeKey {
        /// Which.
        key: KeyId,
        /// When, as its proposer says.
        at: Timestamp,
    },
    /// Changes nothing here: something that is done elsewhere is to stand in the trail.
    Note,
}

impl CatalogueCommand {
    /// The cluster version from which on this command is understood by every node.
    pub fn needs(&self) -> u16 {
        match self {
            // The first word of each version.
            Self::RaiseVersion { to } => *to,
            Self::CreateKey { .. } | Self::RevokeKey { .. } | Self::Note => version::TRAIL,
            _ => version::OLDEST,
        }
    }
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueReceipt {
    /// The number of shards is fixed.
    ShardsFixed {
        /// How many.
        shards: u16,
    },
    /// The event has this version now.
    EventAt {
        /// The version.
        version: u64,
    },
    /// Noted.
    InstallRecorded,
    /// The registry says of the node what was asked for.
    NodeNoted {
        /// Which.
        node: u64,
    },
    /// The placement has this version now.
    PlacedAt {
        /// The version.
        version: u64,
    },
    /// The state goes on under these keys.
    LineageContinued,
    /// The cluster has this version now.
    VersionAt {
        /// The version.
        version: u16,
    },
    /// The catalogue says of the key what was asked for.
    KeyNoted {
        /// Which.
        key: KeyId,
    },
    /// It stands in the trail.
    Noted,
}

/// Why the catalogue did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueRejection {
    /// The bytes are no command this release knows.
    #[error("the command could not be understood")]
    Malformed,
    /// The cluster has another number of shards, for ever.
    #[error("the cluster has {shards} shards")]
    ShardsAreFixed {
        /// How many.
        shards: u16,
    },
    /// The cluster was not initialized yet.
    #[error("the cluster has no shards yet")]
    NoShards,
    /// The event id is taken by other content.
    #[error("this event exists with other content")]
    EventExistsWithDifferentContent,
    /// A bound or a name is wrong.
    #[error("the event breaks a limit")]
    EventInvalid,
    /// No such event.
    #[error("no such event")]
    EventUnknown,
    /// Somebody else changed the rules first; read and try again.
    #[error("the event is at version {version}")]
    VersionConflict {
        /// Its version now.
        version: u64,
    },
    /// As many events as fit.
    #[error("too many events")]
    EventsMax,
    /// The state began in another cluster, for ever.
    #[error("the state began in another cluster")]
    LineageIsFixed,
    /// The id, the address or the zone cannot be one.
    #[error("a node needs an id above 0, an address host:port and a short zone")]
    NodeInvalid,
    /// Another node has this id.
    #[error("the id is another node's; draw one that was never used")]
    NodeIdTaken,
    /// A node that left had this id.
    #[error("a node with this id was removed; ids are never given twice: draw a new one")]
    NodeWasRemoved,
    /// Another node has this address.
    #[error("the address is node {node}'s; give another one, or remove that node first")]
    AddressTaken {
        /// Whose it is.
        node: u64,
    },
    /// As many nodes as fit.
    #[error("too many nodes")]
    NodesMax,
    /// No such node.
    #[error("no such node")]
    NodeUnknown,
    /// The members have not been registered yet.
    #[error("the cluster has not placed its groups yet; ask again in a moment")]
    NotPlaced,
    /// Fewer nodes would be left than every group needs voters.
    #[error(
        "a group has {replication} voters, and fewer nodes would be left for them; \
         add a node first, or rebalance with fewer replicas"
    )]
    TooFewNodes {
        /// How many voters a group has.
        replication: u64,
    },
    /// The node is on its way out, for ever.
    #[error("the node is being removed, which is final; add another one with a new id")]
    NodeIsLeaving,
    /// The placement still names the node, or nobody asked for its removal.
    #[error("the node still has its place; remove it and wait until it is drained")]
    NotDrained,
    /// The placement was changed by somebody else first; look and try again.
    #[error("the placement is at version {version}")]
    PlacementConflict {
        /// Its version now.
        version: u64,
    },
    /// A name or a time cannot be one.
    #[error("a key needs a name of 1 to 64 bytes and a time to end that is still to come")]
    KeyInvalid,
    /// Another key has this id.
    #[error("the id is another key's; draw a new one")]
    KeyIdTaken,
    /// As many keys as fit.
    #[error("too many keys; revoke some that nobody needs")]
    KeysMax,
    /// No such key.
    #[error("no such key; usher key list shows them")]
    KeyUnknown,
    /// A group, its voters or its leader cannot be what is asked for.
    #[error("the placement names a group or a node that cannot be, or too few voters")]
    PlacementInvalid,
    /// A word of a newer cluster version.
    #[error(
        "this needs cluster version {needs}: upgrade every node, then raise the version \
         (usher cluster upgrade --finish)"
    )]
    VersionTooLow {
        /// The version it needs.
        needs: u16,
    },
    /// The node's release is too old for this cluster.
    #[error(
        "the cluster is at version {version}, which the node's release does not support; install a newer one"
    )]
    NodeTooOld {
        /// The cluster's version.
        version: u16,
    },
}

/// The answer to a command.
pub type CatalogueOutcome = Result<CatalogueReceipt, CatalogueRejection>;
