//! What was measured, for people and for scripts.

use serde::Serialize;

use crate::demo::measure::nearest_rank;
use crate::progress::Progress;

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Longest pause of any shard while nothing was done to the nodes, in ms.
    pub quiet_ms: u64,
    /// Leaders moved: the longest pause of the shard.
    pub moves: Pauses,
    /// Leaders killed: the longest pause of any shard they led.
    pub kills: Pauses,
    /// A lost node replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Replacement>,
}

/// A pause for each time, in ms.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Pauses(Vec<u64>);

/// How long a lost node was missed.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Replacement {
    /// Seats held when it was lost.
    pub seats: u32,
    /// From the start of the new node until it had the same state as the others, in ms.
    pub state_ms: u64,
    /// From then until it voted in the lost one's place in every group, in ms.
    pub votes_ms: u64,
}

impl Pauses {
    /// One more.
    pub fn push(&mut self, pause_ms: u64) {
        self.0.push(pause_ms);
    }

    /// The pause that so much of a hundred is not longer than; 0 when there is none.
    pub fn percentile(&self, percent: usize) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        nearest_rank(&sorted, percent).unwrap_or(0)
    }

    /// In a line; nothing when there is none.
    pub fn line(&self, what: &str) -> Option<String> {
        (!self.0.is_empty()).then(|| {
            format!(
                "{} {what}: paused p50 {} ms, p90 {} ms, p99 {} ms, longest {} ms",
                self.0.len(),
                self.percentile(50),
                self.percentile(90),
                self.percentile(99),
                self.percentile(100)
            )
        })
    }

    pub(super) fn tell(&self, progress: &Progress, what: &str) {
        if let Some(line) = self.line(what) {
            progress.say(&line);
        }
    }
}

impl Figures {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("quiet: longest pause {} ms", self.quiet_ms)];
        lines.extend(self.moves.line("leaders moved"));
        lines.extend(self.kills.line("leaders killed"));
        lines.extend(self.replacement.map(|replaced| {
            format!(
                "a lost node, {} seats held: all state back after {:.1} s, votes {:.1} s later",
                replaced.seats,
                replaced.state_ms as f64 / 1e3,
                replaced.votes_ms as f64 / 1e3
            )
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_pauses_that_were_measured() {
        let pauses = Pauses((1..=200).rev().collect());
        let percentiles = [0, 50, 99, 100].map(|percent| pauses.percentile(percent));
        assert_eq!(percentiles, [1, 100, 198, 200]);
        assert_eq!(Pauses(vec![7]).percentile(99), 7);
        assert_eq!(Pauses::default().line("nothing"), None);
    }
}
