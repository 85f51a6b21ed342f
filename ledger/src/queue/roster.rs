//! Who is in the waiting room, in order of arrival: one place a person (P6).
//!
//! 16 bytes for the person, 10 to 15 for finding them again, about one for proofs; the room's
//! memory is this file's.

use probes::Bug;

use super::merkle::{self, Hash, Merkle};
use crate::ids::BuyerId;
use crate::slot_index::SlotIndex;
use crate::table::hash_of;

/// The people of a waiting room; an index is a position in this list, for ever.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    people: Vec<BuyerId>,
    index: SlotIndex,
    merkle: Merkle,
}

impl Roster {
    pub(super) fn len(&self) -> u64 {
        self.people.len() as u64
    }

    pub(super) fn people(&self) -> &[BuyerId] {
        &self.people
    }

    pub(super) fn index_of(&self, buyer: BuyerId) -> Option<u64> {
        let is_it = |at: u32| self.people[at as usize] == buyer;
        self.index.find(hash_of(&buyer), is_it).map(u64::from)
    }

    /// The index of a person, who is added when they are new.
    pub(super) fn join(&mut self, buyer: BuyerId) -> u64 {
        if let Some(index) = self.index_of(buyer)
            && !probes::planted(Bug::PersonJoinsTwice)
        {
            return index;
        }
        let index = self.people.len();
        self.people.push(buyer);
        self.index.insert(hash_of(&buyer), index as u32);
        self.merkle.push(merkle::leaf(buyer));
        index as u64
    }

    pub(super) fn root(&self) -> Hash {
        self.merkle.root()
    }

    pub(super) fn proof(&self, index: u64, count: u64) -> Option<Vec<Hash>> {
        self.merkle
            .proof(index, count, |at| merkle::leaf(self.people[at as usize]))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.people.capacity() * size_of::<BuyerId>()
            + self.index.heap_bytes()
            + self.merkle.heap_bytes()
    }
}
