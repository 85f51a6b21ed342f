//! One try: the order is opened at its home, its legs are held, its home is told.

use axum::http::StatusCode;
use futures::future::join_all;
use ledger::command::{CloseReason, Command, HoldLeg, LegWant, OpenOrder, Pass};
use ledger::outcome::{HeldLeg, Receipt};
use ledger::{BuyerId, EventId, LegKey, OrderId, Rejection, Timestamp};
use probes::Bug;
use tokio::time::Instant;

use crate::backend::BackendError;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// What is tried.
pub struct Opening<'a> {
    /// The order's id.
    pub order: OrderId,
    /// The show.
    pub event: EventId,
    /// Who buys.
    pub buyer: BuyerId,
    /// Their pass.
    pub pass: Option<Pass>,
    /// The legs.
    pub legs: &'a [LegWant],
}

/// An order that is held.
pub struct Held {
    /// Until when.
    pub until: Timestamp,
    /// What each leg got.
    pub legs: Vec<HeldLeg>,
}

/// Why a try failed.
pub enum Failure {
    /// The rules say no; nothing is held.
    Refused(Rejection),
    /// Something else.
    Problem(Problem),
}

/// Opens the order and holds its legs. When that cannot be finished in time, a `keyed` request
/// leaves it to its repeat and to the courier; any other gives the order back.
pub async fn open(
    state: &AppState,
    opening: &Opening<'_>,
    keyed: bool,
    deadline: Instant,
) -> Result<Held, Failure> {
    let command = Command::OpenOrder(Box::new(OpenOrder {
        order: opening.order,
        event: opening.event,
        buyer: opening.buyer,
        pass: opening.pass,
        legs: opening.legs.to_vec(),
    }));
    let left = deadline.saturating_duration_since(Instant::now());
    let opened = state
        .backend
        .propose(opening.order.home(), command, left)
        .await;
    let until = match opened
        .map_err(|error| Failure::Problem(lost(error, opening.order)))?
        .outcome
    {
        Ok(Receipt::OrderHeld { until, legs }) => return Ok(Held { until, legs }),
        Ok(Receipt::OrderOpened { until }) => until,
        Ok(_) => return Err(Failure::Problem(strange())),
        Err(why) => return Err(Failure::Refused(why)),
    };
    let holds = opening.legs.iter().enumerate().map(|(number, leg)| {
        let hold = HoldLeg {
            leg: LegKey {
                order: opening.order,
                leg: number as u8,
            },
            event: opening.event,
            buyer: opening.buyer,
            want: leg.want.clone(),
            until,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        state
            .backend
            .propose(leg.shard, Command::HoldLeg(Box::new(hold)), left)
    });
    let mut legs = Vec::with_capacity(opening.legs.len());
    let (mut refused, mut failed) = (None, None);
    for answer in join_all(holds).await {
        match answer.map(|committed| committed.outcome) {
            Ok(Ok(Receipt::LegHeld(held))) => legs.push(held),
            Ok(Ok(Receipt::LegRefused(why)) | Err(why)) => refused = refused.or(Some(why)),
            Ok(Ok(_)) => return Err(Failure::Problem(strange())),
            Err(error) => failed = Some(error),
        }
    }
    match (refused, failed) {
        (Some(_), None) if !legs.is_empty() && probes::planted(Bug::PartHoldToldAsWhole) => {
            Ok(Held { until, legs })
        }
        (Some(why), _) => {
            probes::reached(probes::Mark::OrderCompensated);
            close(state, opening, CloseReason::Refused).await;
            Err(Failure::Refused(why))
        }
        (None, Some(error)) => {
            if !keyed {
                close_later(state, opening).await;
            }
            Err(Failure::Problem(halfway(error, opening.order)))
        }
        (None, None) => {
            record(state, opening.order, legs.clone()).await;
            Ok(Held { until, legs })
        }
    }
}

/// Tells home, beside the answer: home learns it from the courier too, only later.
async fn record(state: &AppState, order: OrderId, legs: Vec<HeldLeg>) {
    later(state, order, Command::RecordHeld { order, legs }).await;
}

/// Gives the order back before the refusal is told, so that the buyer's next try finds the
/// allowance whole. Should it fail: home hears of the refusal from the leg's shard as well.
async fn close(state: &AppState, opening: &Opening<'_>, why: CloseReason) {
    let command = Command::CloseOrder {
        order: opening.order,
        buyer: opening.buyer,
        why,
    };
    let deadline = state.config.limits.deadline;
    if let Err(error) = state
        .backend
        .propose(opening.order.home(), command, deadline)
        .await
    {
        tracing::debug!(order = %opening.order, %error, "left a refused order to the courier");
    }
}

async fn close_later(state: &AppState, opening: &Opening<'_>) {
    let (order, buyer) = (opening.order, opening.buyer);
    later(
        state,
        order,
        Command::CloseOrder {
            order,
            buyer,
            why: CloseReason::Cancelled,
        },
    )
    .await;
}

/// Proposes to the order's home without keeping the caller; with it, when too much runs already.
async fn later(state: &AppState, order: OrderId, command: Command) {
    let owned = state.clone();
    let work = async move {
        let deadline = owned.config.limits.deadline;
        if owned
            .backend
            .propose(order.home(), command, deadline)
            .await
            .is_err()
        {
            owned.metrics.followups_lost.inc();
        }
    };
    if let Err(work) = state.tasks.spawn(work) {
        work.await;
    }
}

/// The home did not answer.
fn lost(error: BackendError, order: OrderId) -> Problem {
    let problem = Problem::from(error);
    if problem.code().entry().0 == StatusCode::GATEWAY_TIMEOUT {
        unknown(order)
    } else {
        problem
    }
}

/// The order is open, and not all legs answered.
fn halfway(error: BackendError, order: OrderId) -> Problem {
    probes::reached(probes::Mark::HalfHeld);
    tracing::debug!(%order, %error, "an order was left half held");
    unknown(order)
}

fn unknown(order: OrderId) -> Problem {
    Problem::new(
        Code::OutcomeUnknown,
        "repeat with the same Idempotency-Key, or ask for the order",
    )
    .with("order_id", text::id(order.0))
    .retry_after_s(1)
}

fn strange() -> Problem {
    Problem::new(Code::Internal, "the ledger answered something else")
}
