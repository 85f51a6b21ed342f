//! The commit point and what follows from it.

use probes::Bug;

use crate::change::Change;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::orders::OrderState;

impl Ledger {
    /// THE COMMIT POINT. One entry at home decides that the order is sold, all of it (P2).
    ///
    /// Before it: every leg is pinned, nothing is sold, the money is at most reserved.
    /// After it: no leg can refuse to be sold, because only home unpins, and home never will. The
    /// attempt's state, moved in the same entry, owes the capture (P4).
    pub(crate) fn commit(&mut self, id: OrderId, now: Timestamp) {
        let order = self
            .orders
            .get_mut(&id)
            .expect("an order that is being paid is not over");
        if matches!(order.state, OrderState::AuthUnknown { .. }) {
            probes::reached(probes::Mark::DoubtThenCommitted);
        }
        let captured = order.amount() == 0;
        order.enter(OrderState::Committed { captured }, &mut self.due);
        let committed = Change::OrderCommitted {
            order: order.reference(),
        };
        self.journal.note(&mut self.seats, committed);
        let local = order.is_local();
        for number in 0..order.legs.len() {
            let leg = order.leg_key(number);
            if local {
                self.seats
                    .sell(leg, now, &mut self.tickets, &mut self.due)
                    .expect("a pinned leg can be sold: no clock ends a pin");
                order.sold_here(number);
            } else {
                self.outboxes
                    .send(order.legs[number].shard, Message::Sell { leg });
            }
        }
        if local {
            self.paid_when_complete(id);
        }
    }

    /// A leg's shard has sold it and issued its tickets.
    pub(crate) fn leg_sold(&mut self, leg: LegKey, tickets: &[TicketId]) {
        let Some(order) = self.orders.get_mut(&leg.order) else {
            return;
        };
        // Committed once, sold once, told once: an order that is past it has heard of every leg.
        if !matches!(order.state, OrderState::Committed { .. }) {
            return;
        }
        let number = usize::from(leg.leg);
        if number >= order.legs.len() {
            return;
        }
        order.note_tickets(number, tickets);
        self.paid_when_complete(leg.order);
    }

    /// The money was taken.
    pub(super) fn captured(&mut self, id: OrderId) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if matches!(order.state, OrderState::Committed { .. }) {
            order.enter(OrderState::Committed { captured: true }, &mut self.due);
            self.paid_when_complete(id);
        }
    }

    fn paid_when_complete(&mut self, id: OrderId) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let sold = order.all_sold() || probes::planted(Bug::PaidBeforeSold);
        if sold && order.state == (OrderState::Committed { captured: true }) {
            order.enter(OrderState::Paid, &mut self.due);
            let paid = Change::OrderPaid {
                order: order.reference(),
                amount: order.amount(),
            };
            self.journal.note(&mut self.seats, paid);
        }
    }
}
