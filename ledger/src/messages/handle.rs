//! What each message does on arrival. Its answer, if it has one, goes to the outbox.

use probes::Bug;

use crate::ids::*;
use crate::ledger::Ledger;
use crate::limits::MESSAGES_PER_DELIVERY_MAX;
use crate::message::Message;
use crate::outcome::{Outcome, Receipt, Rejection};
use crate::seats::Stock;

impl Ledger {
    pub(crate) fn deliver(
        &mut self,
        from: ShardId,
        first: u64,
        messages: &[Message],
        now: Timestamp,
    ) -> Outcome {
        if messages.len() > MESSAGES_PER_DELIVERY_MAX || first == 0 {
            return Err(Rejection::Malformed);
        }
        let repeats = self.inboxes.accept(from, first, messages.len())?;
        for message in &messages[repeats..] {
            self.handle(from, message, now);
        }
        Ok(Receipt::Delivered {
            through: self.inboxes.last(from),
        })
    }

    fn handle(&mut self, from: ShardId, message: &Message, now: Timestamp) {
        match message {
            // To a leg. Home is whoever the order's id names.
            Message::Hold(hold) => {
                let answer = match self.hold_leg(hold, now) {
                    Ok(Receipt::LegHeld(held)) => Message::LegHeld {
                        order: hold.leg.order,
                        held,
                    },
                    Ok(Receipt::LegRefused(why)) | Err(why) => {
                        Message::LegRefused { leg: hold.leg, why }
                    }
                    Ok(_) => return,
                };
                self.answer(hold.leg, answer);
            }
            Message::Pin { leg, generation } => {
                let answer = match self.seats.pin(*leg, *generation, now, &mut self.due) {
                    Ok(()) => Message::LegPinned { leg: *leg },
                    Err(_) if probes::planted(Bug::PinRefusalSwallowed) => {
                        Message::LegPinned { leg: *leg }
                    }
                    Err(_) => Message::PinRefused { leg: *leg },
                };
                self.answer(*leg, answer);
            }
            Message::Unpin { leg, until } => {
                let until = self.leg_until(*leg, *until);
                self.seats.unpin(*leg, until, now, &mut self.due);
            }
            Message::Extend { leg, until } => {
                let until = self.leg_until(*leg, *until);
                self.seats.extend(*leg, until, &mut self.due);
            }
            Message::Sell { leg } => self.sell_for_home(*leg, now),
            Message::Release { leg } => {
                self.seats
                    .release(*leg, now, &mut self.tickets, &mut self.due);
            }
            // To an order's home.
            Message::LegHeld { order, held } => self.leg_held(*order, held, now),
            Message::LegRefused { leg, .. } => self.leg_refused(*leg, now),
            Message::LegPinned { leg } => self.leg_pinned(*leg, now),
            Message::PinRefused { leg } => self.pin_refused(*leg, now),
            Message::LegSold { leg, tickets } => self.leg_sold(*leg, tickets),
            // To a waiting room.
            Message::Stock {
                event,
                available,
                held,
            } => {
                let stock = Stock {
                    available: *available,
                    held: *held,
                };
                self.stock_told(from, *event, stock, now);
            }
        }
    }

    fn answer(&mut self, leg: LegKey, answer: Message) {
        self.outboxes.send(leg.order.home(), answer);
    }

    /// Follows the commit point, so the leg is pinned and nothing but home can have unpinned it.
    fn sell_for_home(&mut self, leg: LegKey, now: Timestamp) {
        if let Ok(tickets) = self.seats.sell(leg, now, &mut self.tickets, &mut self.due) {
            self.answer(leg, Message::LegSold { leg, tickets });
        }
    }
}
