//! Calls to the payment provider: each shard's leader has so many under way, and a call keeps its place
//! until what was said is in the log (`api/src/payments/worker.rs`).

use std::collections::VecDeque;

use super::{Engine, Event};
use crate::model::calendar::Nanos;
use crate::model::request::{Money, Ticket, Whereabouts};

/// Calls of a shard at once: the default of `payments.calls_max`.
pub const CALLS_MAX: usize = 256;

/// A shard's calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    under_way: usize,
    /// Since when so many are under way.
    since: Nanos,
    waiting: VecDeque<(Ticket, Money)>,
}

impl Engine {
    pub(super) fn call(&mut self, ticket: Ticket, shard: usize, money: Money) {
        self.whereabouts(ticket, Whereabouts::Call(shard));
        self.calls[shard].waiting.push_back((ticket, money));
        let now = self.now();
        let window = self.stats.at(now);
        let waiting = self.calls[shard].waiting.len();
        window.calls_waiting_max = window.calls_waiting_max.max(waiting);
        self.next_calls(shard);
    }

    pub(super) fn hang_up(&mut self, shard: usize) {
        self.note_calls(shard);
        // After a change of leaders an answer may come to one that never called.
        self.calls[shard].under_way = self.calls[shard].under_way.saturating_sub(1);
        self.next_calls(shard);
    }

    /// The number of calls under way changes.
    fn note_calls(&mut self, shard: usize) {
        let now = self.now();
        let calls = &mut self.calls[shard];
        let used = (now - calls.since) * calls.under_way as u64;
        calls.since = now;
        self.stats.at(now).calls[shard] += used;
    }

    fn next_calls(&mut self, shard: usize) {
        if self.shards[shard].leader.is_none() {
            return;
        }
        while self.calls[shard].under_way < CALLS_MAX {
            let Some((ticket, money)) = self.calls[shard].waiting.pop_front() else {
                return;
            };
            if self.requests.get(ticket).is_none() {
                continue;
            }
            self.note_calls(shard);
            self.calls[shard].under_way += 1;
            let took = self.money[money as usize].draw(&mut self.delays);
            let epoch = self.shards[shard].epoch;
            self.calendar.after(took, Event::Called(ticket, epoch));
        }
    }

    /// The provider has answered, to whoever leads the shard in that epoch.
    pub(super) fn called(&mut self, ticket: Ticket, epoch: u32) {
        let Some(request) = self.requests.get(ticket) else {
            return;
        };
        let Whereabouts::Call(shard) = request.at else {
            return;
        };
        if self.shards[shard].epoch == epoch {
            self.step(ticket);
        }
    }

    /// A new leader reads what is owed and asks again.
    pub(super) fn call_again(&mut self, shard: usize) {
        let mut owed: VecDeque<(Ticket, Money)> = self
            .requests
            .all()
            .filter(|(_, request)| request.at == Whereabouts::Call(shard))
            .filter_map(
                |(ticket, request)| match request.program.get(request.step - 1) {
                    Some(crate::model::request::Step::Call(money)) => Some((ticket, *money)),
                    _ => None,
                },
            )
            .collect();
        self.note_calls(shard);
        self.calls[shard].under_way = 0;
        std::mem::swap(&mut self.calls[shard].waiting, &mut owed);
        self.next_calls(shard);
    }
}
