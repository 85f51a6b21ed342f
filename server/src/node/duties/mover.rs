//! Brings the cluster to what is wanted of it: looks at every group, does the first safe step, and looks
//! again. Runs where the system group leads, and remembers nothing that matters, so whoever leads next
//! carries on.

use std::sync::Arc;
use std::time::Duration;

use cluster::SYSTEM_GROUP;
use cluster::plan::next;
use futures::future::BoxFuture;
use raft_node::{Duty, Leadership};
use tokio::time::Instant;

use crate::node::backend::Replicas;
use crate::node::members::{BOUNDS, MoverSays, Tenures, act, look};

/// After a step that nobody feels: so that what it changed is seen.
const AFTER_STEP: Duration = Duration::from_millis(100);
/// After one that is felt: so that those who buy get over it. With 50 ms the moves of a whole cluster took
/// a second, and in that second every sixth reservation was slow.
const AFTER_DISTURBANCE: Duration = Duration::from_millis(300);
/// While something waits: for a node to come back, or to catch up.
const WHILE_WAITING: Duration = Duration::from_millis(500);
/// When there is nothing to do; a change of the registry wakes it sooner.
const WHEN_DONE: Duration = Duration::from_secs(2);

/// The duty.
pub struct Mover {
    replicas: Arc<Replicas>,
    says: Arc<MoverSays>,
}

impl Mover {
    /// A mover that reads what is wanted from this catalogue.
    pub fn new(replicas: Arc<Replicas>, says: Arc<MoverSays>) -> Self {
        Self { replicas, says }
    }
}

impl Duty for Mover {
    fn run(&self, lead: Leadership) -> BoxFuture<'static, ()> {
        let (replicas, says) = (self.replicas.clone(), self.says.clone());
        Box::pin(async move {
            if lead.group != SYSTEM_GROUP {
                return;
            }
            let Some(mut applied) = lead.client.applied(lead.group) else {
                return;
            };
            says.forget();
            // Only so that the same is not said over and over.
            let mut told = String::new();
            // Only so that leaders do not come and go with a node that does.
            let mut tenures = Tenures::default();
            loop {
                let index = applied.borrow().index;
                let pause = move_on(&lead, &replicas, &says, &mut told, &mut tenures).await;
                match pause {
                    Pause::Whole(pause) => tokio::time::sleep(pause).await,
                    Pause::AtMost(pause) => {
                        let changed = applied.eventually(|now| now.index > index);
                        // Either way it looks again.
                        let _ = tokio::time::timeout(pause, changed).await;
                    }
                }
            }
        })
    }
}

/// How long until the next look.
enum Pause {
    /// So long, whatever happens.
    Whole(Duration),
    /// Less when the registry changes.
    AtMost(Duration),
}

/// Does the first step that can be done; how long to pause then.
async fn move_on(
    lead: &Leadership,
    replicas: &Replicas,
    says: &MoverSays,
    told: &mut String,
    tenures: &mut Tenures,
) -> Pause {
    let Some(look) = look(&lead.client, replicas).await else {
        return Pause::AtMost(WHEN_DONE);
    };
    let now = Instant::now();
    tenures.note(&look, now);
    let plan = next(&look.registry, &look.seen, BOUNDS);
    let waits: Vec<String> = plan.blocked.iter().map(ToString::to_string).collect();
    let waits = waits.join("; ");
    if waits != *told {
        tracing::info!(waits, "members");
        *told = waits;
    }
    // One group's trouble must not keep the others: their steps do not depend on each other.
    let steps = plan.steps.iter();
    for step in steps.filter(|step| !tenures.is_too_soon(&look, step, now)) {
        match act(&lead.client, &look, step).await {
            Ok(()) => {
                tracing::info!(%step, "moved");
                says.did(step.to_string());
                tenures.moved(step);
                return Pause::Whole(match step.disturbs() {
                    true => AFTER_DISTURBANCE,
                    false => AFTER_STEP,
                });
            }
            Err(why) => {
                tracing::info!(%step, why, "not moved");
                says.failed(step.to_string(), &why);
            }
        }
    }
    match plan.is_finished() {
        true => Pause::AtMost(WHEN_DONE),
        false => Pause::AtMost(WHILE_WAITING),
    }
}
