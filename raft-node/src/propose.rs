//! The door to a group's log on its leader: a bounded queue, and whatever queued while the
//! entries before were in flight becomes the next entry, together with what those who were just
//! answered send at once (see [`crate::gather`]).
//!
//! What a proposer says is exact: a command it refuses, or drops from the queue, is certain not
//! to be in the log. One it handed to consensus is answered with its outcome, or as unknown.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use openraft::error::ClientWriteError;
use openraft::raft::ClientWriteResult;
use probes::Bug;
use tokio::sync::{Notify, Semaphore, oneshot};
use trace::Done;

use crate::config::NodeConfig;
use crate::error::ProposeError;
use crate::follow::Followed;
use crate::gather::{self, Gather};
use crate::platform::Clock;
use crate::stamp::Stamper;
use crate::storage::{Level, Room};
use crate::transport::server::Answerer;
use crate::types::{Batch, Callback, Raft, TypeConfig};
use crate::witness::Proposal;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The group.
    pub group: u32,
    /// Position of its entry.
    pub index: u64,
    /// Term of its entry.
    pub term: u64,
    /// Time of its entry's stamp, in ms since the epoch.
    pub at_ms: u64,
    /// What the machine answered.
    pub outcome: Bytes,
}

/// Why a proposer did not commit a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotCommitted {
    /// This node does not lead; nothing was proposed. Perhaps that one does.
    NotLeader(Option<u64>),
    /// Certain, or unknown: see [`ProposeError::certain`].
    Error(ProposeError),
}

pub(crate) type Answer = Result<Committed, NotCommitted>;

/// Where an answer goes.
pub(crate) enum ReplyTo {
    /// A caller in this process.
    Local(oneshot::Sender<Answer>, Option<Box<Followed>>),
    /// A peer that forwarded the command.
    Remote(Answerer, Option<Box<Followed>>),
    /// Nobody: a new leader's first command.
    Nobody,
}

impl ReplyTo {
    fn send(mut self, answer: Answer) {
        let (Self::Local(_, followed) | Self::Remote(_, followed)) = &mut self else {
            return;
        };
        if let Some(followed) = followed.take() {
            followed.end(told(&answer));
        }
        match self {
            // The caller may have stopped waiting.
            Self::Local(caller, _) => drop(caller.send(answer)),
            Self::Remote(answerer, _) => answerer.committed(answer),
            Self::Nobody => {}
        }
    }
}

fn told(answer: &Answer) -> Done {
    match answer {
        Ok(committed) => Done {
            group: Some(committed.group),
            term: committed.term,
            index: committed.index,
            ..Done::default()
        },
        Err(_) => Done {
            failed: true,
            ..Done::default()
        },
    }
}

/// Who wants a command proposed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Client,
    Leader,
}

/// A command in the queue.
struct Waiting {
    ticket: u64,
    command: Bytes,
    /// By the monotonic clock.
    deadline: Duration,
    reply: ReplyTo,
}

#[derive(Default)]
struct Queue {
    /// Rings when so many wait; 0 counts as 1.
    ring_at: usize,
    /// The term this node leads, while it may propose.
    term: Option<u64>,
    leader_hint: Option<u64>,
    /// The leader's own: before all others, so that what is due is swept in time however many wait
    /// (P5, seed 89).
    own: VecDeque<Waiting>,
    /// In order of tickets.
    waiting: VecDeque<Waiting>,
    /// Of both.
    bytes: usize,
    next_ticket: u64,
    /// Batches taken.
    taken: u64,
}

impl Queue {
    fn len(&self) -> usize {
        self.own.len() + self.waiting.len()
    }

    fn first(&mut self) -> &mut VecDeque<Waiting> {
        match self.own.is_empty() {
            true => &mut self.waiting,
            false => &mut self.own,
        }
    }
}

/// One group's queue. Lives as long as the group; open only while this node leads.
pub(crate) struct Proposer {
    group: u32,
    config: Arc<NodeConfig>,
    clock: Arc<dyn Clock>,
    room: Arc<Room>,
    queue: Mutex<Queue>,
    arrived: Notify,
}

impl Proposer {
    pub(crate) fn new(
        group: u32,
        config: Arc<NodeConfig>,
        clock: Arc<dyn Clock>,
        room: Arc<Room>,
    ) -> Arc<Self> {
        Arc::new(Self {
            group,
            config,
            clock,
            room,
            queue: Mutex::new(Queue::default()),
            arrived: Notify::new(),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics with this lock")
    }

    /// True while this node leads and may propose.
    pub(crate) fn is_open(&self) -> bool {
        self.queue().term.is_some()
    }

    /// Queues a command. On refusal the answer was sent and the ticket is `None`.
    pub(crate) fn submit(&self, command: Bytes, deadline: Duration, reply: ReplyTo) -> Option<u64> {
        self.push(command, deadline, reply, Origin::Client)
    }

    /// Queues a command of the leader's own, before all others. They are few and keep promises, and
    /// are never shed.
    pub(crate) fn submit_own(&self, command: Bytes) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let reply = ReplyTo::Local(sender, None);
        self.push(command, Duration::MAX, reply, Origin::Leader);
        receiver
    }

    fn push(
        &self,
        command: Bytes,
        deadline: Duration,
        reply: ReplyTo,
        origin: Origin,
    ) -> Option<u64> {
        let bytes = command.len();
        let mut queue = self.queue();
        if let Err(refused) = self.admit(&queue, bytes, origin) {
            drop(queue);
            reply.send(Err(refused));
            return None;
        }
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.bytes += bytes;
        let line = match origin {
            Origin::Client => &mut queue.waiting,
            Origin::Leader => &mut queue.own,
        };
        line.push_back(Waiting {
            ticket,
            command,
            deadline,
            reply,
        });
        let ring = queue.len() == queue.ring_at.max(1);
        drop(queue);
        if ring {
            self.arrived.notify_one();
        }
        Some(ticket)
    }

    fn admit(&self, queue: &Queue, bytes: usize, origin: Origin) -> Result<(), NotCommitted> {
        let max = self.config.command_bytes_max;
        if bytes > max {
            let error = ProposeError::TooLarge { bytes, max };
            return Err(NotCommitted::Error(error));
        }
        if queue.term.is_none() {
            return Err(NotCommitted::NotLeader(queue.leader_hint));
        }
        // What a leader itself owes is little, and keeps promises.
        if origin == Origin::Leader {
            return Ok(());
        }
        if self.room.level() == Level::Scarce {
            return Err(NotCommitted::Error(ProposeError::NoRoom));
        }
        let full = queue.waiting.len() >= self.config.queue_commands_max
            || queue.bytes + bytes > self.config.queue_bytes_max;
        match full {
            true => Err(NotCommitted::Error(ProposeError::Overloaded)),
            false => Ok(()),
        }
    }

    /// Takes a command back; true when it is certain not to be proposed.
    pub(crate) fn withdraw(&self, ticket: u64) -> bool {
        let mut queue = self.queue();
        let Ok(at) = queue
            .waiting
            .binary_search_by_key(&ticket, |waiting| waiting.ticket)
        else {
            return false;
        };
        let Some(withdrawn) = queue.waiting.remove(at) else {
            return false;
        };
        queue.bytes -= withdrawn.command.len();
        true
    }

    /// Who is said to lead, for those who ask the wrong node.
    pub(crate) fn hint(&self, leader: Option<u64>) {
        self.queue().leader_hint = leader;
    }

    /// Opens the queue for a term. Whoever holds the result leads; dropping it closes the queue
    /// and turns away what still waits in it.
    pub(crate) fn open(self: &Arc<Self>, term: u64) -> Open {
        self.queue().term = Some(term);
        Open {
            proposer: self.clone(),
            term,
        }
    }

    /// How many wait; the bell will ring when there are `count`.
    fn ring_at(&self, count: usize) -> usize {
        let mut queue = self.queue();
        queue.ring_at = count;
        queue.len()
    }

    /// Waits until `count` commands wait.
    async fn reach(&self, count: usize) {
        while self.ring_at(count) < count {
            self.arrived.notified().await;
        }
    }

    /// Waits until a command waits, and then for as long as `patience` until `count` do. True when
    /// they came.
    async fn wait_for(&self, count: usize, patience: Duration) -> bool {
        self.reach(1).await;
        tokio::time::timeout(patience, self.reach(count))
            .await
            .is_ok()
    }

    /// How many wait, and how many entries were made of such as did.
    pub(crate) fn progress(&self) -> (usize, u64) {
        let queue = self.queue();
        (queue.len(), queue.taken)
    }

    /// What goes into the next entry; empty when everything that waited had expired.
    fn take_batch(&self) -> (Vec<Bytes>, Vec<ReplyTo>) {
        let now = self.clock.monotonic();
        let mut commands = Vec::new();
        let mut replies = Vec::new();
        let mut expired = Vec::new();
        let mut bytes = 0;
        {
            let mut queue = self.queue();
            queue.taken += 1;
            while commands.len() < self.config.batch_commands_max {
                let Some(next) = queue.first().front() else {
                    break;
                };
                let size = next.command.len();
                if !commands.is_empty() && bytes + size > self.config.batch_bytes_max {
                    break;
                }
                let Some(next) = queue.first().pop_front() else {
                    break;
                };
                queue.bytes -= size;
                if next.deadline <= now {
                    expired.push(next.reply);
                    continue;
                }
                bytes += size;
                commands.push(next.command);
                replies.push(next.reply);
            }
        }
        for reply in expired {
            probes::reached(probes::Mark::ExpiredInQueue);
            reply.send(Err(NotCommitted::Error(ProposeError::Expired)));
        }
        (commands, replies)
    }
}

/// The right to propose in one term.
pub(crate) struct Open {
    proposer: Arc<Proposer>,
    term: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        let turned_away = {
            let mut queue = self.proposer.queue();
            if queue.term != Some(self.term) {
                return; // A later term has opened it again.
            }
            queue.term = None;
            queue.bytes = 0;
            let own = std::mem::take(&mut queue.own);
            own.into_iter().chain(std::mem::take(&mut queue.waiting))
        };
        for waiting in turned_away {
            probes::reached(probes::Mark::TurnedAway);
            waiting.reply.send(Err(NotCommitted::NotLeader(None)));
        }
    }
}

impl Open {
    /// Proposes batches until it is dropped or consensus stops. `first` goes before all else.
    pub(crate) async fn run(self, raft: Raft, stamper: Arc<Stamper>, first: Option<Bytes>) {
        let proposer = &self.proposer;
        if let Some(witness) = &proposer.config.witness {
            witness.leads(proposer.group, self.term);
        }
        let slots = Arc::new(Semaphore::new(proposer.config.proposals_in_flight));
        let mut first = first;
        let mut gather = Gather::default();
        loop {
            let slot = slots
                .clone()
                .acquire_owned()
                .await
                .expect("this semaphore is never closed");
            let (commands, replies) = match first.take() {
                Some(command) => (vec![command], vec![ReplyTo::Nobody]),
                None => self.next_batch(&mut gather).await,
            };
            let stamp = stamper.stamp();
            if let Some(witness) = &proposer.config.witness {
                witness.proposed(Proposal {
                    group: proposer.group,
                    stamp,
                    commands: &commands,
                });
            }
            let mut in_flight = InFlight {
                group: proposer.group,
                at_ms: stamp.at_ms,
                replies,
            };
            let respond = Callback(Box::new(move |result| {
                in_flight.finish(result);
                drop(slot);
            }));
            let write = raft
                .write(Batch { stamp, commands })
                .with_leader(self.term)
                .responder(respond);
            if write.await.is_err() {
                return; // Consensus stopped; what was in flight is answered as unknown.
            }
        }
    }

    async fn next_batch(&self, gather: &mut Gather) -> (Vec<Bytes>, Vec<ReplyTo>) {
        let proposer = &self.proposer;
        let expected = gather.expected(proposer.ring_at(1));
        let expected = expected.min(proposer.config.gather_commands_max);
        loop {
            let came = proposer.wait_for(expected, gather::PATIENCE).await;
            let batch = proposer.take_batch();
            if !batch.0.is_empty() {
                gather.took(batch.0.len(), came);
                return batch;
            }
        }
    }
}

/// Those who wait for the outcomes of one entry. Dropped unanswered, they hear that the outcome
/// is unknown.
struct InFlight {
    group: u32,
    at_ms: u64,
    replies: Vec<ReplyTo>,
}

impl InFlight {
    fn finish(&mut self, result: ClientWriteResult<TypeConfig>) {
        let replies = std::mem::take(&mut self.replies);
        let refusal = match result {
            Ok(response) => {
                let index = response.log_id.index();
                let term = response.log_id.committed_leader_id().term;
                let mut outcomes = response.data.0;
                if outcomes.len() > 1 && probes::planted(Bug::AnswersSwapped) {
                    outcomes.reverse();
                }
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    reply.send(Ok(Committed {
                        group: self.group,
                        index,
                        term,
                        at_ms: self.at_ms,
                        outcome,
                    }));
                }
                return;
            }
            // Refused before it was appended.
            Err(ClientWriteError::ForwardToLeader(to)) => NotCommitted::NotLeader(to.leader_id),
            // Appended, and then lost or not: nobody here can tell.
            Err(_) => {
                probes::reached(probes::Mark::OverruledInFlight);
                NotCommitted::Error(ProposeError::OutcomeUnknown)
            }
        };
        for reply in replies {
            reply.send(Err(refusal.clone()));
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        for reply in std::mem::take(&mut self.replies) {
            reply.send(Err(NotCommitted::Error(ProposeError::OutcomeUnknown)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Still;

    impl Clock for Still {
        fn now_ms(&self) -> u64 {
            1
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(1)
        }
    }

    fn proposer(batch_commands_max: usize) -> Arc<Proposer> {
        let listen = "127.0.0.1:1".parse().expect("an address");
        let mut config = NodeConfig::new(1, 1, listen, BTreeMap::new(), vec![0]);
        config.batch_commands_max = batch_commands_max;
        Proposer::new(0, Arc::new(config), Arc::new(Still), Arc::default())
    }

    #[test]
    fn what_the_leader_proposes_itself_goes_before_all_who_wait() {
        let proposer = proposer(2);
        let open = proposer.open(1);
        let said = |text: &'static str| Bytes::from_static(text.as_bytes());
        let submit = |text| proposer.submit(said(text), Duration::MAX, ReplyTo::Nobody);
        let first = submit("one").expect("it is open");
        submit("two").expect("it is open");
        submit("three").expect("it is open");
        let swept = proposer.submit_own(said("tick"));
        assert!(proposer.withdraw(first), "it can still be taken back");
        assert_eq!(proposer.take_batch().0, [said("tick"), said("two")]);
        assert_eq!(proposer.take_batch().0, [said("three")]);
        assert_eq!(proposer.queue().bytes, 0);
        drop((open, swept));
    }
}
