//! Time in which nobody was answered.

use std::time::{Duration, Instant};

/// The longest time without an answer between two moments, both of them counted as answers.
/// `answers` in the order in which they came.
pub fn longest(answers: &[Instant], from: Instant, to: Instant) -> Duration {
    let first = answers.partition_point(|&at| at < from);
    let inside = answers[first..].iter().copied().take_while(|&at| at < to);
    let mut last = from;
    let mut longest = Duration::ZERO;
    for at in inside.chain([to]) {
        longest = longest.max(at.saturating_duration_since(last));
        last = at;
    }
    longest
}

/// Whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_found_also_at_either_end_and_not_outside() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let answers = [0, 500, 510, 600, 2_000].map(at);
        let gap = |from, to| millis(longest(&answers, at(from), at(to)));
        assert_eq!(gap(500, 610), 90);
        assert_eq!(gap(100, 600), 400);
        assert_eq!(gap(590, 1_900), 1_300);
        assert_eq!(gap(2_100, 2_150), 50);
        assert_eq!(millis(longest(&[], at(0), at(70))), 70);
    }
}
