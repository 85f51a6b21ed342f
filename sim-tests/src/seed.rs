//! Chance, split into named streams: drawing more from one does not change another, so a plan
//! stays the same when the workload behind it grows.

use std::sync::Mutex;

/// A stream of numbers (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug)]
pub struct Stream(Mutex<u64>);

impl Stream {
    /// The stream called `name` of a run.
    pub fn new(seed: u64, name: &str) -> Self {
        let mixed = name
            .bytes()
            .fold(seed ^ 0x5eed_0000_0000_0001, |state, byte| {
                mix(state
                    .wrapping_add(u64::from(byte))
                    .wrapping_mul(0x100_0000_01b3))
            });
        Self(Mutex::new(mixed))
    }

    /// Any number.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().expect("drawing does not panic");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(*state)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in `percent` of a hundred draws.
    pub fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_name_and_seed() {
        let draw = |seed, name| {
            let stream = Stream::new(seed, name);
            [(); 4].map(|()| stream.next())
        };
        assert_eq!(draw(1, "plan"), draw(1, "plan"));
        assert_ne!(draw(1, "plan"), draw(1, "disk"));
        assert_ne!(draw(1, "plan"), draw(2, "plan"));
    }
}
