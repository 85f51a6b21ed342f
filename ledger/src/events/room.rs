//! The waiting room's turn: people join, the draw comes, the cursor moves, stock is told. The room
//! decides; here it is given what it asks for, and its next turn is noted.

use crate::change::Change;
use crate::due::Due;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::outcome::{Outcome, Receipt, Rejection};
use crate::queue::Room;
use crate::seats::Stock;

impl Ledger {
    /// Puts people into an event's waiting room, in its shard.
    pub(crate) fn join_queue(
        &mut self,
        event: EventId,
        buyers: &[BuyerId],
        now: Timestamp,
    ) -> Outcome {
        let rules = &self
            .events
            .get(&event)
            .ok_or(Rejection::EventUnknown)?
            .plan
            .rules;
        if rules.queue.is_none() {
            return Err(Rejection::QueueNone);
        }
        let room = self.rooms.get_mut(&event).ok_or(Rejection::WrongShard)?;
        let before = room.joined();
        let indexes = room.join(rules, buyers)?;
        let joined = room.joined();
        if joined > before {
            self.note(Change::QueueJoined { event, joined });
        }
        self.note_room_turn(event, now);
        Ok(Receipt::QueueJoined { indexes })
    }

    /// Opens the waiting room of a new event, if it is kept here.
    pub(crate) fn open_room(&mut self, event: EventId, now: Timestamp) {
        let Some(state) = self.events.get(&event) else {
            return;
        };
        let rules = &state.plan.rules;
        if rules.queue.is_some() && rules.room_shard == self.shard {
            self.rooms.insert(event, Room::new(&state.plan));
            self.note_room_turn(event, now);
        }
    }

    /// `Due::Room` has come: the draw, or an admission.
    pub(crate) fn room_due(&mut self, event: EventId, now: Timestamp) {
        if let (Some(state), Some(room)) = (self.events.get(&event), self.rooms.get_mut(&event)) {
            let (drawn, cursor) = (room.drawn().is_some(), room.cursor());
            room.turn(&state.plan.rules, now);
            if !drawn && room.drawn().is_some() {
                let people = room.joined();
                let draw = Change::QueueDrawn { event, people };
                self.journal.note(&mut self.seats, draw);
            }
            if room.cursor() > cursor {
                let cursor = room.cursor();
                let admitted = Change::QueueAdmitted { event, cursor };
                self.journal.note(&mut self.seats, admitted);
            }
        }
        self.note_room_turn(event, now);
    }

    /// `Due::Stock` has come: tells the waiting room what is left here.
    pub(crate) fn stock_due(&mut self, event: EventId, now: Timestamp) {
        let Some(stock) = self.seats.tell_stock(event, now) else {
            return;
        };
        let Some(state) = self.events.get(&event) else {
            return;
        };
        let room = state.plan.rules.room_shard;
        if room == self.shard {
            self.stock_told(self.shard, event, stock, now);
        } else {
            let Stock { available, held } = stock;
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

    /// The waiting room hears what a shard has left.
    pub(crate) fn stock_told(
        &mut self,
        from: ShardId,
        event: EventId,
        stock: Stock,
        now: Timestamp,
    ) {
        if let Some(room) = self.rooms.get_mut(&event) {
            room.stock_told(from, stock);
            self.note_room_turn(event, now);
        }
    }

    /// Keeps the due index true to when the room wants its next turn. To be called after every
    /// change it may depend on.
    pub(crate) fn note_room_turn(&mut self, event: EventId, now: Timestamp) {
        let (Some(state), Some(room)) = (self.events.get_mut(&event), self.rooms.get(&event))
        else {
            return;
        };
        if let Some(at) = state.room_due {
            self.due.clear(at, Due::Room(event));
        }
        state.room_due = room.next_due(&state.plan.rules, now);
        if let Some(at) = state.room_due {
            self.due.set(at, Due::Room(event));
        }
    }
}
