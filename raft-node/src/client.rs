//! Commands and linearizable reads, from any node to whichever node leads.
//!
//! A command is tried again, here or elsewhere, only while it is certain that nothing was
//! proposed. Past that point the answer is its outcome or `OutcomeUnknown`, and only the caller,
//! who holds the ids, can repeat it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use probes::Bug;
use prost::Message;
use tokio::sync::oneshot;

use crate::applier::Applied;
use crate::error::{ProposeError, ReadError};
use crate::follow::Followed;
use crate::group::{Group, Leader};
use crate::node::Shared;
use crate::propose::{Answer, Committed, NotCommitted, ReplyTo};
use crate::transport::link::{CallError, Link};
use crate::transport::peer;
use crate::transport::wire::{Kind, Reason, Refused};
use crate::watch;

/// Between two tries at last, unless the leader changes sooner.
const RETRY_EVERY: Duration = Duration::from_millis(50);
/// Before the second try; from then on twice as long each time. Who was just elected opens its door a few
/// milliseconds later, and nobody is told: with 50 ms at once, they were most of what a leader's move cost.
const RETRY_FIRST: Duration = Duration::from_millis(4);

/// Proposes and reads. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

/// How long to wait before the next try.
pub(crate) struct Patience(Duration);

impl Patience {
    pub(crate) fn new() -> Self {
        Self(RETRY_FIRST)
    }

    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(RETRY_EVERY);
        now
    }
}

/// What one try came to.
enum Try<T> {
    Done(T),
    /// Certain that nothing happened; perhaps that node leads.
    Elsewhere(Option<u64>),
}

impl Client {
    /// Commits a command and returns its outcome.
    pub async fn propose(
        &self,
        group: u32,
        command: Bytes,
        deadline: Duration,
    ) -> Result<Committed, ProposeError> {
        let group = self.shared.group(group).ok_or(ProposeError::Stopped)?;
        let (bytes, max) = (command.len(), self.shared.config.command_bytes_max);
        if bytes > max {
            return Err(ProposeError::TooLarge { bytes, max });
        }
        let until = self.now() + deadline;
        let (mut hint, mut patience) = (None, Patience::new());
        loop {
            let leader = *group.leader.borrow();
            let own = self.shared.config.node_id;
            // Whoever refused knows better than our own watch: a leader that hands over refuses, and
            // still leads. Asking it again at once would spin until the other one is elected.
            let named = hint.take().filter(|node| *node != own);
            let tried = if named.is_none() && group.proposer.is_open() {
                self.propose_here(group, command.clone(), until).await?
            } else {
                match named.or(leader.node) {
                    Some(node) if node != own => {
                        self.forward(group, node, command.clone(), until).await?
                    }
                    _ => Try::Elsewhere(None),
                }
            };
            match tried {
                Try::Done(committed) => return Ok(committed),
                Try::Elsewhere(elsewhere) => {
                    self.before_retry(group, leader, elsewhere, until, &mut patience)
                        .await
                        .ok_or(ProposeError::NoLeader)?;
                    hint = elsewhere;
                }
            }
        }
    }

    async fn propose_here(
        &self,
        group: &Group,
        command: Bytes,
        until: Duration,
    ) -> Result<Try<Committed>, ProposeError> {
        let (sender, mut receiver) = oneshot::channel();
        let (node, clock) = (self.shared.config.node_id, &self.shared.platform.clock);
        let followed = Followed::begin(trace::current(), node, clock);
        let reply = ReplyTo::Local(sender, followed);
        let ticket = group.proposer.submit(command, until, reply);
        let left = until.saturating_sub(self.now());
        match tokio::time::timeout(left, &mut receiver).await {
            Ok(Ok(answer)) => judge(answer),
            Ok(Err(_)) => Err(ProposeError::OutcomeUnknown),
            Err(_) if ticket.is_some_and(|ticket| group.proposer.withdraw(ticket)) => {
                probes::reached(probes::Mark::Withdrawn);
                Err(ProposeError::Expired)
            }
            // The answer may have come between the two.
            Err(_) => match receiver.try_recv() {
                Ok(answer) => judge(answer),
                Err(_) => Err(ProposeError::OutcomeUnknown),
            },
        }
    }

    /// Hands a command to a node; `None` when it is certain that nothing was proposed there.
    pub(crate) async fn forward_to(
        &self,
        group: &Group,
        node: u64,
        command: Bytes,
        time: Duration,
    ) -> Result<Option<Committed>, ProposeError> {
        match self
            .forward(group, node, command, self.now() + time)
            .await?
        {
            Try::Done(committed) => Ok(Some(committed)),
            Try::Elsewhere(_) => Ok(None),
        }
    }

    async fn forward(
        &self,
        group: &Group,
        node: u64,
        command: Bytes,
        until: Duration,
    ) -> Result<Try<Committed>, ProposeError> {
        let Some(link) = self.link(group, node) else {
            return Ok(Try::Elsewhere(None));
        };
        let left = until.saturating_sub(self.now());
        match link.call(group.id, Kind::Propose, command, left).await {
            Ok(payload) => match peer::Committed::decode(payload) {
                Ok(committed) => Ok(Try::Done(Committed {
                    group: group.id,
                    index: committed.index,
                    term: committed.term,
                    at_ms: committed.at_ms,
                    outcome: committed.outcome,
                })),
                Err(_) => Err(ProposeError::OutcomeUnknown),
            },
            Err(CallError::Unreachable(_)) => Ok(Try::Elsewhere(None)),
            Err(CallError::Full(_)) => Err(ProposeError::Overloaded),
            Err(CallError::Lost(_) | CallError::TimedOut(_)) => {
                probes::reached(probes::Mark::ForwardLost);
                Err(ProposeError::OutcomeUnknown)
            }
            Err(CallError::Refused(refused)) => match refused.reason {
                Reason::NotLeader | Reason::Stopped | Reason::Foreign => {
                    Ok(Try::Elsewhere(refused.leader))
                }
                Reason::Overloaded => Err(ProposeError::Overloaded),
                Reason::Expired => Err(ProposeError::Expired),
                Reason::NoRoom => Err(ProposeError::NoRoom),
                Reason::TooLarge => Err(ProposeError::TooLarge {
                    bytes: 0,
                    max: self.shared.config.command_bytes_max,
                }),
                Reason::OutcomeUnknown | Reason::Rejected => Err(ProposeError::OutcomeUnknown),
            },
        }
    }

    /// As far as a replica of the group has to be read to see every command acknowledged before
    /// this call. Follow with [`Client::wait_applied`].
    pub async fn read_index(&self, group: u32, deadline: Duration) -> Result<u64, ReadError> {
        let group = self.shared.group(group).ok_or(ReadError::Stopped)?;
        if probes::planted(Bug::ReadFromFollower) {
            return Ok(group.applied.borrow().index);
        }
        let until = self.now() + deadline;
        let (mut hint, mut patience) = (None, Patience::new());
        loop {
            let leader = *group.leader.borrow();
            let node = hint.take().or(leader.node);
            let tried = match node {
                None => Err(None),
                Some(node) => self.ask_read_index(group, node, until).await,
            };
            match tried {
                Ok(index) => return Ok(index),
                Err(elsewhere) => {
                    self.before_retry(group, leader, elsewhere, until, &mut patience)
                        .await
                        .ok_or(ReadError::NoLeader)?;
                    hint = elsewhere;
                }
            }
        }
    }

    /// Asks one node; a read may be asked again after any failure.
    async fn ask_read_index(
        &self,
        group: &Group,
        node: u64,
        until: Duration,
    ) -> Result<u64, Option<u64>> {
        // A leader that lost its quorum cannot answer; somebody else may, sooner than `until`.
        let election = Duration::from_millis(self.shared.config.election_max_ms);
        let left = until.saturating_sub(self.now()).min(election);
        if node == self.shared.config.node_id {
            let asked = tokio::time::timeout(left, group.read_index_here()).await;
            return asked.map_err(|_| None)?.map_err(|refused| refused.leader);
        }
        let link = self.link(group, node).ok_or(None)?;
        let answer = link
            .call(group.id, Kind::ReadIndex, Bytes::new(), left)
            .await;
        match answer {
            Ok(payload) => match peer::ReadIndexReply::decode(payload) {
                Ok(reply) => Ok(reply.index),
                Err(_) => Err(None),
            },
            Err(CallError::Refused(Refused { leader, .. })) => Err(leader),
            Err(_) => Err(None),
        }
    }

    /// Waits until this node's replica has applied `index`.
    pub async fn wait_applied(
        &self,
        group: u32,
        index: u64,
        deadline: Duration,
    ) -> Result<(), ReadError> {
        let group = self.shared.group(group).ok_or(ReadError::Stopped)?;
        match tokio::time::timeout(deadline, group.wait_applied(index)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ReadError::Stopped),
            Err(_) => Err(ReadError::Lagging),
        }
    }

    /// How far this node's replica has applied its log, as it goes on.
    #[must_use]
    pub fn applied(&self, group: u32) -> Option<watch::Receiver<Applied>> {
        Some(self.shared.group(group)?.applied.clone())
    }

    /// Who leads a group as far as this node knows, as it changes.
    #[must_use]
    pub fn leader(&self, group: u32) -> Option<watch::Receiver<Leader>> {
        Some(self.shared.group(group)?.leader.clone())
    }

    /// The link to a member of a group. One that joined later is in nobody's configuration, and
    /// was dialled only by those who led since; the membership says where it is.
    pub(crate) fn link(&self, group: &Group, node: u64) -> Option<Arc<Link>> {
        let links = &self.shared.links;
        links.get(node).or_else(|| {
            let metrics = group.metrics();
            let peer = metrics.membership_config.membership().get_node(&node)?;
            Some(links.reach(node, &peer.addr))
        })
    }

    pub(crate) fn now(&self) -> Duration {
        self.shared.platform.clock.monotonic()
    }

    /// Pauses before another try; at once when somebody else was named. `None` past the deadline.
    pub(crate) async fn before_retry(
        &self,
        group: &Group,
        seen: Leader,
        elsewhere: Option<u64>,
        until: Duration,
        patience: &mut Patience,
    ) -> Option<()> {
        let left = until.saturating_sub(self.now());
        if left.is_zero() {
            return None;
        }
        let news = elsewhere.is_some() && elsewhere != seen.node;
        if !news {
            let patience = patience.next().min(left);
            group.wait_leader_change(seen, patience).await;
        }
        Some(())
    }
}

fn judge(answer: Answer) -> Result<Try<Committed>, ProposeError> {
    match answer {
        Ok(committed) => Ok(Try::Done(committed)),
        Err(NotCommitted::NotLeader(leader)) => Ok(Try::Elsewhere(leader)),
        Err(NotCommitted::Error(error)) => Err(error),
    }
}
