//! When the next append to a peer leaves.
//!
//! *News of a commit rides on the next entries.* A leader that commits an entry tells its followers
//! at once, in an append of its own; under load the next entries follow within the same millisecond
//! and carry the same news. So after an append was sent, the next one is not asked for before the log
//! has grown, or a moment has passed. What a follower knows is later by that moment at most; nobody's
//! answer waits for it.
//!
//! *A learner gets its entries together.* No commit waits for one, and each append costs it a sync, a
//! frame each way and a dozen wake-ups: those of some milliseconds in one append cost a fraction. All
//! groups' appends to learners leave at the same moments, and share frames and syncs. Behind by an
//! append's worth, a learner gets entries without pause: that is catching up.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::watch;

/// How long news of a commit waits for company. Far below what a read from a follower states as
/// its age, far above the time between two entries of a busy leader.
const VOTER_PATIENCE: Duration = Duration::from_millis(5);
/// How long entries wait for company on their way to a learner, at most.
const LEARNERS_EVERY: Duration = Duration::from_millis(20);

/// Whoever votes in a group, as this node sees it; empty while it knows nobody.
pub(crate) type Voters = BTreeSet<u64>;

/// One session's waiting.
pub(super) struct Departures {
    target: u64,
    appended: watch::Receiver<u64>,
    voters: watch::Receiver<Voters>,
    /// What a learner does not wait for more of.
    entries_max: u64,
    /// Learners' appends leave every [`LEARNERS_EVERY`] from here on.
    began: Instant,
    next: Option<Next>,
}

/// The append after one that was sent.
struct Next {
    /// It leaves when the log has grown past this, ...
    full: u64,
    /// ... or then.
    departure: Pin<Box<Sleep>>,
}

impl Departures {
    /// Of appends to `target` of at most `entries_max` entries. Sessions that `began` at the same moment
    /// send to learners at the same moments.
    pub(super) fn new(
        target: u64,
        appended: watch::Receiver<u64>,
        voters: watch::Receiver<Voters>,
        entries_max: u64,
        began: Instant,
    ) -> Self {
        Self {
            target,
            appended,
            voters,
            entries_max,
            began,
            next: None,
        }
    }

    /// An append up to `last` leaves now.
    pub(super) fn sent(&mut self, last: u64) {
        let now = Instant::now();
        let (more, departure) = match self.votes() {
            true => (0, now + VOTER_PATIENCE),
            false => (self.entries_max - 1, learners_next(self.began, now)),
        };
        self.next = Some(Next {
            full: last + more,
            departure: Box::pin(sleep_until(departure)),
        });
    }

    /// Returns once the next append may be asked for. Cancel-safe.
    pub(super) async fn departs(&mut self) {
        let Some(Next { full, departure }) = &mut self.next else {
            return;
        };
        let full = *full;
        let grown = self.appended.until(|last| *last > full);
        tokio::select! {
            biased;
            // A closed log ends the session by other means.
            _ = grown => {}
            () = departure => {}
        }
        self.next = None;
    }

    fn votes(&self) -> bool {
        let voters = self.voters.borrow();
        voters.is_empty() || voters.contains(&self.target)
    }
}

/// The first of the moments when appends to learners leave that comes after `now`.
fn learners_next(began: Instant, now: Instant) -> Instant {
    let every = LEARNERS_EVERY.as_millis();
    let gone = now.saturating_duration_since(began).as_millis() % every;
    now + Duration::from_millis((every - gone) as u64)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn departs_now(departures: &mut Departures) -> bool {
        let mut departs = std::pin::pin!(departures.departs());
        let polled = departs
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        polled == Poll::Ready(())
    }

    #[tokio::test]
    async fn news_of_a_commit_waits_for_entries_but_not_for_long() {
        let (log, appended) = watch::channel(7);
        let (_voters, voters) = watch::channel(Voters::from([2]));
        let mut departures = Departures::new(2, appended, voters, 64, Instant::now());
        assert!(
            departs_now(&mut departures),
            "a session's first append never waits"
        );
        departures.sent(7);
        assert!(!departs_now(&mut departures));
        log.publish(8);
        assert!(departs_now(&mut departures), "the log has grown");
        assert!(
            departs_now(&mut departures),
            "and until something is sent nothing waits"
        );
        departures.sent(8);
        assert!(!departs_now(&mut departures));
        tokio::time::sleep(VOTER_PATIENCE * 2).await;
        assert!(departs_now(&mut departures), "alone, after a moment");
        departures.sent(6);
        assert!(
            departs_now(&mut departures),
            "what is left of a cut append follows at once"
        );
    }

    #[tokio::test]
    async fn a_learner_gets_entries_together_unless_it_is_behind_and_a_voter_at_once() {
        let (log, appended) = watch::channel(7);
        let (known, voters) = watch::channel(Voters::from([1, 3]));
        let mut departures = Departures::new(2, appended, voters, 64, Instant::now());
        departures.sent(7);
        log.publish(70);
        assert!(!departs_now(&mut departures), "63 more are no append yet");
        tokio::time::sleep(LEARNERS_EVERY * 2).await;
        assert!(departs_now(&mut departures), "but do not wait for ever");
        departures.sent(70);
        log.publish(134);
        assert!(departs_now(&mut departures), "a whole append does not wait");

        known.publish(Voters::from([1, 2, 3]));
        departures.sent(134);
        log.publish(135);
        assert!(departs_now(&mut departures), "it votes now");
    }

    #[test]
    fn appends_to_learners_leave_at_the_same_moments() {
        let began = Instant::now();
        let ms = |ms: u64| began + Duration::from_millis(ms);
        for (now, next) in [(0, 20), (1, 20), (19, 20), (20, 40), (95, 100)] {
            assert_eq!(learners_next(began, ms(now)), ms(next));
        }
    }
}
