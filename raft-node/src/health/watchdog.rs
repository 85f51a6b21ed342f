//! A group that has work and gets nowhere.
//!
//! ```text
//!  commands wait ─► appended ─► written ─► committed ─► applied
//!            Queue           Log        Commit       Apply          which of these stands still
//! ```
//! Standing still is not the same as being slow: any progress at all starts the time anew, and a
//! full disk, which has an alarm of its own, is not counted. What only this process can have caused
//! (its log's thread, its applier, its proposer) is cured, as a last resort, by ending it: others
//! lead meanwhile, and nothing that was promised is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::ServerState;

use crate::applier::index_of;
use crate::client::Client;
use crate::group::Group;
use crate::node::Failure;
use crate::storage::WalCounters;
use crate::watch;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What stands still so many times as long as it takes to be called stuck is ended.
const LAST_RESORT: u32 = 4;

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Commands wait, and the leader proposes none.
    Queue,
    /// Writes wait, and the log completes none.
    Log,
    /// Entries are in the leader's log and a majority answers, and none is committed.
    Commit,
    /// Entries are committed, and none is applied here.
    Apply,
}

impl Cause {
    /// Whether nobody but this process can have caused it.
    fn is_local(self) -> bool {
        self != Self::Commit
    }
}

/// Something that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The group; `None` for the log, which all groups share.
    pub group: Option<u32>,
    /// Where it stands still.
    pub cause: Cause,
    /// For how long.
    pub for_ms: u64,
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.cause {
            Cause::Queue => "proposes nothing though commands wait",
            Cause::Log => "completes no write",
            Cause::Commit => "commits nothing though a majority answers",
            Cause::Apply => "applies nothing of what is committed",
        };
        match self.group {
            Some(group) => write!(f, "group {group} {what}")?,
            None => write!(f, "the log {what}")?,
        }
        write!(f, ", for {} s", self.for_ms / 1_000)
    }
}

/// Where a group, or the log, is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    /// Of each cause: how far it is, while there is something to do.
    at: [Option<u64>; 4],
}

/// Since when what has been where it is.
#[derive(Default)]
struct Judge {
    since: BTreeMap<(Option<u32>, Cause), (u64, Duration)>,
}

const CAUSES: [Cause; 4] = [Cause::Queue, Cause::Log, Cause::Commit, Cause::Apply];

impl Judge {
    /// What has stood still for at least `patience`.
    fn look(
        &mut self,
        now: Duration,
        group: Option<u32>,
        seen: Look,
        patience: Duration,
    ) -> Vec<Stuck> {
        let mut stuck = Vec::new();
        for (cause, at) in CAUSES.into_iter().zip(seen.at) {
            let Some(at) = at else {
                self.since.remove(&(group, cause));
                continue;
            };
            let (was, since) = self.since.entry((group, cause)).or_insert((at, now));
            if *was != at {
                (*was, *since) = (at, now);
            }
            let still = now.saturating_sub(*since);
            if still >= patience {
                let for_ms = still.as_millis() as u64;
                stuck.push(Stuck {
                    group,
                    cause,
                    for_ms,
                });
            }
        }
        stuck
    }
}

/// Watches every group and the log until it is dropped; a node that has to end is a failure.
pub(crate) async fn keep(
    client: Client,
    wal: Arc<WalCounters>,
    failed: watch::Sender<Option<Failure>>,
) {
    let shared = &client.shared;
    let patience = Duration::from_millis(shared.config.stuck_after_ms);
    if patience.is_zero() {
        return;
    }
    let mut judge = Judge::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = client.now();
        // A full disk stands still, and says so itself.
        let full = shared.health.room().waiting() > 0;
        let mut stuck = judge.look(now, None, of_log(&wal, full), patience);
        for group in shared.groups.values() {
            let seen = of_group(group, patience, full);
            stuck.extend(judge.look(now, Some(group.id), seen, patience));
        }
        let before = std::mem::replace(
            &mut *shared.health.stuck.lock().expect(POISONED),
            stuck.clone(),
        );
        tell(&client, &before, &stuck);
        let last_resort = patience * LAST_RESORT;
        let hopeless = stuck.iter().find(|stuck| {
            stuck.cause.is_local() && Duration::from_millis(stuck.for_ms) >= last_resort
        });
        if let Some(hopeless) = hopeless {
            let reason = format!("{hopeless}: this process cannot mend it, a new one may");
            tracing::error!(
                group = hopeless.group,
                reason,
                "this node should exit at once"
            );
            failed.publish(Some(Failure {
                group: hopeless.group,
                reason,
                stuck: true,
            }));
            return;
        }
    }
}

const POISONED: &str = "nothing panics with this lock";

fn of_log(wal: &WalCounters, full: bool) -> Look {
    let (asked, done) = wal.requests();
    let waits = asked > done && !full;
    Look {
        at: [None, waits.then_some(done), None, None],
    }
}

fn of_group(group: &Group, patience: Duration, full: bool) -> Look {
    let metrics = group.metrics();
    let leads = metrics.state == ServerState::Leader && metrics.vote.committed;
    let last = metrics.last_log_index.unwrap_or(0);
    let committed = index_of(&metrics.local_committed);
    let applied = group.applied.borrow().index;
    let (waiting, taken) = group.proposer.progress();
    let voters = metrics.membership_config.membership().voter_ids().count();
    let acked = metrics.last_quorum_acked;
    let heard = voters == 1 || acked.is_some_and(|at| at.into_inner().elapsed() < patience);
    Look {
        at: [
            // With entries on their way it waits for these.
            (leads && waiting > 0 && last == committed && committed == applied).then_some(taken),
            None,
            (leads && heard && last > committed && !full).then_some(committed),
            (committed > applied && !full).then_some(applied),
        ],
    }
}

/// Says what is stuck when it begins to be, with all that is known, and when it is not any more.
fn tell(client: &Client, before: &[Stuck], now: &[Stuck]) {
    let same = |one: &Stuck, other: &Stuck| one.group == other.group && one.cause == other.cause;
    for stuck in now {
        if before.iter().any(|known| same(known, stuck)) {
            continue;
        }
        let group = stuck
            .group
            .and_then(|group| client.shared.groups.get(&group));
        let metrics = group.map(|group| group.metrics().to_string());
        tracing::error!(
            group = stuck.group,
            cause = ?stuck.cause,
            for_ms = stuck.for_ms,
            metrics,
            "stands still although it has work"
        );
    }
    for gone in before
        .iter()
        .filter(|gone| !now.iter().any(|stuck| same(gone, stuck)))
    {
        tracing::warn!(group = gone.group, cause = ?gone.cause, "moves again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn applying(at: Option<u64>) -> Look {
        Look {
            at: [None, None, None, at],
        }
    }

    #[test]
    fn what_has_work_and_does_not_move_is_stuck_and_any_progress_starts_the_time_anew() {
        let mut judge = Judge::default();
        let mut look = |seconds, at| {
            let now = Duration::from_secs(seconds);
            let stuck = judge.look(now, Some(3), applying(at), PATIENCE);
            stuck.first().map(|stuck| (stuck.cause, stuck.for_ms))
        };
        assert_eq!(look(0, Some(7)), None);
        assert_eq!(look(29, Some(7)), None);
        assert_eq!(look(30, Some(7)), Some((Cause::Apply, 30_000)));
        assert_eq!(look(31, Some(8)), None, "it moves");
        assert_eq!(look(60, Some(8)), None);
        assert_eq!(look(61, Some(8)), Some((Cause::Apply, 30_000)));
        assert_eq!(look(62, None), None, "nothing is left to do");
        assert_eq!(look(63, Some(8)), None);
        assert_eq!(look(92, Some(8)), None);
    }

    #[test]
    fn groups_and_causes_are_judged_each_by_itself() {
        let mut judge = Judge::default();
        let both = Look {
            at: [None, None, Some(5), Some(4)],
        };
        assert!(
            judge
                .look(Duration::ZERO, Some(1), both, PATIENCE)
                .is_empty()
        );
        assert!(judge.look(PATIENCE, Some(2), both, PATIENCE).is_empty());
        let stuck = judge.look(PATIENCE, Some(1), both, PATIENCE);
        let causes: Vec<Cause> = stuck.iter().map(|stuck| stuck.cause).collect();
        assert_eq!(causes, [Cause::Commit, Cause::Apply]);
        assert!(!Cause::Commit.is_local() && Cause::Apply.is_local());
    }
}
