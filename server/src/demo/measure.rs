//! What a record of answers says: the longest time without one, and ranks among sorted figures.

use std::time::{Duration, Instant};

/// The longest time without an answer between two moments, both of them counted as answers.
/// `answers` in the order in which they came.
pub fn longest_gap(answers: &[Instant], from: Instant, to: Instant) -> Duration {
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

/// The same, and the gap in which `from` falls counts from the answer before it; from `start` when
/// there is none.
pub fn longest_gap_around(
    answers: &[Instant],
    start: Instant,
    from: Instant,
    to: Instant,
) -> Duration {
    let before = answers.partition_point(|&at| at <= from);
    let from = before.checked_sub(1).map_or(start, |last| answers[last]);
    longest_gap(answers, from, to)
}

/// What so much of a hundred is not larger than, by nearest rank; `None` of nothing.
pub fn nearest_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied()
}

/// Whole milliseconds.
pub fn millis(time: Duration) -> u64 {
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
        let gap = |from, to| millis(longest_gap(&answers, at(from), at(to)));
        assert_eq!(gap(500, 610), 90);
        assert_eq!(gap(100, 600), 400);
        assert_eq!(gap(590, 1_900), 1_300);
        assert_eq!(gap(2_100, 2_150), 50);
        assert_eq!(millis(longest_gap(&[], at(0), at(70))), 70);
    }

    #[test]
    fn a_gap_that_began_before_counts_whole() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let answers = [100, 500, 700].map(at);
        let gap = |from, to| millis(longest_gap_around(&answers, at(0), at(from), at(to)));
        assert_eq!(gap(300, 710), 400);
        assert_eq!(gap(500, 710), 200);
        assert_eq!(gap(50, 90), 90, "from the start on");
    }

    #[test]
    fn ranks_are_figures_that_were_measured() {
        let sorted: Vec<u64> = (1..=200).collect();
        let ranks = [0, 50, 99, 100].map(|percent| nearest_rank(&sorted, percent));
        assert_eq!(ranks, [1, 100, 198, 200].map(Some));
        assert_eq!(nearest_rank(&[7], 99), Some(7));
        assert_eq!(nearest_rank::<u64>(&[], 99), None);
    }
}
