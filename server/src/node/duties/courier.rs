//! Carries messages from this shard's outboxes to other shards, and their acknowledgements back.
//!
//! At least once: a delivery whose fate is unknown is repeated, and the receiver's inbox skips
//! what it has. In order: one delivery a destination is under way at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use ledger::limits::MESSAGES_PER_DELIVERY_MAX;
use ledger::message::Message;
use ledger::messages::Outbox;
use ledger::{Command, Receipt, ShardId};
use probes::Bug;
use raft_node::{Client, Duty, Leadership};

use super::{RETRY_PAUSE, propose};
use crate::node::backend::Replicas;

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

/// Some messages on their way.
struct Parcel {
    to: ShardId,
    first: u64,
    messages: Vec<Message>,
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
            let mut busy = BTreeSet::new();
            let mut flights = FuturesUnordered::new();
            loop {
                // Read before the state: entries of consensus' own move it as well, and waiting
                // for more than the machine has seen would never rest.
                let index = applied.borrow().index;
                let parcels: Vec<_> = replica.look(|ledger, _, _| {
                    let waiting = |(to, outbox): &(ShardId, &Outbox)| {
                        !outbox.is_empty() && !busy.contains(to)
                    };
                    let parcel = |(to, outbox): (ShardId, &Outbox)| Parcel {
                        to,
                        first: outbox.first() + forgotten(outbox),
                        messages: outbox
                            .messages()
                            .skip(forgotten(outbox) as usize + left_out(outbox))
                            .take(MESSAGES_PER_DELIVERY_MAX)
                            .cloned()
                            .collect(),
                    };
                    ledger.outboxes().filter(waiting).map(parcel).collect()
                });
                for parcel in parcels {
                    busy.insert(parcel.to);
                    flights.push(carry(lead.client.clone(), from, parcel));
                }
                tokio::select! {
                    biased;
                    Some((to, arrived)) = flights.next(), if !flights.is_empty() => {
                        if arrived || !probes::planted(Bug::CourierStopsAfterError) {
                            busy.remove(&to);
                        }
                    }
                    _ = applied.eventually(|now| now.index > index) => {}
                }
            }
        })
    }
}

/// Older messages that a run may have the courier forget: none.
fn forgotten(outbox: &Outbox) -> u64 {
    if outbox.len() > 1 && probes::planted(Bug::CourierSendsNewestOnly) {
        return outbox.len() as u64 - 1;
    }
    0
}

/// Messages that a run may have the courier leave out: none.
fn left_out(outbox: &Outbox) -> usize {
    usize::from(outbox.len() > 1 && probes::planted(Bug::CourierSkipsMessage))
}

/// Delivers one parcel and acknowledges what has arrived; says whose parcel it was, and whether
/// it arrived.
async fn carry(client: Client, from: ShardId, parcel: Parcel) -> (ShardId, bool) {
    let Parcel {
        to,
        first,
        messages,
    } = parcel;
    let last = first + messages.len() as u64 - 1;
    let deliver = Command::Deliver {
        from,
        first,
        messages,
    };
    let outcome = propose(&client, to, &deliver).await;
    let arrived = outcome.is_some();
    match outcome {
        Some(Ok(Receipt::Delivered { through })) => acknowledge(&client, from, to, through).await,
        // A receiver that is ahead of this (stale) view of the outbox skips what it has, and says
        // through where. One that is behind it would have forgotten what it acknowledged.
        Some(outcome) => {
            tracing::error!(%from, %to, first, ?outcome, "a delivery was refused");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        None if probes::planted(Bug::AcknowledgedOnUnknown) => {
            acknowledge(&client, from, to, last).await;
        }
        None => tokio::time::sleep(RETRY_PAUSE).await,
    }
    (to, arrived)
}

async fn acknowledge(client: &Client, from: ShardId, to: ShardId, through: u64) {
    // Lost, it is repeated: the messages are delivered again, skipped, and acknowledged.
    let outcome = propose(client, from, &Command::Acknowledge { to, through }).await;
    if !matches!(outcome, Some(Ok(Receipt::Acknowledged))) {
        probes::reached(probes::Mark::AcknowledgementLost);
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
