//! Which message has which number: what an acknowledgement acknowledges.

use std::collections::BTreeMap;

use ledger::OrderId;
use ledger::message::Message;

use super::step::Letter;

/// A pair of shards: sender, receiver.
type Pair = (u32, u32);

/// Messages seen on their way and not yet acknowledged.
#[derive(Default)]
pub struct Post {
    under_way: BTreeMap<Pair, BTreeMap<u64, (OrderId, Letter)>>,
    /// Numbers that meant two messages: an outbox was told of twice, differently.
    pub changed: Vec<String>,
}

impl Post {
    /// A delivery; what it says of which orders.
    pub fn deliver(
        &mut self,
        from: u32,
        to: u32,
        first: u64,
        messages: &[Message],
    ) -> Vec<(OrderId, Letter)> {
        let box_ = self.under_way.entry((from, to)).or_default();
        let mut said = Vec::new();
        for (number, message) in (first..).zip(messages) {
            let Some(letter) = Letter::of(message) else {
                continue;
            };
            said.push(letter);
            let before = box_.insert(number, letter);
            if before.is_some_and(|before| before != letter) {
                self.changed.push(format!(
                    "message {number} from shard {from} to {to} was {before:?} and is {letter:?}"
                ));
            }
        }
        said
    }

    /// What an acknowledgement up to `through` is about. Kept until [`Post::forget`]: it may have
    /// to be repeated.
    pub fn acknowledged(&self, from: u32, to: u32, through: u64) -> Vec<(OrderId, Letter)> {
        let box_ = self.under_way.get(&(from, to));
        box_.into_iter()
            .flat_map(|box_| box_.range(..=through))
            .map(|(_, letter)| *letter)
            .collect()
    }

    /// The sender has forgotten them.
    pub fn forget(&mut self, from: u32, to: u32, through: u64) {
        if let Some(box_) = self.under_way.get_mut(&(from, to)) {
            *box_ = box_.split_off(&(through + 1));
        }
    }
}
