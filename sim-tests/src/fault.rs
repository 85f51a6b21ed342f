//! What can go wrong, as data, and how often it did. The number in front of a row is the one of
//! the fault list in docs/simulation.md.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// Something that happens to the cluster at a moment of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Fault {
    /// A node dies and comes back; with `power`, what it had not synced is lost or torn.
    Kill {
        /// Which.
        node: Target,
        /// Whether its disk loses what was not synced.
        power: bool,
        /// How long it stays down.
        down_ms: u64,
    },
    /// All nodes lose power at once.
    PowerCut {
        /// How long they stay down.
        down_ms: u64,
    },
    /// A node neither hears nor is heard for a while.
    CutOff {
        /// Which.
        node: Target,
        /// How long.
        for_ms: u64,
    },
}

/// Which node a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Whoever leads this group when it strikes.
    Leader(u32),
    /// This one, counted from 0.
    Node(usize),
}

/// A fault and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blow {
    /// Milliseconds after the event was created.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

/// How often each row of the fault list struck in this run.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    /// Counts one.
    pub fn count(&self, row: &'static str) {
        let mut rows = self.0.lock().expect("counting does not panic");
        *rows.entry(row).or_default() += 1;
    }

    /// All rows that struck.
    pub fn rows(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().expect("counting does not panic").clone()
    }
}
