//! What an audit found, promise by promise.

use std::collections::BTreeMap;

use serde::Serialize;

/// The promises an audit can judge from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Promise {
    /// A seat is sold to at most one order.
    P1,
    /// An order is whole or nothing.
    P2,
    /// What was answered "yes" is never lost.
    P3,
    /// At most one charge an order; charged means seats.
    P4,
    /// A hold never ends before its deadline; an expired one is never paid.
    P5,
    /// One place a person; a place never gets worse.
    P6,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5, Self::P6];

    /// In one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::P1 => "a seat is sold to at most one order",
            Self::P2 => "an order is whole or nothing",
            Self::P3 => "what was answered \"yes\" is never lost",
            Self::P4 => "one charge an order, and charged means seats",
            Self::P5 => "a hold lasts until its deadline",
            Self::P6 => "one place a person, and it never gets worse",
        }
    }
}

/// Broken promises are told one by one, up to this many each; all are counted.
const TOLD_MAX: usize = 20;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    faults: BTreeMap<Promise, Vec<String>>,
    counts: BTreeMap<Promise, u64>,
    /// Seats that two orders have.
    pub double_sold: u64,
    /// Acknowledged answers that the cluster does not know any more, or knows otherwise.
    pub lost_acks: u64,
    /// Orders that are paid, by the replicas.
    pub orders_paid: u64,
    /// Payments the provider captured and did not give back.
    pub charges: u64,
    /// Groups whose replicas were seen equal at an equal log index.
    pub groups_agreed: usize,
}

impl Findings {
    /// Notes a broken promise.
    pub fn broken(&mut self, promise: Promise, what: String) {
        *self.counts.entry(promise).or_default() += 1;
        let told = self.faults.entry(promise).or_default();
        if told.len() < TOLD_MAX {
            told.push(what);
        }
    }

    /// Whether a promise held.
    pub fn held(&self, promise: Promise) -> bool {
        !self.counts.contains_key(&promise)
    }

    /// Whether all did.
    pub fn all_held(&self) -> bool {
        self.counts.is_empty()
    }

    /// How often a promise was broken.
    pub fn count(&self, promise: Promise) -> u64 {
        self.counts.get(&promise).copied().unwrap_or_default()
    }

    /// How a promise was broken; the first few.
    pub fn told(&self, promise: Promise) -> &[String] {
        self.faults.get(&promise).map_or(&[], Vec::as_slice)
    }

    /// One line a promise, and under it how it was broken.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for promise in Promise::ALL {
            let verdict = if self.held(promise) {
                "held  "
            } else {
                "BROKEN"
            };
            lines.push(format!("  {promise:?} {verdict} {}", promise.sentence()));
            lines.extend(
                self.told(promise)
                    .iter()
                    .map(|fault| format!("       - {fault}")),
            );
            let untold = self.count(promise) - self.told(promise).len() as u64;
            if untold > 0 {
                lines.push(format!("       - and {untold} more"));
            }
        }
        lines
    }
}
