//! The legs a shard holds, pins or has sold: a slab of records, found by their key. A seat names
//! its leg by its number in the slab. A hold of up to six seats needs no allocation.

use super::seat::{LEGS_MAX, LegNo};
use crate::ids::*;
use crate::kept::Kept;
use crate::slab::{Keyed, Slab};

/// How firmly a leg has its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegState {
    /// Until its deadline.
    Held,
    /// Until its home says otherwise.
    Pinned,
    /// For good, unless the money goes back.
    Sold,
}

/// A leg as stored: 80 bytes, so that 70,000 single seats fit in 8 MiB.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) order: OrderId,
    pub(super) buyer: BuyerId,
    pub(super) generation: Generation,
    pub(super) until: Timestamp,
    /// Fingerprint of what was asked, to tell a repeat from another question.
    pub(super) content: u32,
    /// Its section's number in the shard.
    pub(super) section: u32,
    pub(super) places: Kept,
    pub(super) leg: u8,
    pub(super) state: LegState,
    pub(super) expires_here: bool,
}

const _: () = assert!(size_of::<Option<Record>>() <= 80);

impl Keyed for Record {
    type Key = LegKey;

    fn key(&self) -> LegKey {
        LegKey {
            order: self.order,
            leg: self.leg,
        }
    }
}

/// The legs; see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs {
    records: Slab<Record>,
}

impl Legs {
    pub(super) fn find(&self, key: LegKey) -> Option<LegNo> {
        self.records.find(&key).map(LegNo)
    }

    pub(super) fn get(&self, no: LegNo) -> &Record {
        self.records.at(no.0)
    }

    pub(super) fn get_mut(&mut self, no: LegNo) -> &mut Record {
        self.records.at_mut(no.0)
    }

    /// Adds a leg whose key is new.
    pub(super) fn insert(&mut self, record: Record) -> LegNo {
        let no = self.records.insert(record);
        assert!(no < LEGS_MAX, "a shard has fewer seats than leg numbers");
        LegNo(no)
    }

    pub(super) fn remove(&mut self, no: LegNo) -> Record {
        self.records.take(no.0)
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// All legs, by key.
    pub(super) fn sorted(&self) -> Vec<&Record> {
        self.records.sorted()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.records.heap_bytes()
    }
}
