//! Serves a shard's payment obligations: reads what is owed, calls the provider, records what it
//! said. Run by the shard's leader; remembers nothing that matters, so a new leader just starts
//! one. Two at once are harmless: the keys are the same, and stale answers are ignored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ledger::command::Command;
use ledger::payment::{PaymentDue, PaymentResult, PaymentStep};
use ledger::{OrderId, ShardId};
use probes::Bug;
use tokio::time::{Instant, sleep_until};

use super::{
    GatewayAnswer, LookUp, PaymentCall, PaymentGateway, ProviderState, payment_key, step_name,
};
use crate::backend::{Backend, read};
use crate::metrics::Metrics;
use crate::text;

const RECORD_DEADLINE: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
const NO_REPLICA_PAUSE: Duration = Duration::from_secs(1);

/// An obligation's name.
type Key = (OrderId, PaymentStep, u8);

/// What was done about an obligation so far.
struct Progress {
    calling: bool,
    tries: u32,
    /// Not before this moment, ...
    at: Instant,
    /// ... and not before the replica has what was recorded last.
    index: u64,
}

/// On what terms the provider is called.
#[derive(Clone, Debug)]
pub struct PaymentTerms {
    /// The cluster that the keys of calls are derived from: the one in which the state began.
    pub cluster: String,
    /// Calls of one shard at once. A provider that takes 0.5 s for each is asked twice as often a second.
    pub calls_max: usize,
    /// Whether that was another one. What it went on to do after the backup was taken is known to
    /// the provider alone, and a stored answer tells what a key once did, not what became of it:
    /// so every payment is looked up first.
    pub restored: bool,
}

/// Serves until dropped.
pub async fn serve_payments(
    backend: Arc<dyn Backend>,
    gateway: Arc<dyn PaymentGateway>,
    shard: ShardId,
    terms: PaymentTerms,
    metrics: Metrics,
) {
    let worker = Worker {
        backend: &*backend,
        gateway: &*gateway,
        shard,
        cluster: &terms.cluster,
        restored: terms.restored,
        metrics: &metrics,
    };
    let mut progress: HashMap<Key, Progress> = HashMap::new();
    let mut calls = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let free = terms.calls_max.saturating_sub(calls.len());
        let seen = read(worker.backend, shard, |ledger, freshness| {
            let index = freshness.index;
            progress.retain(|(order, step, attempt), known| {
                known.calling
                    || known.index > index
                    || ledger.payment_owed(*order, *attempt) == Some(*step)
            });
            // Those that wait must not hide those that could start.
            let wanted = |order, step, attempt| {
                let known = progress.get(&(order, step, attempt));
                known.is_none_or(|known| known.may_start(now, index))
            };
            (ledger.payments_due_of(free, wanted), index)
        });
        let Some((owed, index)) = seen else {
            tokio::time::sleep(NO_REPLICA_PAUSE).await;
            continue;
        };
        for due in owed {
            let known = progress.entry(name(&due)).or_insert(Progress {
                calling: false,
                tries: 0,
                at: now,
                index: 0,
            });
            known.calling = true;
            calls.push(worker.serve(due));
        }
        let waiting = progress.values().filter(|known| !known.calling);
        let next = waiting.map(|known| known.at).filter(|at| *at > now).min();
        let wake = next.unwrap_or(now + PAUSE_MAX).min(now + PAUSE_MAX);
        tokio::select! {
            biased;
            Some((key, recorded)) = calls.next(), if !calls.is_empty() => {
                if let Some(known) = progress.get_mut(&key) {
                    known.calling = probes::planted(Bug::UnknownNeverAskedAgain);
                    known.index = recorded;
                    known.at = Instant::now() + pause(known.tries);
                    known.tries += 1;
                }
            }
            () = worker.backend.changed(shard, index) => {}
            () = sleep_until(wake) => {}
        }
    }
}

impl Progress {
    fn may_start(&self, now: Instant, index: u64) -> bool {
        !self.calling && self.at <= now && self.index <= index
    }
}

fn name(due: &PaymentDue) -> Key {
    (due.order, due.step, due.attempt)
}

fn pause(tries: u32) -> Duration {
    PAUSE_MIN.saturating_mul(1 << tries.min(10)).min(PAUSE_MAX)
}

#[derive(Clone, Copy)]
struct Worker<'a> {
    backend: &'a dyn Backend,
    gateway: &'a dyn PaymentGateway,
    shard: ShardId,
    cluster: &'a str,
    restored: bool,
    metrics: &'a Metrics,
}

impl Worker<'_> {
    /// Serves one obligation; its name, and the log index of what was recorded (0: nothing).
    async fn serve(self, due: PaymentDue) -> (Key, u64) {
        let key = name(&due);
        let early = due.step == PaymentStep::Capture && probes::planted(Bug::DoneBeforeCall);
        let answer = match early {
            true => GatewayAnswer::Done {
                reference: due.reference.clone(),
            },
            false => self.ask(&due).await,
        };
        let outcome = match answer {
            GatewayAnswer::Done { .. } => "done",
            GatewayAnswer::Refused { .. } => "refused",
            GatewayAnswer::Unknown => "unknown",
        };
        self.metrics.payment_call(step_name(due.step), outcome);
        let result = match answer {
            GatewayAnswer::Done { reference } => PaymentResult::Done { reference },
            GatewayAnswer::Refused { reason } => PaymentResult::Refused { reason },
            // Known to be unknown already: one log entry says it as well as ten.
            GatewayAnswer::Unknown if due.unknown => return (key, 0),
            GatewayAnswer::Unknown => PaymentResult::Unknown,
        };
        let (order, step, attempt) = key;
        let command = Command::RecordPayment {
            order,
            step,
            attempt,
            result,
        };
        match self
            .backend
            .propose(self.shard, command, RECORD_DEADLINE)
            .await
        {
            Ok(committed) => {
                if early {
                    self.ask(&due).await;
                }
                (key, committed.index)
            }
            // Still owed; asking again under the same key gives the same answer.
            Err(error) => {
                probes::reached(probes::Mark::AnswerNotRecorded);
                tracing::debug!(%order, %error, "a payment answer could not be recorded");
                (key, 0)
            }
        }
    }

    async fn ask(self, due: &PaymentDue) -> GatewayAnswer {
        let number = self.number(due);
        let mut call = PaymentCall {
            key: payment_key(self.cluster, due.order, due.step, number),
            order: text::id(due.order.0),
            amount: due.amount,
            currency: due.currency.iter().copied().map(char::from).collect(),
            method: due.method.clone(),
            reference: due.reference.clone(),
        };
        // A cancel may be owed to an authorization whose answer never came: find it first.
        let unsure = due.unknown || self.restored;
        if unsure || (due.step != PaymentStep::Authorize && due.reference.is_empty()) {
            match self.look_up(due, &call).await {
                LookUp::Unknown => return GatewayAnswer::Unknown,
                LookUp::Absent => {
                    probes::reached(probes::Mark::LookedUpInVain);
                    if let Some(answer) = absent(due.step) {
                        return answer;
                    }
                }
                LookUp::Found { reference, state } => match found(due.step, &reference, state) {
                    Some(answer) => {
                        probes::reached(probes::Mark::LookedUp);
                        return answer;
                    }
                    None => call.reference = reference,
                },
            }
        }
        match due.step {
            PaymentStep::Authorize if probes::planted(Bug::CaptureBeforeCommit) => {
                let answer = self.gateway.authorize(&call).await;
                if let GatewayAnswer::Done { reference } = &answer {
                    call.reference.clone_from(reference);
                    self.gateway.capture(&call).await;
                }
                answer
            }
            PaymentStep::Authorize => self.gateway.authorize(&call).await,
            PaymentStep::Capture => self.gateway.capture(&call).await,
            PaymentStep::Cancel => self.gateway.cancel(&call).await,
            PaymentStep::Refund => self.gateway.refund(&call).await,
        }
    }

    /// The number of the try in the keys of its calls.
    fn number(self, due: &PaymentDue) -> u8 {
        if due.unknown && probes::planted(Bug::NewKeyOnRetry) {
            return due.attempt + 100;
        }
        due.attempt
    }

    async fn look_up(self, due: &PaymentDue, call: &PaymentCall) -> LookUp {
        let number = self.number(due);
        let key = payment_key(self.cluster, due.order, PaymentStep::Authorize, number);
        let found = self
            .gateway
            .look_up(&PaymentCall {
                key,
                ..call.clone()
            })
            .await;
        let outcome = match found {
            LookUp::Found { .. } => "done",
            LookUp::Absent => "refused",
            LookUp::Unknown => "unknown",
        };
        self.metrics.payment_call("look_up", outcome);
        found
    }
}

/// What it means that the provider has no such payment; `None`: make the call.
fn absent(step: PaymentStep) -> Option<GatewayAnswer> {
    match step {
        // The first try never got there. The same key again cannot charge twice.
        PaymentStep::Authorize => None,
        // Nothing to undo. Should a late authorization turn up, its webhook has it undone.
        PaymentStep::Cancel => Some(GatewayAnswer::Done {
            reference: String::new(),
        }),
        // It was there when it was authorized: somebody has to look.
        PaymentStep::Capture | PaymentStep::Refund => Some(GatewayAnswer::Unknown),
    }
}

/// What a payment's state says of the call that is owed; `None`: make the call.
fn found(step: PaymentStep, reference: &str, state: ProviderState) -> Option<GatewayAnswer> {
    use ProviderState as State;
    let done = || {
        Some(GatewayAnswer::Done {
            reference: reference.to_owned(),
        })
    };
    let refused = |reason: &str| {
        Some(GatewayAnswer::Refused {
            reason: reason.to_owned(),
        })
    };
    match (step, state) {
        (PaymentStep::Authorize, State::Authorized | State::Captured)
        | (PaymentStep::Capture, State::Captured | State::Refunded)
        | (PaymentStep::Cancel, State::Cancelled | State::Declined | State::Refunded)
        | (PaymentStep::Refund, State::Refunded) => done(),
        (PaymentStep::Authorize, State::Declined) => refused("declined"),
        (PaymentStep::Authorize, State::Cancelled | State::Refunded) => refused("undone"),
        (PaymentStep::Capture, State::Cancelled | State::Declined) => refused("not_capturable"),
        (PaymentStep::Cancel, State::Captured) => refused("captured"),
        (PaymentStep::Refund, State::Cancelled | State::Declined) => refused("not_captured"),
        (PaymentStep::Capture | PaymentStep::Cancel | PaymentStep::Refund, State::Authorized)
        | (PaymentStep::Refund, State::Captured) => None,
    }
}
