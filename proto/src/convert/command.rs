//! Commands.

use ledger::command::*;
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::*;

use super::ids::*;
use super::outcome::{close_reason, close_reason_number, held_leg};
use crate::error::{DecodeError, narrow, required};
use crate::v1;
use crate::v1::command::Kind;

impl From<&Want> for v1::Want {
    fn from(want: &Want) -> Self {
        use v1::want::Kind;
        let kind = match want {
            Want::Seats { section, seats } => Kind::Seats(v1::WantSeats {
                section: section.0.into(),
                seats: seat_numbers(seats.as_slice()),
            }),
            Want::Standing { section, count } => Kind::Standing(v1::WantStanding {
                section: section.0.into(),
                count: (*count).into(),
            }),
            Want::Best {
                sections,
                count,
                accessible,
            } => Kind::Best(v1::WantBest {
                sections: sections.iter().map(|section| section.0.into()).collect(),
                count: (*count).into(),
                accessible: *accessible,
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::Want> for Want {
    type Error = DecodeError;

    fn try_from(want: v1::Want) -> Result<Self, DecodeError> {
        use v1::want::Kind;
        Ok(match required(want.kind, "want")? {
            Kind::Seats(want) => Self::Seats {
                section: section(want.section)?,
                seats: seat_list(&want.seats)?,
            },
            Kind::Standing(want) => Self::Standing {
                section: section(want.section)?,
                count: narrow(want.count, "want.count")?,
            },
            Kind::Best(want) => Self::Best {
                sections: want
                    .sections
                    .into_iter()
                    .map(section)
                    .collect::<Result<_, _>>()?,
                count: narrow(want.count, "want.count")?,
                accessible: want.accessible,
            },
        })
    }
}

pub(super) fn seat_list(numbers: &[u32]) -> Result<SeatList, DecodeError> {
    let mut list = SeatList::default();
    for &number in numbers {
        if !list.push(SeatNo(narrow(number, "seat")?)) {
            return Err(DecodeError::Range("seats"));
        }
    }
    Ok(list)
}

impl From<&LegWant> for v1::LegWant {
    fn from(leg: &LegWant) -> Self {
        Self {
            shard: leg.shard.0.into(),
            want: Some((&leg.want).into()),
        }
    }
}

impl TryFrom<v1::LegWant> for LegWant {
    type Error = DecodeError;

    fn try_from(leg: v1::LegWant) -> Result<Self, DecodeError> {
        Ok(Self {
            shard: shard(leg.shard, "leg.shard")?,
            want: required(leg.want, "leg.want")?.try_into()?,
        })
    }
}

impl From<&OpenOrder> for v1::OpenOrder {
    fn from(open: &OpenOrder) -> Self {
        Self {
            order: Some(id(open.order.0)),
            event: Some(id(open.event.0)),
            buyer: Some(id(open.buyer.0)),
            pass: open.pass.map(|pass| v1::Pass {
                index: pass.index,
                until_ms: pass.until.0,
            }),
            legs: open.legs.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::OpenOrder> for OpenOrder {
    type Error = DecodeError;

    fn try_from(open: v1::OpenOrder) -> Result<Self, DecodeError> {
        Ok(Self {
            order: OrderId(from_id(open.order, "order")?),
            event: EventId(from_id(open.event, "event")?),
            buyer: BuyerId(from_id(open.buyer, "buyer")?),
            pass: open.pass.map(|pass| Pass {
                index: pass.index,
                until: Timestamp(pass.until_ms),
            }),
            legs: open
                .legs
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl From<&HoldLeg> for v1::HoldLeg {
    fn from(hold: &HoldLeg) -> Self {
        Self {
            leg: Some(hold.leg.into()),
            event: Some(id(hold.event.0)),
            buyer: Some(id(hold.buyer.0)),
            want: Some((&hold.want).into()),
            until_ms: hold.until.0,
        }
    }
}

impl TryFrom<v1::HoldLeg> for HoldLeg {
    type Error = DecodeError;

    fn try_from(hold: v1::HoldLeg) -> Result<Self, DecodeError> {
        Ok(Self {
            leg: leg_key(hold.leg)?,
            event: EventId(from_id(hold.event, "event")?),
            buyer: BuyerId(from_id(hold.buyer, "buyer")?),
            want: required(hold.want, "want")?.try_into()?,
            until: Timestamp(hold.until_ms),
        })
    }
}

fn step_number(step: PaymentStep) -> u32 {
    match step {
        PaymentStep::Authorize => 1,
        PaymentStep::Capture => 2,
        PaymentStep::Cancel => 3,
        PaymentStep::Refund => 4,
    }
}

fn step(number: u32) -> Result<PaymentStep, DecodeError> {
    Ok(match number {
        1 => PaymentStep::Authorize,
        2 => PaymentStep::Capture,
        3 => PaymentStep::Cancel,
        4 => PaymentStep::Refund,
        _ => return Err(DecodeError::Missing("step")),
    })
}

fn wire_result(result: &PaymentResult) -> v1::PaymentResult {
    use v1::payment_result::Kind;
    let kind = match result {
        PaymentResult::Done { reference } => Kind::Done(reference.clone()),
        PaymentResult::Refused { reason } => Kind::Refused(reason.clone()),
        PaymentResult::Unknown => Kind::Unknown(v1::Empty {}),
    };
    v1::PaymentResult { kind: Some(kind) }
}

fn result(wire: Option<v1::PaymentResult>) -> Result<PaymentResult, DecodeError> {
    use v1::payment_result::Kind;
    Ok(
        match required(wire.and_then(|result| result.kind), "result")? {
            Kind::Done(reference) => PaymentResult::Done { reference },
            Kind::Refused(reason) => PaymentResult::Refused { reason },
            Kind::Unknown(_) => PaymentResult::Unknown,
        },
    )
}

impl From<&Command> for v1::Command {
    fn from(command: &Command) -> Self {
        let order = |order: &OrderId| Some(id(order.0));
        let kind = match command {
            Command::InstallEvent(plan) => Kind::InstallEvent((&**plan).into()),
            Command::SetRules {
                event,
                version,
                rules,
            } => Kind::SetRules(v1::SetRules {
                event: Some(id(event.0)),
                version: *version,
                rules: Some((&**rules).into()),
            }),
            Command::JoinQueue { event, buyers } => Kind::JoinQueue(v1::JoinQueue {
                event: Some(id(event.0)),
                buyers: pack(buyers.iter().map(|buyer| buyer.0)),
            }),
            Command::OpenOrder(open) => Kind::OpenOrder((&**open).into()),
            Command::HoldLeg(hold) => Kind::HoldLeg((&**hold).into()),
            Command::RecordHeld { order: id, legs } => Kind::RecordHeld(v1::RecordHeld {
                order: order(id),
                legs: legs.iter().map(Into::into).collect(),
            }),
            Command::CloseOrder {
                order: o,
                buyer,
                why,
            } => Kind::CloseOrder(v1::CloseOrder {
                order: order(o),
                buyer: Some(id(buyer.0)),
                why: close_reason_number(*why),
            }),
            Command::StartPayment {
                order: o,
                buyer,
                method,
            } => Kind::StartPayment(v1::StartPayment {
                order: order(o),
                buyer: Some(id(buyer.0)),
                method: method.clone(),
            }),
            Command::RecordPayment {
                order: o,
                step,
                attempt,
                result,
            } => Kind::RecordPayment(v1::RecordPayment {
                order: order(o),
                step: step_number(*step),
                attempt: (*attempt).into(),
                result: Some(wire_result(result)),
            }),
            Command::StartRefund { order: o } => {
                Kind::StartRefund(v1::StartRefund { order: order(o) })
            }
            Command::Deliver {
                from,
                first,
                messages,
            } => Kind::Deliver(v1::Deliver {
                from: from.0.into(),
                first: *first,
                messages: messages.iter().map(Into::into).collect(),
            }),
            Command::Acknowledge { to, through } => Kind::Acknowledge(v1::Acknowledge {
                to: to.0.into(),
                through: *through,
            }),
            Command::Tick => Kind::Tick(v1::Empty {}),
            Command::ExtendHolds => Kind::ExtendHolds(v1::Empty {}),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::Command> for Command {
    type Error = DecodeError;

    fn try_from(command: v1::Command) -> Result<Self, DecodeError> {
        let order = |order| from_id(order, "order").map(OrderId);
        let buyer = |buyer| from_id(buyer, "buyer").map(BuyerId);
        Ok(match required(command.kind, "command")? {
            Kind::InstallEvent(plan) => Self::InstallEvent(Box::new(plan.try_into()?)),
            Kind::SetRules(set) => Self::SetRules {
                event: EventId(from_id(set.event, "event")?),
                version: set.version,
                rules: Box::new(required(set.rules, "rules")?.try_into()?),
            },
            Kind::JoinQueue(join) => Self::JoinQueue {
                event: EventId(from_id(join.event, "event")?),
                buyers: unpack(&join.buyers, "buyers", BuyerId)?,
            },
            Kind::OpenOrder(open) => Self::OpenOrder(Box::new(open.try_into()?)),
            Kind::HoldLeg(hold) => Self::HoldLeg(Box::new(hold.try_into()?)),
            Kind::RecordHeld(record) => Self::RecordHeld {
                order: order(record.order)?,
                legs: record
                    .legs
                    .into_iter()
                    .map(held_leg)
                    .collect::<Result<_, _>>()?,
            },
            Kind::CloseOrder(close) => Self::CloseOrder {
                order: order(close.order)?,
                buyer: buyer(close.buyer)?,
                why: close_reason(close.why)?,
            },
            Kind::StartPayment(start) => Self::StartPayment {
                order: order(start.order)?,
                buyer: buyer(start.buyer)?,
                method: start.method,
            },
            Kind::RecordPayment(record) => Self::RecordPayment {
                order: order(record.order)?,
                step: step(record.step)?,
                attempt: narrow(record.attempt, "attempt")?,
                result: result(record.result)?,
            },
            Kind::StartRefund(start) => Self::StartRefund {
                order: order(start.order)?,
            },
            Kind::Deliver(deliver) => Self::Deliver {
                from: shard(deliver.from, "from")?,
                first: deliver.first,
                messages: deliver
                    .messages
                    .into_iter()
                    .map(TryInto::try_into)
                    .collect::<Result<_, _>>()?,
            },
            Kind::Acknowledge(ack) => Self::Acknowledge {
                to: shard(ack.to, "to")?,
                through: ack.through,
            },
            Kind::Tick(_) => Self::Tick,
            Kind::ExtendHolds(_) => Self::ExtendHolds,
        })
    }
}
