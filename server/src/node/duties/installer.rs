//! Tells every shard of every event: the catalogue owes each shard the newest version until the
//! shard has said that it has it. Runs where the system group leads.

use std::sync::Arc;

use cluster::SYSTEM_GROUP;
use cluster::catalogue::{CatalogueCommand, EventRecord};
use futures::future::{BoxFuture, join_all};
use ledger::{Command, Receipt, Rejection, ShardId};
use probes::Bug;
use raft_node::{Client, Duty, Leadership};

use super::{PROPOSAL_DEADLINE, RETRY_PAUSE, propose};
use crate::node::backend::Replicas;

/// Installations under way at once.
const AT_ONCE: usize = 64;

/// The duty.
pub struct Installer {
    replicas: Arc<Replicas>,
}

impl Installer {
    /// An installer that reads what is owed from this catalogue.
    pub fn new(replicas: Arc<Replicas>) -> Self {
        Self { replicas }
    }
}

impl Duty for Installer {
    fn run(&self, lead: Leadership) -> BoxFuture<'static, ()> {
        let catalogue = self.replicas.catalogue.clone();
        Box::pin(async move {
            if lead.group != SYSTEM_GROUP {
                return;
            }
            let Some(mut applied) = lead.client.applied(lead.group) else {
                return;
            };
            loop {
                let index = applied.borrow().index;
                let owed = catalogue.look(|catalogue, _, _| catalogue.owed(AT_ONCE));
                if owed.is_empty() {
                    applied.eventually(|now| now.index > index).await;
                    continue;
                }
                let tries = owed.into_iter().map(|(shard, record)| {
                    let client = lead.client.clone();
                    async move { install(&client, shard, &record).await }
                });
                if join_all(tries).await.contains(&false) {
                    if probes::planted(Bug::InstallerStopsAfterError) {
                        return;
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        })
    }
}

/// Brings one shard to the record's version and notes it; `false` when that has to be repeated.
async fn install(client: &Client, shard: ShardId, record: &EventRecord) -> bool {
    let plan = &record.plan;
    let (event, version) = (plan.event, plan.version);
    // Rules alone, where the shard has the sections already; the whole plan, where it does not.
    let rules = Command::SetRules {
        event,
        version,
        rules: Box::new(plan.rules.clone()),
    };
    let known = match propose(client, shard, &rules).await {
        Some(Err(Rejection::EventUnknown)) => {
            propose(
                client,
                shard,
                &Command::InstallEvent(Box::new(plan.clone())),
            )
            .await
        }
        other => other,
    };
    match known {
        Some(Ok(Receipt::EventInstalled) | Err(Rejection::VersionOld)) => {
            let note = CatalogueCommand::RecordInstalled {
                event,
                shard,
                version,
            };
            let bytes = cluster::codec::encode_command(&note);
            client
                .propose(SYSTEM_GROUP, bytes, PROPOSAL_DEADLINE)
                .await
                .is_ok()
        }
        Some(outcome) => {
            tracing::error!(%shard, ?outcome, "an event was refused by a shard");
            false
        }
        None => false,
    }
}
