//! A hash table that cannot be iterated.
//!
//! Iteration order is behaviour, and a hash table's order is an accident. So the ledger's tables
//! only look things up; whoever must see everything (the digest, a snapshot, an invariant) asks
//! for [`Table::sorted`] and pays for the sort.
//!
//! The hasher is fast and has a fixed key. Somebody who chooses ids to collide can slow a table
//! down; the door's rate limits bound how many ids one person can choose, and nothing but speed
//! depends on the hash.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

/// Looks values up by key; see the module.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    map: HashMap<K, V, FixedState>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            map: HashMap::with_hasher(FixedState),
        }
    }
}

impl<K: Ord + Hash + Copy, V> Table<K, V> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value at `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    /// The value at `key`, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    /// The value at `key`, made by `make` when there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.map.entry(key).or_insert_with(make)
    }

    /// Puts `value` at `key` and returns what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// Takes the value at `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.map.remove(key)
    }

    /// Whether there is a value at `key`.
    pub fn contains(&self, key: &K) -> bool {
        self.map.contains_key(key)
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Everything, in the order of the keys. Costs a sort.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one detour: what comes out is sorted"
    )]
    pub fn sorted(&self) -> Vec<(K, &V)> {
        let mut all: Vec<(K, &V)> = self.map.iter().map(|(key, value)| (*key, value)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    /// Bytes on the heap, without what the values own.
    pub fn heap_bytes(&self) -> usize {
        // The standard table keeps a power of two of slots, fills 7/8 of them, and spends one
        // byte more on each.
        let slots = (self.map.capacity() * 8 / 7).next_power_of_two();
        if self.map.capacity() == 0 {
            0
        } else {
            slots * (size_of::<(K, V)>() + 1)
        }
    }
}

/// The fixed-key hash of `value`: for tables and fingerprints, never for secrets.
pub fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    FixedState.hash_one(value)
}

#[derive(Clone, Copy, Debug, Default)]
struct FixedState;

impl BuildHasher for FixedState {
    type Hasher = FixedHasher;

    fn build_hasher(&self) -> FixedHasher {
        FixedHasher(0x243f_6a88_85a3_08d3)
    }
}

/// Folded multiplication: a 64 by 64 bit product whose halves are added together.
struct FixedHasher(u64);

impl FixedHasher {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(Self::MULTIPLIER);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        self.mix(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.mix(value as u64);
        self.mix((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        // One more turn, so that the last word reaches the high bits too.
        let product = u128::from(self.0 ^ 0x1319_8a2e_0370_7344) * u128::from(Self::MULTIPLIER);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_everything_in_the_order_of_its_keys_only() {
        let mut table = Table::new();
        for key in [9u64, 3, 7, 1] {
            assert_eq!(table.insert(key, key * 10), None);
        }
        assert_eq!(table.insert(3, 31), Some(30));
        assert_eq!(table.remove(&7), Some(70));
        let sorted: Vec<(u64, u64)> = table.sorted().into_iter().map(|(k, v)| (k, *v)).collect();
        assert_eq!(sorted, [(1, 10), (3, 31), (9, 90)]);
        assert!(table.contains(&1) && !table.contains(&7) && table.len() == 3);
    }

    #[test]
    fn the_hash_spreads_consecutive_keys_over_low_and_high_bits() {
        let mut low = [0u32; 64];
        let mut high = [0u32; 64];
        for key in 0..64_000u128 {
            let hash = hash_of(&key);
            low[(hash & 63) as usize] += 1;
            high[(hash >> 58) as usize] += 1;
        }
        assert!(
            low.iter()
                .chain(&high)
                .all(|count| (800..1200).contains(count))
        );
    }
}
