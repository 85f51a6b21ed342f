//! Where the simulator looks into the code and reaches into it: marks on rare branches
//! ([`reached`]), and bugs that a run may plant ([`planted`]).
//!
//! Both exist under `--cfg madsim` alone. In production [`planted`] is a constant `false` and
//! [`reached`] is empty, so that no branch of a planted bug is in a shipped binary.

mod bug;
mod mark;

pub use bug::Bug;
pub use mark::Mark;

#[cfg(not(madsim))]
mod production {
    use super::{Bug, Mark};

    /// Whether this run has this bug: never.
    #[inline(always)]
    pub const fn planted(_: Bug) -> bool {
        false
    }

    /// Notes that a rare branch was taken: nobody counts.
    #[inline(always)]
    pub const fn reached(_: Mark) {}

    /// What a planted bug takes for the time: never asked.
    #[inline(always)]
    pub const fn moment_ms() -> u64 {
        0
    }

    /// What a planted bug takes for chance: never asked.
    #[inline(always)]
    pub const fn chance(_: usize) -> usize {
        0
    }

    /// Does something without counting what it takes: nobody counts anyway.
    #[inline(always)]
    pub fn uncounted<T>(deed: impl FnOnce() -> T) -> T {
        deed()
    }
}

#[cfg(madsim)]
mod simulated {
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

    use super::{Bug, Mark};

    const NONE: usize = usize::MAX;
    static CHOSEN: AtomicUsize = AtomicUsize::new(NONE);
    static DEAF: AtomicBool = AtomicBool::new(false);
    static STRUCK: AtomicU64 = AtomicU64::new(0);
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    static REACHED: [AtomicU64; Mark::ALL.len()] = [const { AtomicU64::new(0) }; Mark::ALL.len()];

    /// Plants a bug for the rest of this process, which is one run.
    pub fn plant(bug: Bug) {
        CHOSEN.store(bug as usize, Ordering::Relaxed);
    }

    /// Does something without counting what it takes: what a checker tells again happened before.
    pub fn uncounted<T>(deed: impl FnOnce() -> T) -> T {
        DEAF.store(true, Ordering::Relaxed);
        let done = deed();
        DEAF.store(false, Ordering::Relaxed);
        done
    }

    /// Whether this run has this bug. Asked where the bug would act, and counted there.
    pub fn planted(bug: Bug) -> bool {
        let here = CHOSEN.load(Ordering::Relaxed) == bug as usize;
        if here && !DEAF.load(Ordering::Relaxed) {
            STRUCK.fetch_add(1, Ordering::Relaxed);
        }
        here
    }

    /// How often the planted bug could act.
    pub fn struck() -> u64 {
        STRUCK.load(Ordering::Relaxed)
    }

    /// Notes that a rare branch was taken.
    pub fn reached(mark: Mark) {
        if !DEAF.load(Ordering::Relaxed) {
            REACHED[mark as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a planted bug takes for the time: simulated, and another one for each who asks.
    #[allow(clippy::disallowed_methods, reason = "reading the clock is the bug")]
    pub fn moment_ms() -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }

    /// What a planted bug takes for chance: below `bound`, another one for each who asks, and the
    /// same in each run of a seed.
    pub fn chance(bound: usize) -> usize {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed) + 1;
        let mixed = drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 33) as usize % bound.max(1)
    }

    /// Every mark and how often it was reached in this process.
    pub fn marks() -> impl Iterator<Item = (Mark, u64)> {
        let count = |mark: &Mark| (*mark, REACHED[*mark as usize].load(Ordering::Relaxed));
        Mark::ALL.iter().map(count)
    }
}

#[cfg(not(madsim))]
pub use production::{chance, moment_ms, planted, reached, uncounted};
#[cfg(madsim)]
pub use simulated::{chance, marks, moment_ms, plant, planted, reached, struck, uncounted};
