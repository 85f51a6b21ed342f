//! What the provider did for the old cluster after the cut.
//!
//! A restored ledger knows every payment up to the cut. Those it had under way it asks for again by
//! itself, under the same keys, looking each up first (`api/src/payments/worker.rs`). Those that began
//! after the cut nobody asks for: the money is held or taken, and no order has it. They are found by
//! going through the provider's list, and given back (P4: charged means seats, or the money goes back).
//!
//! Judged against a restored directory whose node was never started: once a cluster sells, payments
//! of its own are as unknown to a backup as those of the old one. The calls have the keys the
//! cluster itself would use, so a repeat changes nothing, and whoever comes back to pay such an order
//! is told that the try was undone and pays with the next one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use api::payments::{
    GatewayAnswer, PaymentCall, PaymentGateway, SandboxGateway, attempt_of, payment_key,
};
use ledger::payment::PaymentStep;
use ledger::payments::AttemptState;
use ledger::{OrderId, ShardId};
use raft_node::Machine;
use raft_node::platform::Platform;
use raft_node::replay::{self, ReplayError};
use tokio::net::TcpStream;

use super::BackupError;
use crate::audit_client::fetch;
use crate::audit_client::provider::Payment;
use crate::node::backend::Replicas;
use crate::node::config::Config;
use crate::node::lineage;
use crate::node::machines::{CatalogueMachine, LedgerMachine};

/// How long a member may take to show that it is there.
const KNOCK: Duration = Duration::from_millis(500);
const PROVIDER_DEADLINE: Duration = Duration::from_secs(10);

/// What is to be done about a payment; nothing, where both sides agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The restored state has no order that it pays for: by this call it goes back.
    Undo(PaymentStep),
    /// It went back.
    Undone,
    /// Somebody has to look.
    Look(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undo(PaymentStep::Refund) => f.write_str("taken after the cut; to be refunded"),
            Self::Undo(_) => f.write_str("reserved after the cut; to be cancelled"),
            Self::Undone => f.write_str("given back"),
            Self::Look(why) => write!(f, "LOOK: {why}"),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Payments under keys of this lineage.
    pub ours: usize,
    /// Under other keys: not looked at.
    pub others: usize,
    /// Those on which both sides agree.
    pub agree: usize,
    /// The others, and what is to be done.
    pub payments: Vec<(Payment, Verdict)>,
}

impl Found {
    /// How many verdicts are such.
    pub fn count(&self, such: impl Fn(&Verdict) -> bool) -> usize {
        let payments = self.payments.iter();
        payments.filter(|(_, verdict)| such(verdict)).count()
    }
}

/// Judges one payment. `attempt`: where the restored state has it.
pub fn judge(attempt: Option<AttemptState>, status: &str) -> Option<Verdict> {
    use AttemptState as State;
    let look = |why: &str| Some(Verdict::Look(why.to_owned()));
    match (status, attempt) {
        // Asked again under its key by the cluster itself.
        (_, Some(State::Authorizing | State::Cancelling | State::Capturing | State::Refunding)) => {
            None
        }
        ("captured", Some(State::Captured)) => None,
        ("authorized", Some(State::Captured)) => {
            look("the order is paid, and the provider has only reserved the money")
        }
        ("authorized", _) => Some(Verdict::Undo(PaymentStep::Cancel)),
        ("captured", _) => Some(Verdict::Undo(PaymentStep::Refund)),
        ("cancelled" | "refunded" | "declined", Some(State::Captured)) => look(
            "the order is paid, and the money was given back after the cut: refund the order as well, or ask for \
             the money again",
        ),
        ("cancelled" | "refunded" | "declined", _) => None,
        (other, _) => look(&format!("the provider says {other:?}")),
    }
}

/// Goes through the provider's payments; with `apply` gives back what is to be given back.
pub async fn reconcile(config: &Config, apply: bool) -> Result<Found, BackupError> {
    nobody_answers(config).await?;
    let replicas = load(config).await?;
    let url = &config.payments.url;
    let invalid = |why: String| BackupError::Invalid(format!("payments.url: {why}"));
    let listed = fetch::payments(resolve(url)?).await;
    let listed = listed.map_err(|error| BackupError::Cluster(error.to_string()))?;
    let gateway = SandboxGateway::new(url, PROVIDER_DEADLINE).map_err(invalid)?;
    let (lineage, mut found) = (config.lineage().to_string(), Found::default());
    for payment in listed {
        let order = api::text::parse_order(&payment.order);
        let ours = order.and_then(|order| {
            let attempt = attempt_of(&lineage, order, &payment.key)?;
            Some((order, attempt, replicas.ledgers.get(&order.home())?))
        });
        let Some((order, attempt, home)) = ours else {
            found.others += 1;
            continue;
        };
        found.ours += 1;
        let state = home.look(|ledger, _, _| ledger.attempt(order, attempt).map(|a| a.state));
        let verdict = match judge(state, &payment.status) {
            None => {
                found.agree += 1;
                continue;
            }
            Some(Verdict::Undo(step)) if apply => {
                undo(&gateway, &lineage, order, attempt, step, &payment).await
            }
            Some(verdict) => verdict,
        };
        found.payments.push((payment, verdict));
    }
    Ok(found)
}

async fn undo(
    gateway: &dyn PaymentGateway,
    lineage: &str,
    order: OrderId,
    attempt: u8,
    step: PaymentStep,
    payment: &Payment,
) -> Verdict {
    let call = PaymentCall {
        key: payment_key(lineage, order, step, attempt),
        order: payment.order.clone(),
        amount: payment.amount,
        currency: payment.currency.clone(),
        method: String::new(),
        reference: payment.id.clone(),
    };
    let answer = match step {
        PaymentStep::Refund => gateway.refund(&call).await,
        _ => gateway.cancel(&call).await,
    };
    match answer {
        GatewayAnswer::Done { .. } => Verdict::Undone,
        GatewayAnswer::Refused { reason } => {
            Verdict::Look(format!("the provider refused: {reason}"))
        }
        GatewayAnswer::Unknown => Verdict::Look(
            "the provider did not say whether it went back; run this again".to_owned(),
        ),
    }
}

/// The state of a restored directory that was never started.
async fn load(config: &Config) -> Result<Replicas, BackupError> {
    let dir = &config.data_dir;
    if !dir.join("identity").exists() {
        let why = format!(
            "data_dir: {} is no node's directory; restore it first",
            dir.display()
        );
        return Err(BackupError::Invalid(why));
    }
    let failed = |error: ReplayError| BackupError::Cluster(format!("{}: {error}", dir.display()));
    let platform = || Platform::os(dir).map_err(BackupError::file(dir));
    let owner = replay::owner(&platform()?).await.map_err(failed)?;
    if owner != (config.cluster_id.as_u128(), config.node_id) {
        let why = format!("data_dir: {} belongs to another node", dir.display());
        return Err(BackupError::Invalid(why));
    }
    let (system, catalogue) = CatalogueMachine::new();
    let system: Box<dyn Machine> = Box::new(system);
    let mut machines = BTreeMap::from([(cluster::SYSTEM_GROUP, system)]);
    let mut ledgers = BTreeMap::new();
    for shard in (1..=config.shards).map(ShardId) {
        let (machine, ledger) = LedgerMachine::new(shard);
        machines.insert(shard.0.into(), Box::new(machine));
        ledgers.insert(shard, ledger);
    }
    let groups = replay::replay(platform()?, &mut machines, |_, _, _, _| {}).await;
    for group in groups.map_err(failed)? {
        if group.snapshot_index == 0
            || group.applied > group.snapshot_index
            || group.uncommitted > 0
        {
            return Err(BackupError::Invalid(format!(
                "{}: this node was started since it was restored. What the cluster has sold by now cannot be told \
                 from what the old one sold; go through the provider's list by hand",
                dir.display()
            )));
        }
    }
    match catalogue.look(|catalogue, _, _| lineage::judge(catalogue, config)) {
        Some(Ok(())) => Ok(Replicas { catalogue, ledgers }),
        Some(Err(wrong)) => Err(BackupError::Invalid(wrong.to_string())),
        None => Err(BackupError::Invalid(
            "this is no restored cluster".to_owned(),
        )),
    }
}

/// Refuses when a member of the new cluster runs already.
async fn nobody_answers(config: &Config) -> Result<(), BackupError> {
    for peer in &config.peers {
        let knocked = tokio::time::timeout(KNOCK, TcpStream::connect(&peer.addr)).await;
        if matches!(knocked, Ok(Ok(_))) {
            return Err(BackupError::Invalid(format!(
                "node {} answers at {}: the new cluster runs already. Reconcile before the first node is started",
                peer.id, peer.addr
            )));
        }
    }
    Ok(())
}

fn resolve(url: &str) -> Result<SocketAddr, BackupError> {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let found = address.trim_end_matches('/').to_socket_addrs();
    let found = found.ok().and_then(|mut found| found.next());
    found.ok_or_else(|| BackupError::Invalid(format!("payments.url: {url} cannot be resolved")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_without_an_order_goes_back_and_what_the_cluster_will_ask_for_is_left_to_it() {
        use AttemptState as State;
        let cancel = Some(Verdict::Undo(PaymentStep::Cancel));
        let refund = Some(Verdict::Undo(PaymentStep::Refund));
        for known in [
            None,
            Some(State::Declined),
            Some(State::Cancelled),
            Some(State::Settled),
        ] {
            assert_eq!(judge(known, "authorized"), cancel, "{known:?}");
            assert_eq!(judge(known, "captured"), refund, "{known:?}");
            assert_eq!(judge(known, "cancelled"), None, "{known:?}");
            assert_eq!(judge(known, "refunded"), None, "{known:?}");
        }
        for owed in [
            State::Authorizing,
            State::Capturing,
            State::Cancelling,
            State::Refunding,
        ] {
            for status in [
                "authorized",
                "captured",
                "cancelled",
                "refunded",
                "declined",
            ] {
                assert_eq!(judge(Some(owed), status), None, "{owed:?} {status}");
            }
        }
        assert_eq!(judge(Some(State::Captured), "captured"), None);
        for status in ["authorized", "cancelled", "refunded", "strange"] {
            let judged = judge(Some(State::Captured), status);
            assert!(
                matches!(judged, Some(Verdict::Look(_))),
                "{status}: {judged:?}"
            );
        }
        assert_eq!(judge(Some(State::Refunded), "captured"), refund);
    }
}
