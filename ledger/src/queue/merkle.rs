//! A Merkle tree over the lobby's roster (RFC 6962 §2.1), grown a leaf at a time (P6).
//!
//! The root commits to who is in the lobby and in which order, before anybody can know the seed
//! that shuffles them. Leaves and nodes are hashed with different prefixes, so no node can pass
//! for a leaf. Adding a leaf costs two hashes on average, the root O(log n). Roots of complete
//! subtrees of [`STORED_LEAVES`] leaves and up are kept (about one byte a person), so a proof
//! costs a hundred hashes however long the roster is.

use sha2::{Digest as _, Sha256};

use crate::ids::BuyerId;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

const STORED_LEVEL: usize = 6;
/// Complete subtrees of fewer leaves are hashed again when a proof needs them.
pub const STORED_LEAVES: u64 = 1 << STORED_LEVEL;

/// Hash of the leaf of a person.
pub fn leaf(buyer: BuyerId) -> Hash {
    let mut bytes = [0; 17];
    bytes[1..].copy_from_slice(&buyer.0.to_be_bytes());
    Sha256::digest(bytes).into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The tree; see the module.
#[derive(Clone, Debug, Default)]
pub struct Merkle {
    count: u64,
    /// By level: the last complete subtree, which waits for its right sibling when that bit of
    /// `count` is set.
    waiting: Vec<Hash>,
    /// By level from `STORED_LEVEL` up: all complete subtrees.
    stored: Vec<Vec<Hash>>,
}

impl Merkle {
    /// How many leaves.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a leaf on the right.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0usize.. {
            if let Some(stored) = level.checked_sub(STORED_LEVEL) {
                if stored == self.stored.len() {
                    self.stored.push(Vec::new());
                }
                self.stored[stored].push(hash);
            }
            if level == self.waiting.len() {
                self.waiting.push(hash);
                break;
            }
            if self.count >> level & 1 == 0 {
                self.waiting[level] = hash;
                break;
            }
            hash = node(&self.waiting[level], &hash);
        }
        self.count += 1;
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let complete = (0..self.waiting.len()).filter(|level| self.count >> level & 1 == 1);
        let root = complete.fold(None, |right: Option<Hash>, level| {
            let left = &self.waiting[level];
            Some(right.map_or(*left, |right| node(left, &right)))
        });
        root.unwrap_or_else(|| Sha256::digest([]).into())
    }

    /// The proof that leaf `index` is in the tree of the first `count` leaves: the sibling
    /// subtrees from the leaf up. `leaf_at` gives any leaf. `None` when there is no such leaf.
    pub fn proof(
        &self,
        index: u64,
        count: u64,
        leaf_at: impl Fn(u64) -> Hash,
    ) -> Option<Vec<Hash>> {
        if index >= count || count > self.count {
            return None;
        }
        let (mut from, mut to) = (0, count);
        let mut path = Vec::new();
        while to - from > 1 {
            let middle = from + left_size(to - from);
            let sibling = if index < middle {
                (middle, to)
            } else {
                (from, middle)
            };
            path.push(self.subtree(sibling.0, sibling.1, &leaf_at));
            (from, to) = if index < middle {
                (from, middle)
            } else {
                (middle, to)
            };
        }
        path.reverse();
        Some(path)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let stored: usize = self.stored.iter().map(Vec::capacity).sum();
        (stored + self.waiting.capacity()) * size_of::<Hash>()
            + self.stored.capacity() * size_of::<Vec<Hash>>()
    }

    fn subtree(&self, from: u64, to: u64, leaf_at: &impl Fn(u64) -> Hash) -> Hash {
        let size = to - from;
        if size == 1 {
            return leaf_at(from);
        }
        if size.is_power_of_two() && size >= STORED_LEAVES && from.is_multiple_of(size) {
            let level = size.trailing_zeros() as usize - STORED_LEVEL;
            if let Some(hash) = self.stored[level].get((from / size) as usize) {
                return *hash;
            }
        }
        let middle = from + left_size(size);
        node(
            &self.subtree(from, middle, leaf_at),
            &self.subtree(middle, to, leaf_at),
        )
    }
}

/// The largest power of two below `size`, which is at least 2.
fn left_size(size: u64) -> u64 {
    size.next_power_of_two() / 2
}

/// Whether `path` proves that `leaf` is number `index` of the `count` leaves under `root`
/// (RFC 9162 §2.1.3.2).
pub fn verify(leaf: Hash, index: u64, count: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= count {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, count - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf_at(index: u64) -> Hash {
        leaf(BuyerId(u128::from(index) * 7 + 3))
    }

    fn root_by_definition(from: u64, to: u64) -> Hash {
        if to - from == 1 {
            return leaf_at(from);
        }
        let middle = from + left_size(to - from);
        node(
            &root_by_definition(from, middle),
            &root_by_definition(middle, to),
        )
    }

    /// Goal: the grown tree is RFC 6962's, and its proofs stand for exactly one leaf of one tree.
    #[test]
    fn every_leaf_of_every_small_tree_has_a_proof_that_proves_nothing_else() {
        let mut tree = Merkle::default();
        let empty: Hash = Sha256::digest([]).into();
        assert_eq!(tree.root(), empty);
        for count in 1..=200u64 {
            tree.push(leaf_at(count - 1));
            let root = tree.root();
            assert_eq!(root, root_by_definition(0, count));
            for index in (0..count).step_by(1 + count as usize / 12) {
                let mut path = tree
                    .proof(index, count, leaf_at)
                    .expect("the leaf is there");
                assert!(verify(leaf_at(index), index, count, &path, &root));
                assert!(!verify(leaf_at(index + 1), index, count, &path, &root));
                assert!(
                    !verify(leaf_at(index), (index + 1) % count, count, &path, &root) || count == 1
                );
                assert!(!verify(leaf_at(index), index, count, &path, &leaf_at(999)));
                path.push([0; 32]);
                assert!(!verify(leaf_at(index), index, count, &path, &root));
            }
        }
        assert_eq!(tree.proof(200, 200, leaf_at), None);
        assert_eq!(tree.proof(0, 201, leaf_at), None);
    }

    #[test]
    fn a_proof_for_the_draw_stays_valid_after_more_people_have_come() {
        let mut tree = Merkle::default();
        (0..1_000).for_each(|index| tree.push(leaf_at(index)));
        let root = tree.root();
        (1_000..5_000).for_each(|index| tree.push(leaf_at(index)));
        assert_ne!(tree.root(), root);
        for index in [0, 1, 63, 64, 511, 512, 960, 998, 999] {
            let path = tree
                .proof(index, 1_000, leaf_at)
                .expect("the leaf is there");
            assert!(path.len() <= 10);
            assert!(verify(leaf_at(index), index, 1_000, &path, &root));
        }
    }
}
