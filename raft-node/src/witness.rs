//! A place to watch entries go by, for tests and the simulator.
//!
//! Some crashes matter only between two steps: after a leader has given an entry to consensus and
//! before its machine has it; after its machine has it and before anybody heard. Whoever wants to
//! stop a node exactly there has to be told on the spot, so a witness is called synchronously.

use bytes::Bytes;

use crate::machine::{Entry, Stamp};

/// An entry a leader is about to hand to consensus; in nobody's log yet.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The group.
    pub group: u32,
    /// Time and chance, as drawn for it.
    pub stamp: Stamp,
    /// The batch, in order.
    pub commands: &'a [Bytes],
}

/// An entry this node proposed, in its machine; whoever waits for it, here or elsewhere, has not
/// been answered yet.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// The group.
    pub group: u32,
    /// The entry.
    pub entry: Entry<'a>,
    /// What the machine said, a command each.
    pub outcomes: &'a [Bytes],
}

/// A committed entry in a replica's machine, on any node; again after a restart.
#[derive(Clone, Copy)]
pub struct Replication<'a> {
    /// The group.
    pub group: u32,
    /// Its position.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// What it says; nothing when it is consensus' own.
    pub entry: Option<Entry<'a>>,
    /// What the machine said, a command each; empty where nobody waits for it.
    pub outcomes: &'a [Bytes],
    /// The digest of the machine after it. Costs a walk through all of the state.
    pub digest: &'a dyn Fn() -> [u8; 32],
}

/// A machine that begins: empty, or from a snapshot, at start or sent by a leader.
#[derive(Clone, Copy)]
pub struct Restoration<'a> {
    /// The group.
    pub group: u32,
    /// Index of the last entry in it; 0 when it is empty.
    pub index: u64,
    /// Whether the node has just started.
    pub at_start: bool,
    /// Its digest.
    pub digest: &'a dyn Fn() -> [u8; 32],
}

/// Told of entries as they pass. Must return quickly and must not call the node back.
pub trait Witness: Send + Sync {
    /// A leader closed an entry.
    fn proposed(&self, proposal: Proposal<'_>);

    /// The leader that proposed an entry has applied it.
    fn applied(&self, application: Application<'_>);

    /// A replica has applied an entry.
    fn replicated(&self, _replication: Replication<'_>) {}

    /// A replica begins.
    fn restored(&self, _restoration: Restoration<'_>) {}

    /// This node begins to lead a group, in this term.
    fn leads(&self, _group: u32, _term: u64) {}
}
