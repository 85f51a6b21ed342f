//! Shards' logs: entries from a leader to a majority of disks, and what it costs whom.
//!
//! Every living node but the leader receives, syncs and applies every entry; voters' disks count. Costs that
//! a node has beside the way of an entry (applying it on the others) load its cores and delay nobody.

use super::{Engine, Event, Then};
use crate::model::calendar::Nanos;
use crate::model::placement::Place;
use crate::model::proposer::{Bounds, Next, Proposer, patience};
use crate::model::request::Ticket;

/// Names an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) shard: usize,
    epoch: u32,
    id: u64,
}

/// Who waits for a sync.
#[derive(Clone, Copy, Debug)]
pub(super) enum Written {
    Own(Flight),
    Replica(Flight),
}

/// An entry that is not yet applied.
#[derive(Debug)]
struct Entry {
    id: u64,
    commands: Vec<Ticket>,
    people: u64,
    synced: usize,
    committed: bool,
}

/// A Raft group.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) voters: Vec<usize>,
    pub(super) leader: Option<usize>,
    /// Leaders so far; what belongs to an earlier one is void.
    pub(super) epoch: u32,
    pub(super) proposer: Proposer<Ticket>,
    /// Commands of doors that know of no leader.
    pub(super) parked: Vec<Ticket>,
    entries: Vec<Entry>,
    made: u64,
}

impl Shard {
    pub(super) fn new(place: &Place, bounds: Bounds) -> Self {
        Self {
            voters: place.voters.clone(),
            leader: Some(place.leader),
            epoch: 0,
            proposer: Proposer::new(bounds),
            parked: Vec::new(),
            entries: Vec::new(),
            made: 0,
        }
    }

    fn entry(&mut self, flight: Flight) -> Option<&mut Entry> {
        if flight.epoch != self.epoch {
            return None;
        }
        self.entries.iter_mut().find(|entry| entry.id == flight.id)
    }

    /// Nobody leads any more: whatever was not applied is nowhere.
    pub(super) fn depose(&mut self, bounds: Bounds) {
        self.leader = None;
        self.epoch += 1;
        self.entries.clear();
        self.proposer = Proposer::new(bounds);
    }
}

impl Engine {
    /// A command into its leader's queue.
    pub(super) fn queue(&mut self, ticket: Ticket, shard: usize) {
        let next = self.shards[shard].proposer.push(ticket);
        let waiting = self.shards[shard].proposer.waiting();
        let now = self.now();
        let window = self.stats.at(now);
        window.queue_max = window.queue_max.max(waiting);
        self.go(shard, next);
    }

    pub(super) fn patience_over(&mut self, shard: usize, epoch: u32, timer: u64) {
        if self.shards[shard].epoch == epoch {
            let next = self.shards[shard].proposer.rang(timer);
            self.go(shard, next);
        }
    }

    fn go(&mut self, shard: usize, mut next: Next) {
        loop {
            match next {
                Next::Nothing => return,
                Next::Patience(timer) => {
                    let wait = patience(self.now());
                    let epoch = self.shards[shard].epoch;
                    self.calendar
                        .after(wait, Event::Patience(shard, epoch, timer));
                    return;
                }
                Next::Take => {
                    let (commands, then) = self.shards[shard].proposer.take();
                    self.close(shard, commands);
                    next = then;
                }
            }
        }
    }

    /// The leader makes an entry.
    fn close(&mut self, shard: usize, commands: Vec<Ticket>) {
        let people = commands
            .iter()
            .filter_map(|ticket| self.requests.get(*ticket).map(|it| it.people));
        let people = people.sum();
        let count = commands.len() as u64;
        let now = self.now();
        let window = self.stats.at(now);
        window.entries += 1;
        window.commands += count;
        window.entry_max = window.entry_max.max(count);
        let replicas = (0..self.nodes.len()).filter(|node| self.follows(shard, *node));
        let others = replicas.count().saturating_sub(1) as u64;
        let costs = &self.costs;
        let cost = costs.entry.leader_us.ns()
            + costs.entry.leader_per_replica_us.times(others) / 2
            + costs.command.leader_us.times(count)
            + costs.person.leader_us.times(people);
        let state = &mut self.shards[shard];
        let Some(leader) = state.leader else {
            return;
        };
        state.made += 1;
        let flight = Flight {
            shard,
            epoch: state.epoch,
            id: state.made,
        };
        state.entries.push(Entry {
            id: flight.id,
            commands,
            people,
            synced: 0,
            committed: false,
        });
        self.stats.at(now).serial[shard] += cost;
        self.work(leader, cost, Then::Made(flight));
    }

    /// The entry leaves for the leader's disk and for everybody else at once.
    pub(super) fn made(&mut self, flight: Flight) {
        let state = &mut self.shards[flight.shard];
        let Some(leader) = state.leader else {
            return;
        };
        let Some(entry) = state.entry(flight) else {
            return;
        };
        let (count, people) = (entry.commands.len() as u64, entry.people);
        let costs = &self.costs;
        let take = costs.entry.replica_us.ns()
            + costs.command.replica_us.times(count)
            + costs.person.replica_us.times(people);
        let apply = costs.command.replica_apply_us.times(count)
            + costs.person.replica_apply_us.times(people);
        let bytes =
            costs.entry.bytes.0 + costs.command.bytes.0 * count + costs.person.bytes.0 * people;
        self.write(leader, Written::Own(flight));
        let now = self.now();
        for node in 0..self.nodes.len() {
            if node != leader && self.follows(flight.shard, node) {
                self.stats.at(now).sent[leader] += bytes;
                self.send(leader, node, take, Then::Taken(flight, apply));
            }
        }
    }

    pub(super) fn write(&mut self, node: usize, written: Written) {
        if self.nodes[node].disk.write(written) {
            self.work(node, self.costs.sync.cpu_us.ns(), Then::Syncing);
        }
    }

    pub(super) fn syncing(&mut self, node: usize) {
        let took = self.sync.draw(&mut self.delays);
        self.calendar.after(took, Event::Synced(node, took));
    }

    pub(super) fn synced(&mut self, node: usize, took: Nanos) {
        if !self.nodes[node].alive {
            return;
        }
        let now = self.now();
        self.stats.at(now).disk[node] += took;
        let (durable, again) = self.nodes[node].disk.synced();
        if again {
            self.work(node, self.costs.sync.cpu_us.ns(), Then::Syncing);
        }
        let heard = self.costs.entry.leader_per_replica_us.ns() / 2;
        for written in durable {
            match written {
                Written::Own(flight) => self.heard(flight, node),
                Written::Replica(flight) => {
                    if let Some(leader) = self.shards[flight.shard].leader {
                        self.send(node, leader, heard, Then::Heard(flight, node));
                    }
                }
            }
        }
    }

    /// A node has an entry on its disk.
    pub(super) fn heard(&mut self, flight: Flight, from: usize) {
        let state = &mut self.shards[flight.shard];
        if !state.voters.contains(&from) {
            return;
        }
        let majority = state.voters.len() / 2 + 1;
        let leader = state.leader;
        let Some(entry) = state.entry(flight) else {
            return;
        };
        entry.synced += 1;
        if entry.committed || entry.synced < majority {
            return;
        }
        entry.committed = true;
        let (count, people) = (entry.commands.len() as u64, entry.people);
        let cost =
            self.costs.command.apply_us.times(count) + self.costs.person.apply_us.times(people);
        if let Some(leader) = leader {
            let now = self.now();
            self.stats.at(now).serial[flight.shard] += cost;
            self.work(leader, cost, Then::Applied(flight));
        }
    }

    /// The leader has applied an entry: its callers hear, and the next may leave.
    pub(super) fn applied(&mut self, flight: Flight) {
        let state = &mut self.shards[flight.shard];
        let (Some(leader), true) = (state.leader, state.epoch == flight.epoch) else {
            return;
        };
        let Some(at) = state.entries.iter().position(|entry| entry.id == flight.id) else {
            return;
        };
        let entry = state.entries.remove(at);
        for ticket in entry.commands {
            self.outcome(ticket, leader);
        }
        let next = self.shards[flight.shard].proposer.finished();
        self.go(flight.shard, next);
    }
}
