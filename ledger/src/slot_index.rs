//! Finds a record's slot by a hash of its key, for collections that store the key themselves.
//!
//! A [`crate::table::Table`] would store each key twice; at two million people in a lobby that is
//! most of the memory. Linear probing with backward-shift deletion (no tombstones), 8 bytes a
//! cell, at most three quarters full. Like `Table` it cannot be iterated by accident: slots come
//! out unordered, by [`SlotIndex::slots_unordered`] alone.

/// From hash to slot; see the module.
#[derive(Clone, Debug, Default)]
pub struct SlotIndex {
    cells: Vec<Cell>,
    len: usize,
}

/// `slot_after` is the slot plus one; 0 marks an empty cell.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    hash: u32,
    slot_after: u32,
}

impl SlotIndex {
    const CELLS_MIN: usize = 16;

    /// The slot with this hash for which `is_it` answers yes.
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        if self.cells.is_empty() {
            return None;
        }
        let (hash, mask) = (hash as u32, self.cells.len() - 1);
        let mut at = hash as usize & mask;
        loop {
            let cell = self.cells[at];
            if cell.slot_after == 0 {
                return None;
            }
            if cell.hash == hash && is_it(cell.slot_after - 1) {
                return Some(cell.slot_after - 1);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a slot that is not there yet.
    pub fn insert(&mut self, hash: u64, slot: u32) {
        if (self.len + 1) * 4 > self.cells.len() * 3 {
            self.grow();
        }
        self.place(Cell {
            hash: hash as u32,
            slot_after: slot + 1,
        });
        self.len += 1;
    }

    /// Removes a slot that is there.
    pub fn remove(&mut self, hash: u64, slot: u32) {
        let mask = self.cells.len() - 1;
        let mut hole = hash as u32 as usize & mask;
        while self.cells[hole].slot_after != slot + 1 {
            assert!(
                self.cells[hole].slot_after != 0,
                "only slots that were inserted are removed"
            );
            hole = (hole + 1) & mask;
        }
        self.len -= 1;
        let mut next = (hole + 1) & mask;
        while self.cells[next].slot_after != 0 {
            let wanted = self.cells[next].hash as usize & mask;
            // A cell may move back into the hole unless that is before where it wants to be.
            if (next.wrapping_sub(wanted) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.cells[hole] = self.cells[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.cells[hole] = Cell::default();
    }

    /// How many slots.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All slots, in no order that means anything: sort before use.
    pub fn slots_unordered(&self) -> impl Iterator<Item = u32> + '_ {
        self.cells
            .iter()
            .filter(|cell| cell.slot_after != 0)
            .map(|cell| cell.slot_after - 1)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }

    fn place(&mut self, cell: Cell) {
        let mask = self.cells.len() - 1;
        let mut at = cell.hash as usize & mask;
        while self.cells[at].slot_after != 0 {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }

    fn grow(&mut self) {
        let cells = (self.cells.len() * 2).max(Self::CELLS_MIN);
        let old = std::mem::replace(&mut self.cells, vec![Cell::default(); cells]);
        for cell in old.into_iter().filter(|cell| cell.slot_after != 0) {
            self.place(cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Goal: removal by shifting never loses a neighbour. Method: few hashes, so that everything
    /// collides, against a map.
    #[test]
    fn it_agrees_with_a_map_under_colliding_inserts_and_removals() {
        let (mut index, mut model) = (SlotIndex::default(), BTreeMap::new());
        let mut random = 7u64;
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let slot = (random >> 33) as u32 % 200;
            let hash = u64::from(slot % 13) * 5;
            if model.remove(&slot).is_some() {
                index.remove(hash, slot);
            } else {
                index.insert(hash, slot);
                model.insert(slot, hash);
            }
            assert_eq!(index.len(), model.len());
            let asked = (random >> 40) as u32 % 200;
            let found = index.find(u64::from(asked % 13) * 5, |slot| slot == asked);
            assert_eq!(found.is_some(), model.contains_key(&asked));
        }
    }
}
