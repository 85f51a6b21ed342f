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

/// Told of a leader's entries as they pass. Must return quickly and must not call the node back.
pub trait Witness: Send + Sync {
    /// A leader closed an entry.
    fn proposed(&self, proposal: Proposal<'_>);

    /// The leader that proposed an entry has applied it.
    fn applied(&self, application: Application<'_>);
}
