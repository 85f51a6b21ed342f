//! News of a commit rides on the next entries.
//!
//! A leader that commits an entry tells its followers at once, in an append of its own; under load
//! the next entries follow within the same millisecond and carry the same news. So after an append
//! was sent, the next one is not asked for before the log has grown, or a moment has passed. What a
//! follower knows is later by that moment at most; nobody's answer waits for it.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use crate::watch;

/// How long news of a commit waits for company. Far below what a read from a follower states as
/// its age, far above the time between two entries of a busy leader.
const PATIENCE: Duration = Duration::from_millis(5);

/// One session's waiting.
pub(super) struct CommitRide {
    appended: watch::Receiver<u64>,
    /// Index of the last entry sent.
    sent: u64,
    departure: Option<Pin<Box<Sleep>>>,
}

impl CommitRide {
    pub(super) fn new(appended: watch::Receiver<u64>) -> Self {
        Self {
            appended,
            sent: 0,
            departure: None,
        }
    }

    /// An append up to `last` leaves now.
    pub(super) fn sent(&mut self, last: u64) {
        self.sent = last;
        self.departure = Some(Box::pin(tokio::time::sleep(PATIENCE)));
    }

    /// Returns once the next append may be asked for. Cancel-safe.
    pub(super) async fn departs(&mut self) {
        let Some(departure) = &mut self.departure else {
            return;
        };
        let sent = self.sent;
        let grown = self.appended.until(|last| *last > sent);
        tokio::select! {
            biased;
            // A closed log ends the session by other means.
            _ = grown => {}
            () = departure => {}
        }
        self.departure = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn departs_now(ride: &mut CommitRide) -> bool {
        let mut departs = std::pin::pin!(ride.departs());
        let polled = departs
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        polled == Poll::Ready(())
    }

    #[tokio::test]
    async fn news_of_a_commit_waits_for_entries_but_not_for_long() {
        let (log, appended) = watch::channel(7);
        let mut ride = CommitRide::new(appended);
        assert!(
            departs_now(&mut ride),
            "a session's first append never waits"
        );
        ride.sent(7);
        assert!(!departs_now(&mut ride));
        log.publish(8);
        assert!(departs_now(&mut ride), "the log has grown");
        assert!(
            departs_now(&mut ride),
            "and until something is sent nothing waits"
        );
        ride.sent(8);
        assert!(!departs_now(&mut ride));
        tokio::time::sleep(PATIENCE * 2).await;
        assert!(departs_now(&mut ride), "alone, after a moment");
        ride.sent(6);
        assert!(
            departs_now(&mut ride),
            "what is left of a cut append follows at once"
        );
    }
}
