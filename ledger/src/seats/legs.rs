//! The legs a shard holds, pins or has sold: a slab of fixed records, found by their key.
//!
//! No allocation for a hold: records are fixed and reused, chunks are added one at a time (a
//! growing `Vec` would stall one entry by copying all legs, and waste half its memory).

use super::seat::{LEGS_MAX, LegNo};
use crate::ids::*;
use crate::outcome::Places;
use crate::slot_index::SlotIndex;
use crate::table::hash_of;

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

/// A leg as stored: 96 bytes, so that 70,000 single seats fit in 8 MiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) order: OrderId,
    pub(super) buyer: BuyerId,
    pub(super) generation: Generation,
    pub(super) until: Timestamp,
    /// Fingerprint of what was asked, to tell a repeat from another question.
    pub(super) content: u32,
    /// Its section's number in the shard.
    pub(super) section: u32,
    pub(super) places: Places,
    pub(super) leg: u8,
    pub(super) state: LegState,
    pub(super) expires_here: bool,
}

const _: () = assert!(size_of::<Record>() <= 96);

impl Record {
    pub(super) fn key(&self) -> LegKey {
        LegKey {
            order: self.order,
            leg: self.leg,
        }
    }
}

/// The slab; see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs {
    chunks: Vec<Vec<Record>>,
    free: Vec<u32>,
    index: SlotIndex,
}

impl Legs {
    const CHUNK: usize = 1 << 10;

    pub(super) fn find(&self, key: LegKey) -> Option<LegNo> {
        self.index
            .find(hash_of(&key), |no| self.get(LegNo(no)).key() == key)
            .map(LegNo)
    }

    pub(super) fn get(&self, no: LegNo) -> &Record {
        &self.chunks[no.0 as usize / Self::CHUNK][no.0 as usize % Self::CHUNK]
    }

    pub(super) fn get_mut(&mut self, no: LegNo) -> &mut Record {
        &mut self.chunks[no.0 as usize / Self::CHUNK][no.0 as usize % Self::CHUNK]
    }

    /// Adds a leg whose key is new.
    pub(super) fn insert(&mut self, record: Record) -> LegNo {
        let no = match self.free.pop() {
            Some(no) => {
                *self.get_mut(LegNo(no)) = record;
                no
            }
            None => self.append(record),
        };
        self.index.insert(hash_of(&record.key()), no);
        LegNo(no)
    }

    pub(super) fn remove(&mut self, no: LegNo) -> Record {
        let record = *self.get(no);
        self.index.remove(hash_of(&record.key()), no.0);
        self.free.push(no.0);
        record
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// All legs, by key.
    pub(super) fn sorted(&self) -> Vec<&Record> {
        let slots = self.index.slots_unordered();
        let mut all: Vec<&Record> = slots.map(|no| self.get(LegNo(no))).collect();
        all.sort_unstable_by_key(|record| record.key());
        all
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let chunk = |chunk: &Vec<Record>| chunk.capacity() * size_of::<Record>();
        self.chunks.iter().map(chunk).sum::<usize>()
            + self.chunks.capacity() * size_of::<Vec<Record>>()
            + self.free.capacity() * 4
            + self.index.heap_bytes()
    }

    fn append(&mut self, record: Record) -> u32 {
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() == Self::CHUNK)
        {
            self.chunks.push(Vec::with_capacity(Self::CHUNK));
        }
        let chunks = self.chunks.len();
        let chunk = self
            .chunks
            .last_mut()
            .expect("a chunk was just made sure of");
        let no = ((chunks - 1) * Self::CHUNK + chunk.len()) as u32;
        assert!(no < LEGS_MAX, "a shard has fewer seats than leg numbers");
        chunk.push(record);
        no
    }
}
