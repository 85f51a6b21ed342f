//! Members of the cluster, as a node brings them about: what is seen of every group, one step done,
//! and how a node says that it is there. What is wanted stands in the catalogue; which step is safe is
//! decided in `cluster::plan`.

mod act;
mod join;
mod look;
mod tenure;

use std::sync::{Mutex, MutexGuard};

use cluster::plan::Bounds;

pub use act::act;
pub use join::{Introduction, introduce};
pub use look::{Look, look};
pub use tenure::Tenures;

/// What counts as being there: caught up but for a moment's entries, heard of within a few of a
/// leader's signs of life.
pub const BOUNDS: Bounds = Bounds {
    lag_entries_max: 1_000,
    silence_ms_max: 3_000,
};

/// What the mover did last. Nothing depends on it; it is for people.
#[derive(Debug, Default)]
pub struct MoverSays {
    words: Mutex<Words>,
}

/// The mover's last words, while it runs here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The step it did last.
    pub did: Option<String>,
    /// The step that failed last, and why; forgotten when a step succeeds.
    pub failed: Option<String>,
}

impl MoverSays {
    /// What it said last.
    pub fn words(&self) -> Words {
        self.lock().clone()
    }

    /// It begins, or ends.
    pub fn forget(&self) {
        *self.lock() = Words::default();
    }

    /// A step was done.
    pub fn did(&self, step: String) {
        *self.lock() = Words {
            did: Some(step),
            failed: None,
        };
    }

    /// A step failed.
    pub fn failed(&self, step: String, why: &str) {
        self.lock().failed = Some(format!("{step}: {why}"));
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        self.words.lock().expect("nobody panics holding it")
    }
}
