//! Joins, coalesced at each door: one command is under way, and whoever comes meanwhile is in the next,
//! at most 10,000 (`api/src/queue/join.rs`).
//!
//! People come by the slot, as polls do: those of a slot are one piece of CPU work, and stay together.

use std::collections::VecDeque;

use super::{Engine, Notice, Then};
use crate::model::calendar::Nanos;
use crate::model::request::{Class, JOIN_BATCH, Request};

/// People in one command.
pub const JOINS_MAX: u64 = 10_000;

/// People on their way into the waiting room at one door, and when they came.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: VecDeque<(u64, Nanos)>,
    under_way: Vec<(u64, Nanos)>,
    /// Shard of the waiting room.
    room: usize,
}

impl Lane {
    fn take(&mut self) -> u64 {
        let mut people = 0;
        while let Some((count, since)) = self.waiting.pop_front() {
            let fit = count.min(JOINS_MAX - people);
            if fit > 0 {
                self.under_way.push((fit, since));
                people += fit;
            }
            if fit < count {
                self.waiting.push_front((count - fit, since));
                break;
            }
        }
        people
    }

    /// Everybody, when the door dies.
    pub(super) fn leave(&mut self) -> (usize, Vec<(u64, Nanos)>) {
        let mut all = std::mem::take(&mut self.under_way);
        all.extend(std::mem::take(&mut self.waiting));
        (self.room, all)
    }
}

impl Engine {
    /// So many people come to a door within a slot, to join the waiting room of a shard.
    pub fn joins(&mut self, node: usize, room: usize, count: u64) {
        let since = self.now();
        self.joins_since(node, room, count, since);
    }

    pub(super) fn joins_since(&mut self, node: usize, room: usize, count: u64, since: Nanos) {
        if count > 0 {
            self.nodes[node].lane.room = room;
            let cost = self.costs.door.join_us.times(count);
            self.work(node, cost, Then::Enter(count, since));
        }
    }

    pub(super) fn enter(&mut self, node: usize, count: u64, since: Nanos) {
        let lane = &mut self.nodes[node].lane;
        lane.waiting.push_back((count, since));
        if lane.under_way.is_empty() {
            self.next_batch(node);
        }
    }

    fn next_batch(&mut self, node: usize) {
        let lane = &mut self.nodes[node].lane;
        let people = lane.take();
        let mut request = Request::new(Class::Own, JOIN_BATCH, node, lane.room);
        if people > 0 {
            request.people = people;
            self.begin_request(request);
        }
    }

    /// One of the cluster's own requests is done. Of the people in a batch, those of a slot joined one
    /// after the other, so that each waited for half of the slot's work at the door.
    pub(super) fn own_told(&mut self, request: &Request) {
        if request.people == 0 {
            return;
        }
        let now = self.now();
        let batch = std::mem::take(&mut self.nodes[request.door].lane.under_way);
        let mut people = 0;
        for (count, since) in batch {
            let others = self.costs.door.join_us.times(count - 1) / 2;
            self.stats.answered(
                now,
                Class::Join,
                (now - since).saturating_sub(others),
                count,
            );
            people += count;
        }
        self.notices.push_back(Notice::Joined(people));
        self.next_batch(request.door);
    }
}
