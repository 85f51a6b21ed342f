//! What a node does because it leads a group: one tree of tasks, started when the first entry of
//! its own term is applied, dropped with the leadership, fenced by the term.
//!
//! Having applied an entry of its own term, a leader has applied everything any earlier leader
//! acknowledged: what it reads of the machine from then on is the truth.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use openraft::ServerState;
use probes::Bug;

use crate::client::Client;
use crate::group::{Group, Leader};
use crate::platform::Platform;
use crate::stamp::Stamper;
use crate::tasks::Task;
use crate::transport::departures::Voters;
use crate::watch;

/// A due thing is swept at most so much later than the stamp's clock says.
const TICK_PRECISION: Duration = Duration::from_millis(50);
/// By how much the planted [`Bug::SweepComesLate`] is late.
const SWEEP_LATE_MS: u64 = 5_000;
/// How long a ticker waits when nothing is due: clocks drift, so it looks again.
const TICK_PATIENCE: Duration = Duration::from_secs(1);

/// Work that only a leader does, such as delivering obligations.
pub trait Duty: Send + Sync {
    /// Runs from election to loss of leadership, when it is dropped at its next `.await`. Whatever
    /// it proposes must bear being proposed twice: the next leader starts over.
    fn run(&self, lead: Leadership) -> BoxFuture<'static, ()>;
}

/// One node's leadership of one group in one term.
#[derive(Clone)]
pub struct Leadership {
    /// The group.
    pub group: u32,
    /// The term. Nobody else leads the group in it.
    pub term: u64,
    /// For commands and reads, of this group and of others.
    pub client: Client,
    stamper: Arc<Stamper>,
}

impl Leadership {
    /// The clock that stamps this leader's entries, in ms since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.stamper.now_ms()
    }
}

/// What the supervisor of a group needs.
pub(crate) struct Supervisor {
    pub(crate) group: Arc<Group>,
    pub(crate) platform: Platform,
    pub(crate) client: Client,
    pub(crate) duties: Vec<Arc<dyn Duty>>,
    pub(crate) published: watch::Sender<Leader>,
    pub(crate) voters: watch::Sender<Voters>,
}

impl Supervisor {
    /// Follows the group's leadership until consensus stops, and returns why it did.
    pub(crate) async fn run(self, node: u64) -> String {
        let mut metrics = self.group.raft.server_metrics();
        let mut tree: Option<(u64, Task)> = None;
        loop {
            let (leader, leads, voters) = {
                let seen = metrics.borrow();
                let leader = Leader {
                    node: seen.current_leader,
                    term: seen.vote.leader_id.term,
                };
                let leads = seen.state == ServerState::Leader && seen.vote.committed;
                let voters: Voters = seen.membership_config.voter_ids().collect();
                (leader, leads && leader.node == Some(node), voters)
            };
            if !leads || tree.as_ref().is_some_and(|(term, _)| *term != leader.term) {
                tree = None;
            }
            self.group.proposer.hint(leader.node);
            self.published.publish_if_new(leader);
            self.voters.publish_if_new(voters);
            if leads && tree.is_none() {
                tree = Some((leader.term, Task::spawn(self.lead(leader.term))));
            }
            if metrics.next_change().await.is_err() {
                break;
            }
        }
        match self.group.metrics().running_state {
            Ok(()) => "consensus stopped".to_owned(),
            Err(fatal) => fatal.to_string(),
        }
    }

    fn lead(&self, term: u64) -> impl Future<Output = ()> + Send + 'static {
        let group = self.group.clone();
        let platform = self.platform.clone();
        let client = self.client.clone();
        let duties = self.duties.clone();
        async move {
            let mut applied = group.applied.clone();
            match applied.until(|at| at.term >= term).await {
                Some(at) if at.term == term => {}
                _ => return,
            }
            tracing::info!(group = group.id, term, "leads");
            let stamper = Arc::new(Stamper::new(&platform, group.replica.stamped_ms()));
            let open = group.proposer.open(term);
            let first = group.replica.elected();
            let proposing = open.run(group.raft.clone(), stamper.clone(), first);
            let mut tree = vec![Task::spawn(proposing)];
            if term < 2 || !probes::planted(Bug::SweepLostOnElection) {
                tree.push(Task::spawn(tick(group.clone(), stamper.clone())));
            }
            for duty in duties {
                let lead = Leadership {
                    group: group.id,
                    term,
                    client: client.clone(),
                    stamper: stamper.clone(),
                };
                tree.push(Task::spawn(duty.run(lead)));
            }
            // The tree stands until this task is dropped.
            std::future::pending::<()>().await;
            drop(tree);
        }
    }
}

/// Proposes a sweep whenever the machine's next thing has become due.
async fn tick(group: Arc<Group>, stamper: Arc<Stamper>) {
    let mut applied = group.applied.clone();
    loop {
        let due = applied.borrow().next_due_ms;
        let mut now = stamper.now_ms();
        if due.is_some_and(|due| due <= now) && probes::planted(Bug::SweepComesLate) {
            now -= SWEEP_LATE_MS;
        }
        let wait = match due {
            Some(due) if due <= now => {
                let before = applied.borrow().index;
                let sweep = group.replica.tick();
                let swept = group.proposer.submit_own(sweep).await;
                let progress = matches!(swept, Ok(Ok(_))) && applied.borrow().index > before;
                let still = applied.borrow().next_due_ms;
                if progress && still != Some(due) {
                    continue;
                }
                // Nothing moved: do not spin, whatever the reason.
                TICK_PRECISION
            }
            Some(due) => Duration::from_millis(due - now).min(TICK_PATIENCE),
            None => TICK_PATIENCE,
        };
        tokio::select! {
            biased;
            changed = applied.next_change() => {
                if changed.is_err() {
                    return;
                }
                // Many entries a second must not mean as many looks at the clock.
                if due.is_some() && applied.borrow().next_due_ms == due {
                    tokio::time::sleep(wait.min(TICK_PRECISION)).await;
                }
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
}
