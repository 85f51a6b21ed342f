//! Is there an order of these operations that explains what everybody saw? The search of Wing and
//! Gong (1993) with Lowe's memory of where it has been (2017), for one seat.
//!
//! An operation without an answer may take effect at any later time, or never. The model:
//! `Free | Held by an order until a moment | Sold to an order`; a hold whose moment has passed may
//! be taken by another order, because its expiry is nobody's operation.

use std::collections::BTreeSet;

/// Operations of one seat, at most.
pub const OPS_MAX: usize = 60;
/// Steps of a search, at most.
const STEPS_MAX: usize = 200_000;

/// What somebody did to a seat, or saw. Orders are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was held for an order, whose buyer was told until when (wall clock, ms).
    Hold(usize, u64),
    /// The order was paid.
    Sell(usize),
    /// The order was given back, or its money was.
    Free(usize),
    /// It looked available.
    SeenFree,
    /// It looked held, and so was not sold.
    SeenHeld,
    /// It looked sold.
    SeenSold,
}

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What.
    pub what: What,
    /// When it was asked, ms.
    pub from: u64,
    /// When its answer came; `None`: never, it may happen or not.
    pub to: Option<u64>,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order.
    Explained,
    /// There is none.
    Impossible,
    /// Too much to search.
    Undecided,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seat {
    Free,
    Held(usize, u64),
    Sold(usize),
}

/// Searches. `slack_ms`: how far the clocks behind deadlines may be off.
pub fn search(operations: &[Operation], slack_ms: u64) -> Verdict {
    if operations.len() > OPS_MAX {
        return Verdict::Undecided;
    }
    let must: u64 = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.to.is_some())
        .fold(0, |must, (at, _)| must | 1 << at);
    let mut been = BTreeSet::new();
    let mut todo = vec![(0u64, Seat::Free)];
    while let Some((done, seat)) = todo.pop() {
        if done & must == must {
            return Verdict::Explained;
        }
        if !been.insert((done, seat)) {
            continue;
        }
        if been.len() > STEPS_MAX {
            return Verdict::Undecided;
        }
        let left = |at: &usize| done >> at & 1 == 0;
        let ends = (0..operations.len())
            .filter(left)
            .filter_map(|at| operations[at].to);
        let horizon = ends.min().unwrap_or(u64::MAX);
        for at in (0..operations.len()).filter(left) {
            let operation = operations[at];
            if operation.from > horizon {
                continue;
            }
            if let Some(next) = step(seat, operation, horizon, slack_ms) {
                todo.push((done | 1 << at, next));
            }
        }
    }
    Verdict::Impossible
}

/// The seat after an operation that takes effect before `horizon`, if it can.
fn step(seat: Seat, operation: Operation, horizon: u64, slack_ms: u64) -> Option<Seat> {
    let latest = operation.to.unwrap_or(u64::MAX).min(horizon);
    let over = |until: u64| latest.saturating_add(slack_ms) >= until;
    match (operation.what, seat) {
        (What::Hold(order, until), Seat::Free) => Some(Seat::Held(order, until)),
        (What::Hold(order, until), Seat::Held(_, before)) if over(before) => {
            Some(Seat::Held(order, until))
        }
        (What::Sell(order), Seat::Held(holder, _)) if holder == order => Some(Seat::Sold(order)),
        (What::Free(order), Seat::Held(holder, _) | Seat::Sold(holder)) if holder == order => {
            Some(Seat::Free)
        }
        // Its hold had ended by itself, or it never had the seat: nothing to give back.
        (What::Free(_), _) => Some(seat),
        (What::SeenFree, Seat::Free) => Some(seat),
        (What::SeenFree, Seat::Held(_, until)) if over(until) => Some(Seat::Free),
        (What::SeenHeld, Seat::Free | Seat::Held(..)) => Some(seat),
        (What::SeenSold, Seat::Sold(_)) => Some(seat),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(what: What, from: u64, to: u64) -> Operation {
        Operation {
            what,
            from,
            to: Some(to),
        }
    }

    fn lost(what: What, from: u64) -> Operation {
        Operation {
            what,
            from,
            to: None,
        }
    }

    #[test]
    fn overlapping_operations_may_take_effect_in_either_order() {
        let held = op(What::Hold(1, 9_000), 0, 100);
        let sold = op(What::Sell(1), 200, 300);
        assert_eq!(
            search(&[held, op(What::SeenFree, 50, 60), sold], 0),
            Verdict::Explained
        );
        assert_eq!(
            search(&[held, op(What::SeenFree, 150, 160)], 0),
            Verdict::Impossible
        );
        assert_eq!(
            search(&[held, sold, op(What::SeenHeld, 250, 260)], 0),
            Verdict::Explained
        );
        assert_eq!(
            search(&[held, sold, op(What::SeenHeld, 350, 360)], 0),
            Verdict::Impossible
        );
        assert_eq!(
            search(&[op(What::SeenSold, 10, 20), held, sold], 0),
            Verdict::Impossible
        );
    }

    #[test]
    fn a_seat_is_held_again_when_it_was_given_back_or_its_time_was_over() {
        let (first, second) = (
            op(What::Hold(1, 9_000), 0, 100),
            op(What::Hold(2, 20_000), 5_000, 5_100),
        );
        assert_eq!(search(&[first, second], 0), Verdict::Impossible);
        assert_eq!(
            search(&[first, op(What::Free(1), 200, 300), second], 0),
            Verdict::Explained
        );
        assert_eq!(
            search(&[first, lost(What::Free(1), 200), second], 0),
            Verdict::Explained
        );
        let late = op(What::Hold(2, 20_000), 8_900, 9_100);
        assert_eq!(search(&[first, late], 0), Verdict::Explained);
        assert_eq!(
            search(&[first, op(What::Hold(2, 20_000), 8_700, 8_900)], 50),
            Verdict::Impossible
        );
        assert_eq!(
            search(&[first, op(What::Hold(2, 20_000), 8_700, 8_900)], 200),
            Verdict::Explained
        );
    }

    #[test]
    fn an_unknown_outcome_explains_what_only_it_can() {
        let sold = op(What::SeenSold, 500, 600);
        assert_eq!(
            search(
                &[
                    lost(What::Hold(1, 9_000), 0),
                    lost(What::Sell(1), 100),
                    sold
                ],
                0
            ),
            Verdict::Explained
        );
        assert_eq!(
            search(&[lost(What::Hold(1, 9_000), 0), sold], 0),
            Verdict::Impossible
        );
        assert_eq!(
            search(
                &[
                    lost(What::Hold(1, 9_000), 0),
                    lost(What::Sell(1), 700),
                    sold
                ],
                0
            ),
            Verdict::Impossible
        );
    }
}
