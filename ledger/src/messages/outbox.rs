//! Messages that another shard has not acknowledged yet: obligations in the state.

use std::collections::{BTreeMap, VecDeque};

use probes::Bug;

use crate::ids::ShardId;
use crate::message::Message;
use crate::outcome::{Outcome, Receipt, Rejection};

/// Messages to one shard, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outbox {
    first: u64,
    messages: VecDeque<Message>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            first: 1,
            messages: VecDeque::new(),
        }
    }
}

impl Outbox {
    pub(crate) fn restored(first: u64, messages: VecDeque<Message>) -> Self {
        Self { first, messages }
    }

    /// Number of the first message; of the next one ever sent, when it is empty. The first message
    /// of all has number 1.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages, numbered from [`Outbox::first`].
    pub fn messages(&self) -> impl Iterator<Item = &Message> + '_ {
        self.messages.iter()
    }

    /// At most `limit` messages from number `number` on, with the number of the first of them.
    pub fn from(&self, number: u64, limit: usize) -> (u64, impl Iterator<Item = &Message> + '_) {
        let skipped = number
            .saturating_sub(self.first)
            .min(self.messages.len() as u64);
        (
            self.first + skipped,
            self.messages.iter().skip(skipped as usize).take(limit),
        )
    }

    /// Number the next message will get.
    pub fn next(&self) -> u64 {
        self.first + self.messages.len() as u64
    }
}

/// All outboxes of a shard.
#[derive(Clone, Debug, Default)]
pub struct Outboxes {
    boxes: BTreeMap<ShardId, Outbox>,
}

impl Outboxes {
    /// The outbox to one shard.
    pub fn get(&self, to: ShardId) -> Option<&Outbox> {
        self.boxes.get(&to)
    }

    /// Every outbox, by receiver, empty ones included.
    pub fn iter(&self) -> impl Iterator<Item = (ShardId, &Outbox)> + '_ {
        self.boxes.iter().map(|(to, outbox)| (*to, outbox))
    }

    pub(crate) fn len(&self, to: ShardId) -> usize {
        self.boxes.get(&to).map_or(0, Outbox::len)
    }

    pub(crate) fn restore(&mut self, to: ShardId, outbox: Outbox) {
        self.boxes.insert(to, outbox);
    }

    /// Owes `message` to `to`. Never refused: only new orders are, when a box is too full.
    pub(crate) fn send(&mut self, to: ShardId, message: Message) {
        self.boxes
            .entry(to)
            .or_default()
            .messages
            .push_back(message);
    }

    /// The receiver has everything up to `through`.
    pub(crate) fn acknowledge(&mut self, to: ShardId, through: u64) -> Outcome {
        let Some(outbox) = self.boxes.get_mut(&to) else {
            return Err(Rejection::DeliveryGap { expected: 1 });
        };
        if through >= outbox.next() {
            return Err(Rejection::DeliveryGap {
                expected: outbox.next(),
            });
        }
        while outbox.first <= through {
            outbox.messages.pop_front();
            outbox.first += 1;
        }
        if !outbox.is_empty() && probes::planted(Bug::AcknowledgeForgetsOneMore) {
            outbox.messages.pop_front();
            outbox.first += 1;
        }
        Ok(Receipt::Acknowledged)
    }
}
