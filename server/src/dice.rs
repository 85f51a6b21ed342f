//! Chance for the tools beside a cluster: which seats a buyer wants, which answer a provider
//! loses. Fast, good enough, and nothing that a secret may come from.

#![expect(
    clippy::disallowed_methods,
    reason = "the tools beside a cluster have no platform, and no run of them is repeated"
)]

/// A source of chance (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same seed, the same throws.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Seeded by the system.
    pub fn fresh() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).expect("the system has entropy after boot");
        Self(u64::from_le_bytes(seed))
    }

    /// 64 bits.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Below `bound`; 0 when there is nothing below it.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of this shortcut is below 2^-32 for every bound used here.
        ((u128::from(self.throw()) * u128::from(bound)) >> 64) as u64
    }

    /// An index into something of `length`.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, chance: u8) -> bool {
        self.below(100) < u64::from(chance)
    }
}

/// So many unpredictable bytes, in hex: for ids and passwords.
pub fn secret_hex(bytes: usize) -> String {
    let mut secret = vec![0; bytes];
    getrandom::fill(&mut secret).expect("the system has entropy after boot");
    hex(&secret)
}

/// An id that no other cluster has.
pub fn fresh_id() -> uuid::Uuid {
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("the system has entropy after boot");
    uuid::Builder::from_random_bytes(id).into_uuid()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to memory cannot fail");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_stay_below_their_bound_and_reach_all_of_it() {
        let mut dice = Dice::seeded(1);
        let mut seen = [false; 6];
        for _ in 0..1000 {
            seen[dice.index(6)] = true;
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!(dice.below(0), 0);
        assert!(!dice.percent(0) && dice.percent(100));
    }
}
