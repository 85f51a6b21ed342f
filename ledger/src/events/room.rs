//! The waiting room's turn: people join, the draw comes, the cursor moves, stock is told.

use crate::ids::*;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::outcome::{Outcome, Rejection};

impl Ledger {
    pub(crate) fn join_queue(
        &mut self,
        event: EventId,
        _buyers: &[BuyerId],
        _now: Timestamp,
    ) -> Outcome {
        self.events.get(&event).ok_or(Rejection::EventUnknown)?;
        Err(Rejection::QueueNone)
    }

    pub(crate) fn room_due(&mut self, _event: EventId, _now: Timestamp) {}

    /// Tells the waiting room what is left here.
    pub(crate) fn stock_due(&mut self, event: EventId, now: Timestamp) {
        let Some(stock) = self.seats.tell_stock(event, now) else {
            return;
        };
        let Some(state) = self.events.get(&event) else {
            return;
        };
        let room = state.plan.rules.room_shard;
        if room == self.shard {
            self.stock_told(room, event, stock.available, stock.held, now);
        } else {
            let (available, held) = (stock.available, stock.held);
            self.outboxes.send(
                room,
                Message::Stock {
                    event,
                    available,
                    held,
                },
            );
        }
    }

    pub(crate) fn stock_told(
        &mut self,
        _from: ShardId,
        _event: EventId,
        _available: u32,
        _held: u32,
        _now: Timestamp,
    ) {
    }

    pub(crate) fn open_room(&mut self, _event: EventId, _now: Timestamp) {}

    pub(crate) fn rules_changed(&mut self, _event: EventId, _now: Timestamp) {}
}
