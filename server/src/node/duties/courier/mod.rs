//! Carries messages from this shard's outboxes to other shards, and their acknowledgements back.
//!
//! At least once: a delivery whose fate is unknown is repeated, and the receiver's inbox skips
//! what it has. In order: one delivery a destination is under way at a time.

mod way;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use ledger::limits::MESSAGES_PER_DELIVERY_MAX;
use ledger::message::Message;
use ledger::messages::Outbox;
use ledger::{Command, Ledger, Receipt, ShardId};
use probes::Bug;
use raft_node::{Client, Duty, Leadership};
use tokio::time::{Instant, sleep_until};

use super::{RETRY_PAUSE, propose};
use crate::node::backend::Replicas;
use way::Way;

/// The duty, for every shard of this node.
pub struct Courier {
    replicas: Arc<Replicas>,
}

impl Courier {
    /// A courier that reads outboxes from these replicas.
    pub fn new(replicas: Arc<Replicas>) -> Self {
        Self { replicas }
    }
}

impl Duty for Courier {
    fn run(&self, lead: Leadership) -> BoxFuture<'static, ()> {
        let replicas = self.replicas.clone();
        Box::pin(async move {
            let Ok(from) = u16::try_from(lead.group).map(ShardId) else {
                return;
            };
            let Some(replica) = replicas.ledgers.get(&from) else {
                return;
            };
            let Some(mut applied) = lead.client.applied(lead.group) else {
                return;
            };
            if lead.term > 1 && probes::planted(Bug::OutboxLostOnElection) {
                return;
            }
            let mut ways: BTreeMap<ShardId, Way> = BTreeMap::new();
            let mut errands = FuturesUnordered::new();
            loop {
                // Read before the state: entries of consensus' own move it as well, and waiting
                // for more than the machine has seen would never rest.
                let index = applied.borrow().index;
                let now = Instant::now();
                let (leave, wake) = replica.look(|ledger, _, _| plan(ledger, &mut ways, now));
                for errand in leave {
                    errands.push(run(lead.client.clone(), from, errand));
                }
                let due = async {
                    match wake {
                        Some(wake) => sleep_until(wake).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    Some((to, ended)) = errands.next(), if !errands.is_empty() => {
                        ways.entry(to).or_default().note(ended);
                    }
                    _ = applied.eventually(|now| now.index > index) => {}
                    () = due => {}
                }
            }
        })
    }
}

/// What leaves.
enum Errand {
    /// Messages, with the number of the first.
    Parcel {
        to: ShardId,
        first: u64,
        messages: Vec<Message>,
    },
    /// Back to this shard's own log.
    Acknowledgement { to: ShardId, through: u64 },
}

/// What became of it.
enum Ended {
    /// The receiver has everything up to there.
    Arrived(u64),
    /// Who knows.
    Lost,
    Acknowledged,
}

impl Way {
    fn note(&mut self, ended: Ended) {
        match ended {
            Ended::Arrived(through) => {
                self.arrived(through, Instant::now());
                self.carrying = false;
            }
            Ended::Lost => self.carrying = probes::planted(Bug::CourierStopsAfterError),
            Ended::Acknowledged => self.acknowledged(),
        }
    }
}

/// What leaves now, and when to look again though nothing happens.
fn plan(
    ledger: &Ledger,
    ways: &mut BTreeMap<ShardId, Way>,
    now: Instant,
) -> (Vec<Errand>, Option<Instant>) {
    let mut leave = Vec::new();
    let mut wake: Option<Instant> = None;
    for (to, outbox) in ledger.outboxes() {
        if outbox.is_empty() {
            continue;
        }
        let way = ways.entry(to).or_default();
        let kept = outbox.first()..outbox.next();
        if let Some(left) = way.undelivered(&kept) {
            leave.push(parcel(to, outbox, left));
            way.carrying = true;
        }
        if let Some(through) = way.acknowledgement(&kept, now) {
            leave.push(Errand::Acknowledgement { to, through });
            way.acknowledge();
        }
        wake = wake.into_iter().chain(way.wake(&kept)).min();
    }
    (leave, wake)
}

fn parcel(to: ShardId, outbox: &Outbox, left: Range<u64>) -> Errand {
    let several = left.end - left.start > 1;
    let oldest = match several && probes::planted(Bug::CourierSendsNewestOnly) {
        true => left.end - 1,
        false => left.start,
    };
    let left_out = usize::from(several && probes::planted(Bug::CourierSkipsMessage));
    let (first, messages) = outbox.from(oldest, MESSAGES_PER_DELIVERY_MAX);
    Errand::Parcel {
        to,
        first,
        messages: messages.skip(left_out).cloned().collect(),
    }
}

async fn run(client: Client, from: ShardId, errand: Errand) -> (ShardId, Ended) {
    match errand {
        Errand::Parcel {
            to,
            first,
            messages,
        } => (to, deliver(client, from, to, first, messages).await),
        Errand::Acknowledgement { to, through } => {
            acknowledge(client, from, to, through).await;
            (to, Ended::Acknowledged)
        }
    }
}

async fn deliver(
    client: Client,
    from: ShardId,
    to: ShardId,
    first: u64,
    messages: Vec<Message>,
) -> Ended {
    let last = first + messages.len() as u64 - 1;
    let deliver = Command::Deliver {
        from,
        first,
        messages,
    };
    match propose(&client, to, &deliver).await {
        Some(Ok(Receipt::Delivered { through })) => return Ended::Arrived(through),
        None if probes::planted(Bug::AcknowledgedOnUnknown) => return Ended::Arrived(last),
        // A receiver that is ahead of this (stale) view of the outbox skips what it has, and says
        // through where. One that is behind it would have forgotten what it acknowledged.
        Some(outcome) => {
            tracing::error!(%from, %to, first, ?outcome, "a delivery was refused");
        }
        None => {}
    }
    tokio::time::sleep(RETRY_PAUSE).await;
    Ended::Lost
}

async fn acknowledge(client: Client, from: ShardId, to: ShardId, through: u64) {
    // Lost, it is repeated by this courier or, after a delivery that changes nothing, by the next.
    let outcome = propose(&client, from, &Command::Acknowledge { to, through }).await;
    if !matches!(outcome, Some(Ok(Receipt::Acknowledged))) {
        probes::reached(probes::Mark::AcknowledgementLost);
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
