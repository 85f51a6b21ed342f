//! An order is opened at its home: the pass spent, the allowance taken, the legs recorded; and
//! held in the same entry when home owns every leg.

use probes::Bug;

use super::want::check_order;
use super::{LegList, Order, OrderLeg, OrderState};
use crate::buyers::BuyerKey;
use crate::change::{Change, OrderRef};
use crate::command::{CloseReason, HoldLeg, OpenOrder};
use crate::ids::*;
use crate::ledger::Ledger;
use crate::limits::OUTBOX_MAX;
use crate::outcome::{HeldLeg, Outcome, Receipt, Rejection};

impl Ledger {
    pub(crate) fn open_order(&mut self, open: &OpenOrder, now: Timestamp) -> Outcome {
        if let Some(answer) = self.opened_before(open) {
            return answer;
        }
        let plan = &self
            .events
            .get(&open.event)
            .ok_or(Rejection::EventUnknown)?
            .plan;
        plan.selling(now)?;
        if open
            .legs
            .iter()
            .any(|leg| leg.shard != self.shard && self.outboxes.len(leg.shard) >= OUTBOX_MAX)
        {
            return Err(Rejection::Overloaded);
        }
        if open.order.home() != self.shard {
            return Err(Rejection::WrongShard);
        }
        let places = check_order(plan, open)?;
        let key = BuyerKey {
            event: open.event,
            buyer: open.buyer,
        };
        let pass = if plan.rules.queue.is_some() {
            Some(self.buyers.check_pass(key, open.pass, now)?)
        } else {
            None
        };
        self.buyers
            .check_allowance(key, places, plan.rules.buyer_seats_max)?;

        let until = now.plus_ms(plan.rules.hold_ms);
        let local = open.legs.iter().all(|leg| leg.shard == self.shard);
        let order = OrderRef {
            order: open.order,
            event: open.event,
            buyer: open.buyer,
        };
        self.note(Change::OrderOpened { order });
        let (legs, state) = if local {
            let legs = self.hold_in_place(open, now, until)?;
            self.note(Change::OrderHeld { order, until });
            (legs, OrderState::Held)
        } else {
            let wanted = |leg: usize| Ok::<_, Rejection>(OrderLeg::wanted(&open.legs[leg]));
            let legs = LegList::make(open.legs.len(), wanted)?;
            (legs, OrderState::Opening { driven: false })
        };
        let order = Order::open(open, legs, state, now, until);
        let pass = pass.filter(|_| !probes::planted(Bug::PassNotSpent));
        self.buyers.take(key, places, pass);
        if let Some(at) = order.deadline() {
            self.due.set(at, crate::due::Due::Order(order.id));
        }
        let receipt = order.receipt();
        self.orders.insert(order);
        Ok(receipt)
    }

    /// The answer to a repeated request: of the order's present, whatever the sale's state is by
    /// now.
    fn opened_before(&self, open: &OpenOrder) -> Option<Outcome> {
        if let Some(order) = self.orders.get(&open.order)
            && !probes::planted(Bug::RepeatOpensAgain)
        {
            let same = order.same_content(open) || probes::planted(Bug::OtherContentAnswered);
            return Some(if same {
                probes::reached(probes::Mark::OrderOpenedAgain);
                Ok(order.receipt())
            } else {
                probes::reached(probes::Mark::KeyReused);
                Err(Rejection::OrderExistsWithDifferentContent)
            });
        }
        let closed = self.closed.get(open.order)?;
        Some(Err(if closed.same_content(open) {
            probes::reached(probes::Mark::ClosedOrderOpenedAgain);
            Rejection::OrderOver { why: closed.why }
        } else {
            Rejection::OrderExistsWithDifferentContent
        }))
    }

    /// Holds every leg here and now, or none: a refusal undoes the legs before it, so that
    /// nothing at all has changed.
    fn hold_in_place(
        &mut self,
        open: &OpenOrder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LegList, Rejection> {
        let key = |leg: usize| LegKey {
            order: open.order,
            leg: leg as u8,
        };
        LegList::make(open.legs.len(), |leg| {
            let hold = HoldLeg {
                leg: key(leg),
                event: open.event,
                buyer: open.buyer,
                want: open.legs[leg].want.clone(),
                until,
            };
            match self.seats.hold(&hold, now, &mut self.due, false) {
                Ok(held) => Ok(OrderLeg::held_at_once(&open.legs[leg], &held)),
                Err(why) => {
                    probes::reached(probes::Mark::LegsUndone);
                    let kept = leg > 0 && probes::planted(Bug::RefusedOrderKeepsLegs);
                    for taken in 0..if kept { 0 } else { leg } {
                        self.seats.undo(key(taken), now, &mut self.due);
                    }
                    Err(why)
                }
            }
        })
    }

    /// Holds one leg for an order that may live anywhere, or never: doors that drive one order at
    /// the same time must not hear different things, for what one of them promises the other would
    /// take away (P8, seed 12).
    pub(crate) fn hold_leg(&mut self, hold: &HoldLeg, now: Timestamp) -> Outcome {
        match self.try_leg(hold, now) {
            Ok(held) => Ok(Receipt::LegHeld(held)),
            Err(why) if is_final(why) && !probes::planted(Bug::RefusalForgotten) => {
                let LegKey { order, .. } = hold.leg;
                if order.home() == self.shard {
                    self.end_order(order, CloseReason::Refused, now);
                } else {
                    self.seats.refuse(hold.leg, now);
                }
                Ok(Receipt::LegRefused(why))
            }
            Err(why) => Err(why),
        }
    }

    fn try_leg(&mut self, hold: &HoldLeg, now: Timestamp) -> Result<HeldLeg, Rejection> {
        let home = hold.leg.order.home();
        let plan = &self
            .events
            .get(&hold.event)
            .ok_or(Rejection::EventUnknown)?
            .plan;
        super::want::check_leg(plan, self.shard, &hold.want)?;
        if home == self.shard {
            self.wanted_at_home(hold.leg)?;
        }
        // Home's deadline decides whether a hold may begin; only its end has a margin.
        if now >= hold.until && self.seats.leg(hold.leg).is_none() {
            return Err(Rejection::HoldExpired);
        }
        let mut hold = hold.clone();
        hold.until = self.leg_until(hold.leg, hold.until);
        self.seats
            .hold(&hold, now, &mut self.due, home != self.shard)
    }

    /// A leg of our own order is held only while that order stands: its deadline is the order's,
    /// and no other clock would end it.
    fn wanted_at_home(&self, leg: LegKey) -> Result<(), Rejection> {
        match self.orders.get(&leg.order) {
            // Held before: the same answer again.
            Some(_) if self.seats.leg(leg).is_some() => Ok(()),
            Some(order) if order.is_hold() && usize::from(leg.leg) < order.legs.len() => Ok(()),
            Some(_) | None => Err(Rejection::LegOver),
        }
    }
}

/// Whether a refusal depends on the moment, so that another moment could say otherwise. The others
/// are the same for whoever asks.
fn is_final(why: Rejection) -> bool {
    matches!(
        why,
        Rejection::EventUnknown
            | Rejection::HoldExpired
            | Rejection::NotEnoughSeats { .. }
            | Rejection::SeatNotAvailable { .. }
    )
}
