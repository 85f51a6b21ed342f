//! P5: an outage is given back. While holds are live the clock is stamped at least every
//! [`CLOCK_BEAT_MS`](crate::limits::CLOCK_BEAT_MS), so a longer gap in it was an outage, in which
//! nobody could pay.

use probes::Bug;

use crate::change::Change;
use crate::due::Due;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::limits::{EXTENSION_MS_MAX, LEG_MARGIN_MS, OUTAGE_MS};
use crate::message::Message;
use crate::outcome::{Outcome, Receipt};
use crate::seats::LegState;

impl Ledger {
    /// Extends every hold that was live when the clock stood still, at `before`.
    pub(crate) fn extend_holds(&mut self, before: Timestamp, now: Timestamp) -> Outcome {
        let gap = now.since_ms(before);
        if gap <= OUTAGE_MS {
            return Ok(Receipt::HoldsExtended { holds: 0, by_ms: 0 });
        }
        let by_ms = gap.min(EXTENSION_MS_MAX);
        let live: Vec<Due> = self.due.iter().map(|(_, due)| due).collect();
        let mut holds = 0;
        for due in live {
            let extended = match due {
                Due::Order(order) => self.extend_order(order, before, by_ms),
                Due::Leg(leg) => self.extend_leg(leg, before, by_ms),
                Due::Room(_) | Due::Stock(_) => false,
            };
            holds += u32::from(extended);
        }
        let by_ms = if holds == 0 { 0 } else { by_ms };
        Ok(Receipt::HoldsExtended { holds, by_ms })
    }

    fn extend_order(&mut self, id: OrderId, before: Timestamp, by_ms: u64) -> bool {
        let Some(order) = self.orders.get_mut(&id) else {
            return false;
        };
        if !order.is_hold() || before >= order.until {
            return false;
        }
        probes::reached(probes::Mark::HoldExtended);
        let until = order.until.plus_ms(by_ms);
        order.change(&mut self.due, |order| {
            // When it was opened moves along: the door's time to report, and the courier's, stood
            // still as well.
            order.until = until;
        });
        let extended = Change::OrderExtended {
            order: order.reference(),
            until,
        };
        self.journal.note(&mut self.seats, extended);
        for (number, leg) in order.legs.iter().enumerate() {
            let key = order.leg_key(number);
            if order.is_local() {
                self.seats.extend(key, until, &mut self.due);
            } else {
                self.outboxes
                    .send(leg.shard, Message::Extend { leg: key, until });
            }
        }
        true
    }

    fn extend_leg(&mut self, leg: LegKey, before: Timestamp, by_ms: u64) -> bool {
        let Some(until) = self
            .seats
            .leg(leg)
            .filter(|leg| leg.state == LegState::Held)
            .map(|leg| leg.until)
        else {
            return false;
        };
        if before >= until {
            return false;
        }
        self.seats.extend(leg, until.plus_ms(by_ms), &mut self.due);
        true
    }

    /// When this shard lets a leg's hold end by itself. For another shard's order that is long after
    /// the order's deadline: home decides, the clocks of two leaders differ, and word of an
    /// extension may still be under way; nobody must lose a leg to the faster clock.
    pub(crate) fn leg_until(&self, leg: LegKey, until: Timestamp) -> Timestamp {
        if leg.order.home() == self.shard || probes::planted(Bug::LegEndsByItself) {
            until
        } else {
            until.plus_ms(LEG_MARGIN_MS)
        }
    }
}
