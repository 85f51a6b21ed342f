//! Nodes die. What they led stands still for a while, and is then led by another voter; whoever waited
//! for them asks again.
//!
//! Requests are repeated with the same key, and what a dead leader had not applied counts as not in
//! the log: in truth some of it is, and its repeat gets the stored answer. A repeat costs the door a second
//! time; that it costs a command at most once is a kindness of the model.

use super::{Engine, Event};
use crate::model::placement::least;
use crate::model::request::{Class, Step, Whereabouts};

impl Engine {
    /// A node is gone. `silent`: nobody refuses a dial to its machine, so that elections wait for the time-out.
    pub fn kill(&mut self, node: usize, silent: bool) {
        if !self.nodes[node].alive {
            return;
        }
        self.nodes[node].alive = false;
        let machine = self.nodes[node].at.machine;
        self.cpus[machine].forget(node);
        let failover = &self.costs.failover;
        let pause = match silent {
            true => failover.silent_pause_ms.ns(),
            false => failover.pause_ms.ns(),
        };
        let led = |shard: &usize| self.shards[*shard].leader == Some(node);
        let led: Vec<usize> = (0..self.shards.len()).filter(led).collect();
        for shard in &led {
            self.shards[*shard].depose(self.bounds);
            let epoch = self.shards[*shard].epoch;
            self.calendar.after(pause, Event::Elected(*shard, epoch));
        }
        self.ask_again(node, &led);
    }

    fn ask_again(&mut self, node: usize, led: &[usize]) {
        let reconnect = self.costs.failover.reconnect_ms.ns();
        let (room, joining) = self.nodes[node].lane.leave();
        let all: Vec<_> = self
            .requests
            .all()
            .map(|(ticket, request)| (ticket, *request))
            .collect();
        for (ticket, request) in all {
            let couriered = matches!(
                request.program[request.step.saturating_sub(1)],
                Step::Own(_)
            );
            let lost = matches!(request.at, Whereabouts::Log(shard) if led.contains(&shard)
                || couriered && led.contains(&request.home));
            let doorless = request.door == node;
            if doorless && request.class == Class::Own && request.people > 0 {
                // The joins in it come again by themselves.
                self.requests.remove(ticket);
                self.begun -= u64::from(!request.told);
            } else if doorless && matches!(request.at, Whereabouts::Call(_)) {
                // The order goes on without its buyer, who asks for it at another door.
                let door = self.any_door();
                if let Some(request) = self.requests.get(ticket) {
                    request.door = door;
                }
            } else if doorless || lost {
                self.send_again(ticket, reconnect);
            }
        }
        for (count, since) in joining {
            let door = self.any_door();
            self.joins_since(door, room, count, since);
        }
    }

    /// A shard has a leader again: of its living voters the one that leads least. None while there is
    /// no majority.
    pub(super) fn elected(&mut self, shard: usize, epoch: u32) {
        let state = &self.shards[shard];
        if state.epoch != epoch || state.leader.is_some() {
            return;
        }
        let voters = state.voters.iter().copied();
        let living: Vec<usize> = voters.filter(|node| self.nodes[*node].alive).collect();
        if living.len() <= state.voters.len() / 2 {
            return;
        }
        let mut leads = vec![0; self.nodes.len()];
        for leader in self.shards.iter().filter_map(|shard| shard.leader) {
            leads[leader] += 1;
        }
        let leader = least(&living, &leads);
        self.shards[shard].leader = Some(leader);
        self.call_again(shard);
        for ticket in std::mem::take(&mut self.shards[shard].parked) {
            if let Some(request) = self.requests.get(ticket) {
                // The command that was parked is proposed now.
                request.step -= 1;
                self.step(ticket);
            }
        }
    }
}
