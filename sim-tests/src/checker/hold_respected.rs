//! P5: a hold never ends before the deadline its buyer was told, and at most a second after it, or
//! after what an outage gave it.
//!
//! Early is judged by the ledger's clock: the stamp of the entry that ends it. Late by both: by
//! stamps, past a gap between them (which was an outage); and, once faults have ended, by the true
//! clock, because a sweep that nobody proposes leaves no stamps.

use std::collections::BTreeMap;
use std::time::Duration;

use api::text::parse_order;
use ledger::change::Change;
use ledger::command::CloseReason;
use ledger::limits::{CLOCK_BEAT_MS, EXTENSION_MS_MAX};
use ledger::{Command, OrderId, Receipt, ShardId, Timestamp};

use super::Course;
use super::course::{Act, Entry};
use crate::history::Told;

/// A sweep may come so much later.
const LATE_MS: u64 = 1_000;
/// How long after the last fault sweeps are on time again: an election, and what it gave back.
const HEALED_MS: u64 = 15_000;
/// By the true clock, a healed cluster may take so much longer.
const HEALED_LATE_MS: u64 = 3_000;

struct Hold {
    until: Timestamp,
}

/// A shard's clock, and where it stood still. While holds are live it beats; a longer gap between
/// stamps is time in which no quorum took an entry, also when it is too short to be given back. With many
/// entries in flight stamps go on while nothing is committed, so that shows between applications alone
/// (seed 4: a sweep waited 1.6 s for its quorum, and seven entries were stamped behind it).
#[derive(Default)]
struct Clock {
    last: Timestamp,
    gaps: Vec<(Timestamp, Timestamp)>,
    applied: Duration,
    stalls: Vec<(Duration, Duration)>,
}

impl Clock {
    fn beat(&mut self, at: Timestamp, applied_at: Duration) {
        if self.applied > Duration::ZERO && millis(applied_at, self.applied) > CLOCK_BEAT_MS {
            self.stalls.push((self.applied, applied_at));
        }
        self.applied = self.applied.max(applied_at);
        if self.last.0 > 0 && at.since_ms(self.last) > CLOCK_BEAT_MS {
            self.gaps.push((self.last, at));
        }
        self.last = self.last.max(at);
    }

    /// How long nobody led between two moments.
    fn stood_still(&self, from: Timestamp, to: Timestamp) -> u64 {
        let gaps = self.gaps.iter();
        gaps.map(|(began, ended)| to.min(*ended).since_ms(from.max(*began)))
            .sum()
    }

    /// How long nothing was committed in the `last_ms` before a moment.
    fn stalled(&self, last_ms: u64, to: Duration) -> u64 {
        let from = to.saturating_sub(Duration::from_millis(last_ms));
        let stalls = self.stalls.iter();
        stalls
            .map(|(began, ended)| millis(to.min(*ended), from.max(*began)))
            .sum()
    }
}

fn millis(later: Duration, earlier: Duration) -> u64 {
    later.saturating_sub(earlier).as_millis() as u64
}

struct End {
    at: Timestamp,
    applied_at: Duration,
    why: CloseReason,
}

pub(super) fn check(course: &Course) -> Vec<String> {
    let told = told(course);
    let mut wrong = Vec::new();
    let (live, ends) = follow(course, &told, &mut wrong);
    legs(course, &told, &ends, &mut wrong);
    let Some(healed_at) = course.healed_at else {
        return wrong;
    };
    let settled = course.wall_ms(healed_at) + HEALED_MS;
    let slack = HEALED_LATE_MS + 2 * course.clock_error_ms;
    let now = course.wall_ms(course.ended_at);
    for (order, hold) in live {
        if hold.until.0.max(settled) + slack < now {
            let late = now - hold.until.0;
            wrong.push(format!("{order} is still held {late} ms after its end"));
        }
    }
    for (order, end) in &ends {
        let swept = course.wall_ms(end.applied_at);
        let until = told.get(order).map_or(swept, |until| until.0);
        let late = swept.saturating_sub(until.max(settled));
        if end.why == CloseReason::Expired && late > slack + EXTENSION_MS_MAX {
            wrong.push(format!("{order} ended {late} ms late by the true clock"));
        }
    }
    wrong
}

/// What buyers were told, the last time.
fn told(course: &Course) -> BTreeMap<OrderId, Timestamp> {
    let held = course
        .yes
        .iter()
        .filter(|yes| yes.told == Told::Held && yes.held_until_ms > 0);
    held.filter_map(|yes| Some((parse_order(&yes.order)?, Timestamp(yes.held_until_ms))))
        .collect()
}

/// Follows every order's hold at its home.
fn follow(
    course: &Course,
    told: &BTreeMap<OrderId, Timestamp>,
    wrong: &mut Vec<String>,
) -> (BTreeMap<OrderId, Hold>, BTreeMap<OrderId, End>) {
    let mut live: BTreeMap<OrderId, Hold> = BTreeMap::new();
    let mut ends = BTreeMap::new();
    let mut clocks: BTreeMap<ShardId, Clock> = BTreeMap::new();
    for entry in &course.trail {
        let clock = clocks.entry(entry.shard).or_default();
        clock.beat(entry.at, entry.applied_at);
        // Command by command: one entry may hold an order and begin to pay it (seed 653).
        for act in &entry.acts {
            if let Some((order, late)) = starts_to_pay(entry, act, &live) {
                // No clock ends it while it is being paid; asking again is no second start.
                let hold = live.remove(&order);
                if late {
                    let until = hold.map(|hold| hold.until);
                    let (shard, index, clock) = (entry.shard, entry.index, entry.clock);
                    wrong.push(format!(
                        "shard {shard} entry {index}: {order} was paid for at {clock:?}, after its time, {until:?}"
                    ));
                }
            }
            for fact in &act.facts {
                match fact {
                    Change::OrderHeld { order, until } => {
                        live.insert(order.order, Hold { until: *until });
                    }
                    // What is still opening is extended as well, and nobody was told of it.
                    Change::OrderExtended { order, until } => {
                        if let Some(hold) = live.get_mut(&order.order) {
                            hold.until = *until;
                        }
                    }
                    Change::PaymentStarted { order, .. } | Change::OrderCommitted { order } => {
                        live.remove(&order.order);
                    }
                    Change::OrderClosed { order, why } => {
                        let hold = live.remove(&order.order);
                        let until = hold.map(|hold| hold.until);
                        let was_told = told.get(&order.order).copied();
                        wrong.extend(ended(entry, clock, order.order, *why, until, was_told));
                        let (at, applied_at, why) = (entry.at, entry.applied_at, *why);
                        ends.insert(
                            order.order,
                            End {
                                at,
                                applied_at,
                                why,
                            },
                        );
                    }
                    _ => {}
                }
            }
        }
    }
    (live, ends)
}

/// A hold that is paid for, and whether its time was over: an expired one can never be paid.
fn starts_to_pay(
    entry: &Entry,
    act: &Act,
    live: &BTreeMap<OrderId, Hold>,
) -> Option<(OrderId, bool)> {
    let Command::StartPayment { order, .. } = &act.command else {
        return None;
    };
    let started = matches!(act.outcome, Ok(Receipt::Payment { .. }));
    let hold = live.get(order).filter(|_| started)?;
    Some((*order, entry.clock >= hold.until))
}

fn ended(
    entry: &Entry,
    clock: &Clock,
    order: OrderId,
    why: CloseReason,
    until: Option<Timestamp>,
    told: Option<Timestamp>,
) -> Option<String> {
    // These ends are somebody's will, or a payment's.
    let by_clock = matches!(why, CloseReason::Expired | CloseReason::Refused);
    let deadline = until.into_iter().chain(told).max()?;
    if !by_clock {
        return None;
    }
    if entry.at < deadline {
        let early = deadline.since_ms(entry.at);
        return Some(format!(
            "{order} ended as {why:?} {early} ms before its time"
        ));
    }
    let late = entry.at.since_ms(deadline);
    let stood_still = clock.stood_still(deadline, entry.at);
    let stood_still = stood_still.max(clock.stalled(late, entry.applied_at));
    (why == CloseReason::Expired && until.is_some() && late > LATE_MS + stood_still)
        .then(|| format!("{order} ended {late} ms late; for {stood_still} ms no entry was taken"))
}

/// No leg gives seats back that somebody was told to have, unless its home ended the order.
fn legs(
    course: &Course,
    told: &BTreeMap<OrderId, Timestamp>,
    ends: &BTreeMap<OrderId, End>,
    wrong: &mut Vec<String>,
) {
    for (entry, fact) in course.facts() {
        let Change::SeatsFreed(moved) = fact else {
            continue;
        };
        let order = moved.leg.order;
        let Some(until) = told.get(&order).filter(|until| entry.at < **until) else {
            continue;
        };
        let over = ends
            .get(&order)
            .is_some_and(|end| end.applied_at <= entry.applied_at);
        if !over {
            let end = ends.get(&order).map(|end| end.at);
            wrong.push(format!(
                "shard {} entry {}: {order} lost seats {} ms early; its home ended it at {end:?}",
                entry.shard,
                entry.index,
                until.since_ms(entry.at)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::hand::{entry, order, seat, text, with};
    use crate::history::Yes;

    fn held(index: u64, ms: u64, until: u64) -> Entry {
        let until = Timestamp(until);
        entry(
            1,
            index,
            ms,
            vec![Change::OrderHeld {
                order: order(1, 1),
                until,
            }],
        )
    }

    fn ends(index: u64, ms: u64, why: CloseReason) -> Entry {
        entry(
            1,
            index,
            ms,
            vec![Change::OrderClosed {
                order: order(1, 1),
                why,
            }],
        )
    }

    fn told(until: u64) -> Yes {
        Yes {
            told: Told::Held,
            order: text(order(1, 1)),
            seats: Vec::new(),
            amount: 1,
            held_until_ms: until,
            tickets: Vec::new(),
        }
    }

    #[test]
    fn a_hold_ends_in_the_second_after_its_deadline() {
        let run = |ms, why| {
            let mut trail = vec![held(1, 1_000, 9_000)];
            let beats = (1_200..ms).step_by(200);
            trail.extend(
                (2..)
                    .zip(beats)
                    .map(|(index, at)| entry(1, index, at, Vec::new())),
            );
            trail.push(ends(trail.len() as u64 + 1, ms, why));
            let mut course = with(trail);
            course.yes.push(told(9_000));
            check(&course)
        };
        assert_eq!(run(9_000, CloseReason::Expired), Vec::<String>::new());
        assert_eq!(run(10_000, CloseReason::Expired), Vec::<String>::new());
        assert_eq!(run(5_000, CloseReason::Cancelled), Vec::<String>::new());
        assert_eq!(run(8_999, CloseReason::Expired).len(), 1);
        assert_eq!(run(8_999, CloseReason::Refused).len(), 1);
        assert_eq!(run(10_101, CloseReason::Expired).len(), 1);
    }

    /// With several entries in flight they are stamped, and wait for their quorum together.
    #[test]
    fn while_nothing_is_committed_no_sweep_is_late() {
        let run = |stalls_from: u64| {
            let beats = (1_200..10_600).step_by(200);
            let mut trail = vec![held(1, 1_000, 9_000)];
            trail.extend(
                (2..)
                    .zip(beats)
                    .map(|(index, at)| entry(1, index, at, Vec::new())),
            );
            trail.push(ends(trail.len() as u64 + 1, 10_600, CloseReason::Expired));
            for entry in &mut trail {
                let stamped = entry.at.0;
                let applied = if stamped < stalls_from {
                    stamped
                } else {
                    10_601
                };
                entry.applied_at = Duration::from_millis(applied);
            }
            let mut course = with(trail);
            course.yes.push(told(9_000));
            check(&course).len()
        };
        assert_eq!(run(9_800), 0, "committed again 800 ms later");
        assert_eq!(run(10_400), 1, "that explains a fifth of a second alone");
    }

    #[test]
    fn a_hold_whose_time_is_over_is_not_paid_for() {
        let run = |ms| {
            let mut pays = entry(1, 2, ms, Vec::new());
            pays.acts[0].command = Command::StartPayment {
                order: order(1, 1).order,
                buyer: order(1, 1).buyer,
                method: "pm_ok".to_owned(),
            };
            pays.acts[0].outcome = Ok(Receipt::Payment {
                phase: ledger::outcome::OrderPhase::Paying,
            });
            let trail = vec![
                held(1, 1_000, 9_000),
                pays,
                ends(3, 9_500, CloseReason::Declined),
            ];
            check(&with(trail)).len()
        };
        assert_eq!(run(8_999), 0);
        assert_eq!(run(9_000), 1);
    }

    #[test]
    fn a_payment_may_begin_in_the_entry_that_makes_the_hold() {
        let pays = |index, ms| {
            let mut pays = entry(1, index, ms, Vec::new());
            pays.acts[0].command = Command::StartPayment {
                order: order(1, 1).order,
                buyer: order(1, 1).buyer,
                method: "pm_ok".to_owned(),
            };
            pays.acts[0].outcome = Ok(Receipt::Payment {
                phase: ledger::outcome::OrderPhase::Paying,
            });
            pays
        };
        let mut both = held(1, 1_000, 9_000);
        both.acts.extend(pays(1, 1_000).acts);
        let asked_again = pays(2, 9_500);
        assert_eq!(check(&with(vec![both, asked_again])), Vec::<String>::new());
    }

    #[test]
    fn a_hold_that_nobody_sweeps_is_late_by_the_true_clock() {
        assert_eq!(check(&with(vec![held(1, 1_000, 9_000)])).len(), 1);
        assert_eq!(check(&with(vec![held(1, 1_000, 99_000)])).len(), 0);
    }

    #[test]
    fn a_leg_may_give_seats_back_early_only_after_its_home_ended_the_order() {
        let freed = |ms| entry(2, 1, ms, vec![Change::SeatsFreed(seat(order(1, 1), 3))]);
        let run = |trail| {
            let mut course = with(trail);
            course.yes.push(told(9_000));
            check(&course).len()
        };
        assert_eq!(
            run(vec![
                held(1, 1_000, 9_000),
                ends(2, 4_000, CloseReason::Cancelled),
                freed(4_100)
            ]),
            0
        );
        assert_eq!(
            run(vec![ends(2, 9_100, CloseReason::Expired), freed(5_000)]),
            1
        );
    }
}
