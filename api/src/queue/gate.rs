//! Whether somebody may reserve: the pass behind their queue token, as the local replica sees it.

use cluster::catalogue::EventRecord;
use ledger::BuyerId;
use ledger::command::Pass;
use ledger::limits::PASS_MS;
use probes::Bug;

use super::place::Place;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// The pass to reserve with; `None` when the event has no waiting room.
pub fn gate(
    state: &AppState,
    record: &EventRecord,
    buyer: BuyerId,
    token: Option<&str>,
) -> Result<Option<Pass>, Problem> {
    if record.plan.rules.queue.is_none() {
        return Ok(None);
    }
    let token = token.ok_or_else(|| {
        Problem::new(Code::PassRequired, "this event has a waiting room").at("queue_token")
    })?;
    let invalid = |why: &'static str| Problem::new(Code::QueueTokenInvalid, why).at("queue_token");
    let ticket = state
        .queue_tokens
        .verify(token)
        .ok_or_else(|| invalid("this is no queue token of ours"))?;
    if ticket.event != record.plan.event {
        return Err(invalid("this token is for another event"));
    }
    if ticket.buyer != buyer && !probes::planted(Bug::TokenOfAnotherTaken) {
        return Err(invalid("this token belongs to somebody else"));
    }
    let place = state.read(record.plan.rules.room_shard, |ledger, _| {
        let room = ledger.room(record.plan.event)?;
        Some(Place::of(
            room,
            &record.plan.rules,
            ticket.index,
            ledger.now(),
        ))
    })?;
    let waiting =
        || Problem::new(Code::NotAdmittedYet, "your place has not come up yet").retry_after_s(2);
    let mut until = place.and_then(|place| place.until);
    if until.is_none() && probes::planted(Bug::GateAdmitsEverybody) {
        until = Some(state.backend.now().plus_ms(PASS_MS));
    }
    let until = until.ok_or_else(waiting)?;
    if state.backend.now() >= until {
        return Err(Problem::new(Code::PassExpired, "the pass has ended")
            .with("ended_at", text::time(until)));
    }
    Ok(Some(Pass {
        index: ticket.index,
        until,
    }))
}
