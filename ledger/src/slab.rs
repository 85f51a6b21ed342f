//! Records found by a key they carry themselves.
//!
//! A [`Table`](crate::table::Table) stores each key beside its value and keeps up to half its
//! places empty, each as large as a record. Here a place that is empty in the index costs 8 bytes,
//! and records stand in chunks that are added one at a time: nothing large is ever copied or left
//! half empty. A record keeps its number until it is removed.
//!
//! Like a table it cannot be iterated but in the order of its keys.

use std::hash::Hash;

use crate::slot_index::SlotIndex;
use crate::table::hash_of;

/// A record that knows its key.
pub trait Keyed {
    /// What it is found by. Never changes while it is in a slab.
    type Key: Ord + Hash + Copy;

    /// The key.
    fn key(&self) -> Self::Key;
}

/// The records; see the module.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
    index: SlotIndex,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            index: SlotIndex::default(),
        }
    }
}

const CHUNK: usize = 1 << 8;

impl<T: Keyed> Slab<T> {
    /// The number of the record with this key.
    pub fn find(&self, key: &T::Key) -> Option<u32> {
        self.index
            .find(hash_of(key), |no| self.at(no).key() == *key)
    }

    /// The record with a number that was found.
    pub fn at(&self, no: u32) -> &T {
        self.chunks[no as usize / CHUNK][no as usize % CHUNK]
            .as_ref()
            .expect("only records that are there have numbers")
    }

    /// The record with a number that was found, to change all but its key.
    pub fn at_mut(&mut self, no: u32) -> &mut T {
        self.chunks[no as usize / CHUNK][no as usize % CHUNK]
            .as_mut()
            .expect("only records that are there have numbers")
    }

    /// The record with this key.
    pub fn get(&self, key: &T::Key) -> Option<&T> {
        self.find(key).map(|no| self.at(no))
    }

    /// The record with this key, to change all but its key.
    pub fn get_mut(&mut self, key: &T::Key) -> Option<&mut T> {
        self.find(key).map(|no| self.at_mut(no))
    }

    /// Whether there is a record with this key.
    pub fn contains(&self, key: &T::Key) -> bool {
        self.find(key).is_some()
    }

    /// Adds a record whose key is new, and tells its number.
    pub fn insert(&mut self, record: T) -> u32 {
        let hash = hash_of(&record.key());
        let no = match self.free.pop() {
            Some(no) => {
                self.chunks[no as usize / CHUNK][no as usize % CHUNK] = Some(record);
                no
            }
            None => self.append(record),
        };
        self.index.insert(hash, no);
        no
    }

    /// Adds a record, or puts it in the place of the one with its key.
    pub fn put(&mut self, record: T) {
        match self.find(&record.key()) {
            Some(no) => *self.at_mut(no) = record,
            None => drop(self.insert(record)),
        }
    }

    /// Takes out the record with a number that was found.
    pub fn take(&mut self, no: u32) -> T {
        let record = self.chunks[no as usize / CHUNK][no as usize % CHUNK]
            .take()
            .expect("only records that are there have numbers");
        self.index.remove(hash_of(&record.key()), no);
        self.free.push(no);
        record
    }

    /// Takes out the record with this key.
    pub fn remove(&mut self, key: &T::Key) -> Option<T> {
        self.find(key).map(|no| self.take(no))
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// All records, by key. Costs a sort.
    pub fn sorted(&self) -> Vec<&T> {
        let mut all: Vec<&T> = self.chunks.iter().flatten().flatten().collect();
        all.sort_unstable_by_key(|record| record.key());
        all
    }

    /// Bytes on the heap, without what the records own.
    pub fn heap_bytes(&self) -> usize {
        let chunk = |chunk: &Vec<Option<T>>| chunk.capacity() * size_of::<Option<T>>();
        self.chunks.iter().map(chunk).sum::<usize>()
            + self.chunks.capacity() * size_of::<Vec<Option<T>>>()
            + self.free.capacity() * size_of::<u32>()
            + self.index.heap_bytes()
    }

    fn append(&mut self, record: T) -> u32 {
        let full = |chunk: &Vec<Option<T>>| chunk.len() == CHUNK;
        if self.chunks.last().is_none_or(full) {
            // The first chunk grows from nothing: many slabs stay small.
            let capacity = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let chunk = self
            .chunks
            .last_mut()
            .expect("a chunk was just made sure of");
        chunk.push(Some(record));
        u32::try_from(before + chunk.len() - 1).expect("far fewer than 2^32 records fit in memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Pair(u32, String);

    impl Keyed for Pair {
        type Key = u32;

        fn key(&self) -> u32 {
            self.0
        }
    }

    /// Goal: records are found, stay where they are and leave nothing behind. Method: inserts and
    /// removals at random against a map.
    #[test]
    fn it_agrees_with_a_map_and_reuses_what_was_freed() {
        let (mut slab, mut model) = (Slab::default(), BTreeMap::new());
        let mut random = 7u64;
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = (random >> 33) as u32 % 700;
            let value = Pair(key, key.to_string());
            match (random >> 60) & 1 {
                0 => assert_eq!(slab.remove(&key), model.remove(&key)),
                _ => {
                    slab.put(value.clone());
                    model.insert(key, value);
                }
            }
            assert_eq!(
                (slab.len(), slab.is_empty()),
                (model.len(), model.is_empty())
            );
            let asked = (random >> 40) as u32 % 700;
            assert_eq!(slab.get(&asked), model.get(&asked));
        }
        assert!(slab.sorted().into_iter().eq(model.values()));
        assert!(slab.chunks.len() <= 3, "freed places are used again");
    }
}
