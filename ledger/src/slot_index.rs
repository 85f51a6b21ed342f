//! Finds a record's slot by a hash of its key, for collections that store the key themselves.
//!
//! A [`crate::table::Table`] would store each key twice; at two million people in a lobby that is
//! most of the memory. Linear probing with backward-shift deletion (no tombstones), 8 bytes a
//! cell, at most four fifths full. It grows by a third or a half, not to the double, so that an
//! entry never costs more than 15 bytes. Like `Table` it cannot be iterated by accident: slots
//! come out unordered, by [`SlotIndex::slots_unordered`] alone.

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
        let hash = hash as u32;
        let mut at = self.wanted(hash);
        loop {
            let cell = self.cells[at];
            if cell.slot_after == 0 {
                return None;
            }
            if cell.hash == hash && is_it(cell.slot_after - 1) {
                return Some(cell.slot_after - 1);
            }
            at = self.after(at);
        }
    }

    /// Adds a slot that is not there yet.
    pub fn insert(&mut self, hash: u64, slot: u32) {
        if (self.len + 1) * 5 > self.cells.len() * 4 {
            self.grow();
        }
        self.place(Cell {
            hash: hash as u32,
            slot_after: slot + 1,
        });
        self.len += 1;
    }

    /// Removes a slot that is there. One that was inserted under several hashes stays under the
    /// others.
    pub fn remove(&mut self, hash: u64, slot: u32) {
        let (hash, slot_after) = (hash as u32, slot + 1);
        let mut hole = self.wanted(hash);
        while (self.cells[hole].hash, self.cells[hole].slot_after) != (hash, slot_after) {
            assert!(
                self.cells[hole].slot_after != 0,
                "only slots that were inserted are removed"
            );
            hole = self.after(hole);
        }
        self.len -= 1;
        let mut next = self.after(hole);
        while self.cells[next].slot_after != 0 {
            let wanted = self.wanted(self.cells[next].hash);
            // A cell may move back into the hole unless that is before where it wants to be.
            if self.distance(wanted, next) >= self.distance(hole, next) {
                self.cells[hole] = self.cells[next];
                hole = next;
            }
            next = self.after(next);
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

    /// Where a hash is looked for first: its share of the cells.
    fn wanted(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.cells.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.cells.len() {
            0
        } else {
            at + 1
        }
    }

    /// Steps from one cell on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.cells.len() - from
        }
    }

    fn place(&mut self, cell: Cell) {
        let mut at = self.wanted(cell.hash);
        while self.cells[at].slot_after != 0 {
            at = self.after(at);
        }
        self.cells[at] = cell;
    }

    /// 16, 24, 32, 48, 64, ...
    fn grow(&mut self) {
        let cells = self.cells.len();
        let cells = if cells.is_power_of_two() {
            cells / 2 * 3
        } else {
            cells / 3 * 4
        };
        let cells = vec![Cell::default(); cells.max(Self::CELLS_MIN)];
        let old = std::mem::replace(&mut self.cells, cells);
        for cell in old.into_iter().filter(|cell| cell.slot_after != 0) {
            self.place(cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A leg is found by each of its tickets. Their hashes may lie side by side, and removing one
    /// must not take its neighbour's cell, which leads to the same leg.
    #[test]
    fn a_slot_with_several_hashes_loses_only_the_one_that_is_removed() {
        let mut index = SlotIndex::default();
        let hashes = [0u64, 1, 2, 3];
        hashes.iter().rev().for_each(|hash| index.insert(*hash, 7));
        for (removed, hash) in hashes.iter().enumerate() {
            index.remove(*hash, 7);
            let found = |hash: &&u64| index.find(**hash, |slot| slot == 7).is_some();
            assert!(hashes.iter().filter(found).eq(&hashes[removed + 1..]));
        }
        assert!(index.is_empty());
    }

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
