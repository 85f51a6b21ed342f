//! The draw: one shuffle of the lobby that nobody could steer and anybody can check (P6).
//!
//! ```text
//! seed = SHA-256("usher draw 1" || secret || root || N as u64 || beacon)
//! ```
//!
//! The operator's `secret` was committed to (its SHA-256 published) before anybody joined; `root`
//! commits to the roster before the secret is shown; `beacon` is a public value nobody here could
//! choose. So the operator cannot pick the roster to suit the secret once the beacon is known,
//! nor the secret to suit the roster.
//!
//! The shuffle is a keyed permutation of `[0, N)`: an alternating Feistel network over the
//! smallest power of two that holds N, walked again until it lands below N. Nothing is sorted and
//! nothing is stored a person. In full, with `b = max(2, bits of N - 1)`, the low `b / 2` bits of
//! the index as `low` and the others as `high`, all arithmetic modulo 2^64:
//!
//! ```text
//! keys   = SHA-256("usher round keys 1" || seed || i as u8), i = 0.., four big-endian u64 each
//! round r even: high ^= f(r, low);   odd: low ^= f(r, high);     r = 0..ROUNDS, cut to width
//! f(r,x) = z := (x ^ keys[2r]) * M1;  z ^= z >> 32;  z := (z ^ keys[2r+1]) * M2;
//!          z ^= z >> 29;  z := z * M1;  z ^ (z >> 32)
//! ```

use sha2::{Digest as _, Sha256};

use super::merkle::Hash;

const ROUNDS: usize = 12;
const M1: u64 = 0x9e37_79b9_7f4a_7c15;
const M2: u64 = 0xbf58_476d_1ce4_e5b9;

/// What is published when the event is created.
pub fn commitment(secret: &[u8; 32]) -> Hash {
    Sha256::digest(secret).into()
}

/// The draw's seed; see the module.
pub fn seed(secret: &[u8; 32], root: &Hash, people: u64, beacon: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"usher draw 1");
    hasher.update(secret);
    hasher.update(root);
    hasher.update(people.to_be_bytes());
    hasher.update(beacon);
    hasher.finalize().into()
}

/// Who stands where: index in the roster to position, and back.
#[derive(Clone, Debug)]
pub struct Permutation {
    people: u64,
    low_bits: u32,
    low_mask: u64,
    high_mask: u64,
    keys: [u64; 2 * ROUNDS],
}

impl Permutation {
    /// The permutation of `[0, people)` that `seed` names.
    pub fn new(seed: &Hash, people: u64) -> Self {
        let mut keys = [0; 2 * ROUNDS];
        for (i, four) in keys.chunks_mut(4).enumerate() {
            let mut hasher = Sha256::new();
            hasher.update(b"usher round keys 1");
            hasher.update(seed);
            hasher.update([i as u8]);
            let block: Hash = hasher.finalize().into();
            for (key, bytes) in four.iter_mut().zip(block.chunks(8)) {
                *key = u64::from_be_bytes(bytes.try_into().expect("chunks of 8 bytes"));
            }
        }
        let bits = (u64::BITS - people.saturating_sub(1).leading_zeros()).max(2);
        let low_bits = bits / 2;
        let (low_mask, high_mask) = ((1 << low_bits) - 1, (1 << (bits - low_bits)) - 1);
        Self {
            people,
            low_bits,
            low_mask,
            high_mask,
            keys,
        }
    }

    /// The position of a roster index; `None` outside the draw.
    pub fn position(&self, index: u64) -> Option<u64> {
        self.walk(index, |x| self.forth(x))
    }

    /// The roster index at a position; `None` outside the draw.
    pub fn index(&self, position: u64) -> Option<u64> {
        self.walk(position, |x| self.back(x))
    }

    /// Applies the network until it lands inside the draw. It comes back to where it started at
    /// the latest, so it always ends; on average it takes less than two steps.
    fn walk(&self, from: u64, step: impl Fn(u64) -> u64) -> Option<u64> {
        if from >= self.people {
            return None;
        }
        let mut x = step(from);
        while x >= self.people {
            x = step(x);
        }
        Some(x)
    }

    fn forth(&self, x: u64) -> u64 {
        let (mut low, mut high) = (x & self.low_mask, x >> self.low_bits);
        for round in (0..ROUNDS).step_by(2) {
            high ^= self.f(round, low) & self.high_mask;
            low ^= self.f(round + 1, high) & self.low_mask;
        }
        high << self.low_bits | low
    }

    fn back(&self, x: u64) -> u64 {
        let (mut low, mut high) = (x & self.low_mask, x >> self.low_bits);
        for round in (0..ROUNDS).step_by(2).rev() {
            low ^= self.f(round + 1, high) & self.low_mask;
            high ^= self.f(round, low) & self.high_mask;
        }
        high << self.low_bits | low
    }

    fn f(&self, round: usize, x: u64) -> u64 {
        let mut z = (x ^ self.keys[2 * round]).wrapping_mul(M1);
        z ^= z >> 32;
        z = (z ^ self.keys[2 * round + 1]).wrapping_mul(M2);
        z ^= z >> 29;
        z = z.wrapping_mul(M1);
        z ^ (z >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed_of(number: u64) -> Hash {
        seed(&[7; 32], &[9; 32], number, b"beacon")
    }

    #[test]
    fn every_position_is_given_once_and_leads_back_to_its_index() {
        let sizes = (1..=130).chain([255, 256, 257, 1_000, 4_095, 4_096, 4_097, 60_000]);
        for people in sizes {
            let draw = Permutation::new(&seed_of(people), people);
            let mut taken = vec![false; people as usize];
            for index in 0..people {
                let position = draw.position(index).expect("inside the draw");
                assert!(!std::mem::replace(&mut taken[position as usize], true));
                assert_eq!(draw.index(position), Some(index));
            }
            assert_eq!(draw.position(people), None);
            assert_eq!(draw.index(people), None);
        }
        assert_eq!(Permutation::new(&seed_of(0), 0).position(0), None);
    }

    /// Goal: nobody's index is worth more than another's. Method: chi-square of (index, position)
    /// over many seeds, for sizes where a weak network would show; the bound is five standard
    /// deviations above the mean.
    #[test]
    fn every_index_gets_every_position_equally_often() {
        for people in [2u64, 3, 5, 7, 8, 13, 16, 33] {
            let n = people as usize;
            let runs = 3_000 * people;
            let mut counts = vec![0u64; n * n];
            for run in 0..runs {
                let draw = Permutation::new(&seed_of(run * 1_000 + people), people);
                for index in 0..people {
                    let position = draw.position(index).expect("inside the draw");
                    counts[index as usize * n + position as usize] += 1;
                }
            }
            let expected = runs as f64 / people as f64;
            let chi: f64 = counts
                .iter()
                .map(|c| (*c as f64 - expected).powi(2) / expected)
                .sum();
            let freedom = ((n - 1) * (n - 1)) as f64;
            assert!(
                chi < freedom + 5.0 * (2.0 * freedom).sqrt() + 5.0,
                "{people}: {chi}"
            );
        }
    }

    /// Neighbours in the lobby are no nearer to each other after the draw than strangers: the
    /// mean distance of two random positions is a third of N.
    #[test]
    fn people_who_joined_together_are_torn_apart() {
        let people = 100_000;
        let draw = Permutation::new(&seed_of(1), people);
        let position = |index| draw.position(index).expect("inside the draw");
        let sum: u64 = (1..people)
            .map(|i| position(i).abs_diff(position(i - 1)))
            .sum();
        let third = people * (people - 1) / 3;
        assert!(sum.abs_diff(third) < third / 50, "{sum} against {third}");
    }

    #[test]
    fn the_seed_depends_on_everything_that_was_committed() {
        let base = seed(&[1; 32], &[2; 32], 3, b"x");
        assert_ne!(base, seed(&[0; 32], &[2; 32], 3, b"x"));
        assert_ne!(base, seed(&[1; 32], &[0; 32], 3, b"x"));
        assert_ne!(base, seed(&[1; 32], &[2; 32], 4, b"x"));
        assert_ne!(base, seed(&[1; 32], &[2; 32], 3, b""));
    }
}
