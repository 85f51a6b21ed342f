//! openraft's generics, spelled out once. Nothing else of this crate names a type parameter of
//! openraft, and nothing outside this crate names openraft at all (ADR 0003).

use std::fmt;

use bytes::Bytes;
use openraft::raft::responder::Responder;
use openraft::{OptionalSend, RaftTypeConfig};

use crate::applier::Applier;
use crate::machine::Stamp;
use crate::runtime::UsherRuntime;

/// What we replicate and what we replicate it with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeConfig;

// Spelled out instead of declared with openraft's macro, which cannot name a responder.
impl RaftTypeConfig for TypeConfig {
    type D = Batch;
    type R = Outcomes;
    type NodeId = u64;
    type Node = Peer;
    type Term = u64;
    type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>;
    type Vote = openraft::impls::Vote<Self::LeaderId>;
    type Payload = openraft::EntryPayload<Batch, u64, Peer>;
    type Entry = openraft::Entry<CommittedLeaderId, Self::Payload>;
    type AsyncRuntime = UsherRuntime;
    type Responder<T>
        = Callback<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

/// Told the result of a write from the task that applied it: no channel, no second wake-up.
pub struct Callback<T>(pub Box<dyn FnOnce(T) + Send>);

impl<T: OptionalSend + 'static> Responder<TypeConfig, T> for Callback<T> {
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}

/// What one log entry carries: commands that queued while the entry before was in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Time and chance, drawn once for the entry.
    pub stamp: Stamp,
    /// The commands, in the order in which they came.
    pub commands: Vec<Bytes>,
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commands at {} ms",
            self.commands.len(),
            self.stamp.at_ms
        )
    }
}

/// One outcome a command of the entry, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcomes(pub Vec<Bytes>);

/// A member of a group, as its membership names it: where to reach it.
pub type Peer = openraft::impls::BasicNode;

/// A replica of a group.
pub type Raft = openraft::Raft<TypeConfig, Applier>;

/// `(term, node, committed)`.
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
/// `(term, index)`.
pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
/// The term of an elected leader, as a log id carries it.
pub type CommittedLeaderId = <LeaderId as openraft::vote::RaftLeaderId>::Committed;
/// The candidate a vote is for.
pub type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>;
/// A log entry.
pub type Entry = openraft::alias::EntryOf<TypeConfig>;
/// What a log entry carries.
pub type Payload = openraft::alias::PayloadOf<TypeConfig>;
/// Who votes and who listens.
pub type Membership = openraft::Membership<u64, Peer>;
/// A membership and the entry it stands in.
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
/// A snapshot in hand: what it covers, and the machine's parts.
pub type Snapshot = openraft::alias::SnapshotOf<TypeConfig, Vec<Bytes>>;
/// The completion of a write to the log.
pub type IoFlushed = openraft::storage::IOFlushed<TypeConfig>;
/// Where a log begins and ends.
pub type LogState = openraft::LogState<TypeConfig>;
/// What openraft tells about a replica.
pub type RaftMetrics = openraft::RaftMetrics<TypeConfig>;
