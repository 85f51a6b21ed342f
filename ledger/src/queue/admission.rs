//! Whose turn it is: a cursor over positions that only grows (P6).
//!
//! Everybody whose position is below the cursor has been admitted. It moves at the event's rate,
//! out of a bucket that holds no more than a second's worth (or one person), so that a pause or
//! an outage is not followed by a rush. When little is left, people are admitted only as fast as
//! it can serve them; nobody is admitted when nothing is left.

use std::collections::VecDeque;

use probes::Bug;

use crate::ids::Timestamp;
use crate::limits::{ADMISSION_STEP_MS, PASS_MS};

/// Credit that admits one person: a rate a minute, times milliseconds.
const PERSON: u64 = 60_000;
/// The bucket holds so many ms of the rate.
const BURST_MS: u64 = 1_000;
/// How long people admitted are taken to be choosing still, at most.
const CHOOSING_MS_MAX: u64 = 600_000;
/// People admitted for each place left: not everybody buys.
const PEOPLE_PER_PLACE: u64 = 2;
/// How often a cursor that waits for stock looks again.
const SCARCE_STEP_MS: u64 = 1_000;
/// How long it is remembered when the cursor was where: twice a pass, so that whoever was reached
/// before that has no pass left in any case.
const MARKS_KEPT_MS: u64 = 2 * PASS_MS;

/// Where the cursor was after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the step was.
    pub at: Timestamp,
    /// The cursor after it.
    pub cursor: u64,
    /// Places for sale then.
    pub available: u64,
}

/// What a step depends on besides the cursor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// People a minute.
    pub(super) rate: u64,
    /// People who are in the room, admitted ones included.
    pub(super) joined: u64,
    /// Places for sale.
    pub(super) available: u64,
    /// How long a hold lasts.
    pub(super) hold_ms: u64,
}

/// The cursor; see the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Admission {
    pub(super) cursor: u64,
    /// Unspent admissions, in `PERSON`ths.
    pub(super) credit: u64,
    /// When `credit` was brought up to date.
    pub(super) stepped_at: Timestamp,
    pub(super) marks: VecDeque<Mark>,
}

impl Admission {
    /// The draw is done: counting starts.
    pub(super) fn open(&mut self, now: Timestamp, available: u64) {
        self.stepped_at = now;
        self.marks.push_back(Mark {
            at: now,
            cursor: self.cursor,
            available,
        });
    }

    /// Moves the cursor. How many people were admitted.
    pub(super) fn step(&mut self, terms: Terms, now: Timestamp) -> u64 {
        let earned = now.since_ms(self.stepped_at).saturating_mul(terms.rate);
        // The fraction of a person on top is what a step that comes a little late has earned.
        let full = PERSON.max(terms.rate * BURST_MS) + PERSON - 1;
        self.credit = self.credit.saturating_add(earned).min(full);
        self.stepped_at = self.stepped_at.max(now);
        let waiting = terms.joined - self.cursor;
        let mut admitted = (self.credit / PERSON)
            .min(waiting)
            .min(self.servable(terms, now));
        if admitted > 0 && probes::planted(Bug::RateIgnored) {
            admitted = waiting;
            self.credit = self.credit.max(admitted * PERSON);
        }
        if admitted == 0 && self.cursor > 0 && probes::planted(Bug::CursorMovesBack) {
            self.cursor -= 1;
            let now = self.cursor;
            self.marks
                .iter_mut()
                .for_each(|mark| mark.cursor = mark.cursor.min(now));
        }
        if admitted > 0 {
            self.credit -= admitted * PERSON;
            self.cursor += admitted;
            self.mark(now, terms.available);
        }
        admitted
    }

    /// When the next step may admit somebody; `None` while only an event can change that.
    pub(super) fn next_step(&self, terms: Terms, now: Timestamp) -> Option<Timestamp> {
        if terms.rate == 0 || terms.available == 0 || terms.joined == self.cursor {
            return None;
        }
        let after_ms = match PERSON.saturating_sub(self.credit).div_ceil(terms.rate) {
            _ if self.servable(terms, now) == 0 => {
                probes::reached(probes::Mark::AdmissionWaitsForStock);
                SCARCE_STEP_MS
            }
            missing_ms => missing_ms.max(ADMISSION_STEP_MS),
        };
        Some(self.stepped_at.plus_ms(after_ms).max(now))
    }

    /// When the cursor passed a position; for one passed long ago, some later moment that is
    /// long ago too.
    pub(super) fn reached(&self, position: u64) -> Option<Timestamp> {
        let at = self.marks.partition_point(|mark| mark.cursor <= position);
        self.marks.get(at).map(|mark| mark.at)
    }

    /// How many more people what is left can serve. Of those admitted within a hold's length,
    /// one is taken to be served for each place gone since; the others are still choosing.
    fn servable(&self, terms: Terms, now: Timestamp) -> u64 {
        let window_ms = terms.hold_ms.min(CHOOSING_MS_MAX);
        let old = self
            .marks
            .partition_point(|mark| now.since_ms(mark.at) >= window_ms);
        let Some(before) = self.marks.get(old.saturating_sub(1)) else {
            return 0;
        };
        let recent = self.cursor - before.cursor;
        let served = before.available.saturating_sub(terms.available);
        let choosing = recent.saturating_sub(served);
        (terms.available * PEOPLE_PER_PLACE).saturating_sub(choosing)
    }

    fn mark(&mut self, now: Timestamp, available: u64) {
        self.marks.push_back(Mark {
            at: now,
            cursor: self.cursor,
            available,
        });
        // The first mark stays as the floor of the others.
        while self
            .marks
            .get(1)
            .is_some_and(|mark| now.since_ms(mark.at) > MARKS_KEPT_MS)
        {
            self.marks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        rate: 600,
        joined: 10_000,
        available: 50_000,
        hold_ms: 600_000,
    };

    fn opened() -> Admission {
        let mut admission = Admission::default();
        admission.open(Timestamp(1_000), TERMS.available);
        admission
    }

    /// Takes every step when it is due, until `end`.
    fn run(admission: &mut Admission, terms: Terms, from: u64, end: u64) {
        let mut now = Timestamp(from);
        while let Some(next) = admission.next_step(terms, now).filter(|next| next.0 <= end) {
            assert!(next >= now);
            now = next;
            admission.step(terms, now);
        }
    }

    #[test]
    fn the_cursor_keeps_the_rate_exactly_over_a_minute_and_never_passes_those_who_wait() {
        for rate in [1, 7, 600, 6_000, 100_000] {
            let terms = Terms {
                rate,
                joined: 1_000_000,
                ..TERMS
            };
            let mut admission = opened();
            run(&mut admission, terms, 1_000, 61_000);
            // The last step may lie up to a step before the minute's end.
            assert!(
                admission.cursor <= rate && admission.cursor + rate / 200 >= rate,
                "{rate}"
            );
        }
        let mut admission = opened();
        run(
            &mut admission,
            Terms {
                joined: 30,
                ..TERMS
            },
            1_000,
            61_000,
        );
        assert_eq!(admission.cursor, 30);
        assert_eq!(
            admission.next_step(
                Terms {
                    joined: 30,
                    ..TERMS
                },
                Timestamp(61_000)
            ),
            None
        );
    }

    #[test]
    fn an_outage_is_followed_by_a_seconds_worth_and_not_by_a_rush() {
        let mut admission = opened();
        assert_eq!(admission.step(TERMS, Timestamp(1_000 + 3_600_000)), 10);
        assert_eq!(admission.step(TERMS, Timestamp(1_000 + 3_600_100)), 1);
    }

    #[test]
    fn a_rate_of_zero_admits_nobody_and_wants_no_tick() {
        let mut admission = opened();
        let terms = Terms { rate: 0, ..TERMS };
        assert_eq!(admission.step(terms, Timestamp(100_000)), 0);
        assert_eq!(admission.next_step(terms, Timestamp(100_000)), None);
    }

    #[test]
    fn nobody_is_admitted_when_nothing_is_left_and_few_when_little_is() {
        let mut admission = opened();
        let none = Terms {
            available: 0,
            ..TERMS
        };
        run(&mut admission, none, 1_000, 100_000);
        assert_eq!(
            (
                admission.cursor,
                admission.next_step(none, Timestamp(100_000))
            ),
            (0, None)
        );

        // Five places: ten people may look at them, the others wait until those have had a hold's
        // length to choose.
        let mut admission = Admission::default();
        admission.open(Timestamp(1_000), 5);
        let few = Terms {
            available: 5,
            ..TERMS
        };
        run(&mut admission, few, 1_000, 300_000);
        assert_eq!(admission.cursor, 10);
        run(&mut admission, few, 300_000, 640_000);
        assert_eq!(admission.cursor, 20);

        // Two of them take a place each: that makes two fewer who choose and two places fewer.
        let fewer = Terms {
            available: 3,
            ..TERMS
        };
        assert_eq!(admission.servable(fewer, Timestamp(640_000)), 0);
    }

    #[test]
    fn reached_tells_when_a_position_came_up_and_only_ever_errs_towards_long_ago() {
        let mut admission = opened();
        run(&mut admission, TERMS, 1_000, 61_000);
        let first = admission.reached(0).expect("position 0 was admitted");
        assert_eq!(first, Timestamp(1_250));
        let later = admission.reached(599).expect("position 599 was admitted");
        assert!(first < later && later <= Timestamp(61_000));
        assert_eq!(admission.reached(admission.cursor), None);
        let end = 61_000 + 3 * PASS_MS;
        let all = Terms {
            joined: 100_000,
            ..TERMS
        };
        run(&mut admission, all, 61_000, end);
        let floor = admission.reached(0).expect("position 0 was admitted");
        assert!(floor.plus_ms(PASS_MS) < Timestamp(end));
        assert!(admission.marks.len() <= (MARKS_KEPT_MS / ADMISSION_STEP_MS) as usize + 2);
    }
}
