//! The cluster at work: every event moves a piece of work on, and tells the load what it has to know.
//!
//! ```text
//!  request ─► door's core ─┬─ door leads ──────────────────────► proposer ─► entry ─┬─► leader's disk ──┐
//!                          └─ core ─► link ─► leader's core ───►                    └─► link ─► replica ─► its disk
//!                                                                                                          │
//!  answer ◄─ door's core ◄─ link ◄─ leader's core applies ◄─ a majority of voters has synced ◄─ core ◄─ link
//! ```
//! [`requests`] moves requests through their steps, [`log`] entries through the log, [`joins`] coalesces
//! who joins, [`failure`] ends nodes. [`Load`]s live outside and hear of what happens by [`Notice`].

mod failure;
mod joins;
mod load;
mod log;
mod provider;
mod requests;
mod slots;

use std::collections::VecDeque;

use super::calendar::{Calendar, Nanos};
use super::chance::{Chance, Spread};
use super::cluster::{Cluster, NodeAt};
use super::costs::Costs;
use super::cpu::{Cpu, Job};
use super::disk::Disk;
use super::request::{Requests, Ticket};
use super::stats::Stats;

pub use joins::JOINS_MAX;
pub use load::{Alarm, Load, Notice};
pub use provider::CALLS_MAX;

use joins::Lane;
use log::{Flight, Shard, Written};
use provider::Calls;

/// What comes of a piece of CPU work.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    /// So many polls are answered that came at this time.
    Polled(u64, Nanos),
    /// So many people who came then enter the door's lane.
    Enter(u64, Nanos),
    /// A step of a request is done.
    Step(Ticket),
    /// A command leaves its door.
    Sent(Ticket, usize),
    /// It reaches a leader.
    Received(Ticket, usize),
    /// A leader has made an entry.
    Made(Flight),
    /// Another node has received it; applying it will cost so much.
    Taken(Flight, Nanos),
    /// A node's writer begins to sync.
    Syncing,
    /// The leader hears that a node has synced an entry.
    Heard(Flight, usize),
    /// The leader has applied it.
    Applied(Flight),
    /// The load generator is ready.
    Ready(Alarm),
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Done(usize, Job<Then>),
    Offer(Job<Then>),
    Synced(usize, Nanos),
    Patience(usize, u32, u64),
    Called(Ticket, u32),
    Retry(Ticket),
    Step(Ticket),
    Elected(usize, u32),
    Alarm(Alarm),
}

struct Node {
    at: NodeAt,
    alive: bool,
    disk: Disk<Written>,
    lane: Lane,
}

/// The cluster and what happens in it.
pub struct Engine {
    /// What things cost.
    pub costs: Costs,
    /// What was seen.
    pub stats: Stats,
    /// Chance for the load.
    pub chance: Chance,
    calendar: Calendar<Event>,
    cpus: Vec<Cpu<Then>>,
    nodes: Vec<Node>,
    shards: Vec<Shard>,
    calls: Vec<Calls>,
    requests: Requests,
    notices: VecDeque<Notice>,
    bounds: super::proposer::Bounds,
    learners: bool,
    sync: Spread,
    money: [Spread; 2],
    delays: Chance,
    /// See [`Engine::account`].
    begun: u64,
    answered: u64,
}

impl Engine {
    /// An idle cluster. `window` is how finely `stats` tell time.
    #[must_use]
    pub fn new(costs: &Costs, cluster: &Cluster, window: Nanos, seed: u64) -> Self {
        let sound = "costs are checked when they are read";
        let nodes: Vec<Node> = cluster.nodes.iter().map(|at| Node::new(*at)).collect();
        let shards: Vec<Shard> = cluster
            .places
            .iter()
            .map(|place| Shard::new(place, cluster.bounds))
            .collect();
        Self {
            costs: costs.clone(),
            stats: Stats::new(window, nodes.len() + 1, shards.len()),
            chance: Chance::new(seed, 1),
            calendar: Calendar::new(),
            cpus: cluster
                .machines
                .iter()
                .map(|cores| Cpu::new(*cores))
                .collect(),
            calls: shards.iter().map(|_| Calls::default()).collect(),
            nodes,
            shards,
            requests: Requests::default(),
            notices: VecDeque::new(),
            bounds: cluster.bounds,
            learners: cluster.learners,
            sync: costs.sync.spread().expect(sound),
            money: [
                costs.provider.authorize().expect(sound),
                costs.provider.capture().expect(sound),
            ],
            delays: Chance::new(seed, 2),
            begun: 0,
            answered: 0,
        }
    }

    /// Lets the load run until `end`, or until it is over.
    pub fn run(&mut self, load: &mut impl Load, end: Nanos) {
        load.start(self);
        self.go_on(load, end);
    }

    /// The same, for a load that has started.
    pub fn go_on(&mut self, load: &mut impl Load, end: Nanos) {
        while !load.is_over() && self.calendar.next_at().is_some_and(|at| at <= end) {
            let event = self.calendar.next_event().expect("there is one");
            self.handle(event);
            while let Some(notice) = self.notices.pop_front() {
                load.hear(self, notice);
            }
        }
    }

    /// Simulated time.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.calendar.now()
    }

    /// Events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.calendar.made()
    }

    /// Wakes the load after a while.
    pub fn wake(&mut self, delay: Nanos, alarm: Alarm) {
        self.calendar.after(delay, Event::Alarm(alarm));
    }

    /// How many nodes there are, dead ones included.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many shards.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Cores of a node's machine.
    #[must_use]
    pub fn cores(&self, node: usize) -> usize {
        self.cpus[self.nodes[node].at.machine].cores()
    }

    /// Whether a node lives.
    #[must_use]
    pub fn lives(&self, node: usize) -> bool {
        self.nodes[node].alive
    }

    /// Whether a node has a replica of a shard, as far as it lives.
    fn follows(&self, shard: usize, node: usize) -> bool {
        self.nodes[node].alive && (self.learners || self.shards[shard].voters.contains(&node))
    }

    /// Commands in an entry, at most.
    #[must_use]
    pub fn batch_max(&self) -> usize {
        self.bounds.batch_max
    }

    /// Nodes that live.
    #[must_use]
    pub fn living(&self) -> usize {
        self.nodes.iter().filter(|node| node.alive).count()
    }

    /// Who leads a shard.
    #[must_use]
    pub fn leader(&self, shard: usize) -> Option<usize> {
        self.shards[shard].leader
    }

    /// A living node for somebody who comes, as a balancer picks it.
    pub fn any_door(&mut self) -> usize {
        loop {
            let node = self.chance.below(self.nodes.len());
            if self.nodes[node].alive {
                return node;
            }
        }
    }

    /// CPU of the load generator, which is on the first machine; then its alarm.
    pub fn generate(&mut self, cost: Nanos, alarm: Alarm) {
        self.offer(Job {
            node: self.nodes.len(),
            cost,
            then: Then::Ready(alarm),
        });
    }

    /// Requests begun, those of them answered, and those that wait for their answer: the first is the sum of
    /// the others.
    #[must_use]
    pub fn account(&self) -> (u64, u64, u64) {
        let open = self.requests.all().filter(|(_, request)| !request.told);
        (self.begun, self.answered, open.count() as u64)
    }

    fn work(&mut self, node: usize, cost: Nanos, then: Then) {
        self.offer(Job { node, cost, then });
    }

    fn offer(&mut self, job: Job<Then>) {
        let machine = match self.nodes.get(job.node) {
            Some(node) if node.alive => node.at.machine,
            Some(_) => return,
            None => 0,
        };
        if let Some(job) = self.cpus[machine].offer(job) {
            self.begin(machine, job);
        }
    }

    fn begin(&mut self, machine: usize, job: Job<Then>) {
        let now = self.now();
        self.stats.at(now).cpu[job.node] += job.cost;
        if let Then::Polled(count, since) = job.then {
            let took = now - since + self.costs.door.poll_us.ns();
            self.stats
                .answered(now, super::request::Class::Poll, took, count);
        }
        self.calendar.after(job.cost, Event::Done(machine, job));
    }

    /// Sends work to another node.
    fn send(&mut self, from: usize, to: usize, cost: Nanos, then: Then) {
        let link = &self.costs.link;
        let delay = match self.nodes[from].at.machine == self.nodes[to].at.machine {
            true => link.loopback_us.ns(),
            false => link.one_way_us.ns(),
        };
        let job = Job {
            node: to,
            cost,
            then,
        };
        self.calendar.after(delay, Event::Offer(job));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Done(machine, job) => {
                if let Some(next) = self.cpus[machine].done() {
                    self.begin(machine, next);
                }
                if self.nodes.get(job.node).is_none_or(|node| node.alive) {
                    self.then(job.node, job.then);
                }
            }
            Event::Offer(job) => self.offer(job),
            Event::Synced(node, took) => self.synced(node, took),
            Event::Patience(shard, epoch, timer) => self.patience_over(shard, epoch, timer),
            Event::Called(ticket, epoch) => self.called(ticket, epoch),
            Event::Retry(ticket) => self.retry(ticket),
            Event::Step(ticket) => self.step(ticket),
            Event::Elected(shard, epoch) => self.elected(shard, epoch),
            Event::Alarm(alarm) => self.notices.push_back(Notice::Alarm(alarm)),
        }
    }

    fn then(&mut self, node: usize, then: Then) {
        match then {
            Then::Nothing | Then::Polled(..) => {}
            Then::Enter(count, since) => self.enter(node, count, since),
            Then::Step(ticket) => self.step(ticket),
            Then::Sent(ticket, leader) => {
                let cost = self.costs.forward.leader_us.ns();
                self.send(node, leader, cost, Then::Received(ticket, leader));
            }
            Then::Received(ticket, leader) => self.received(ticket, leader),
            Then::Made(flight) => self.made(flight),
            Then::Taken(flight, apply) => {
                self.write(node, Written::Replica(flight));
                self.work(node, apply, Then::Nothing);
            }
            Then::Syncing => self.syncing(node),
            Then::Heard(flight, from) => self.heard(flight, from),
            Then::Applied(flight) => self.applied(flight),
            Then::Ready(alarm) => self.notices.push_back(Notice::Alarm(alarm)),
        }
    }
}

impl Node {
    fn new(at: NodeAt) -> Self {
        Self {
            at,
            alive: true,
            disk: Disk::default(),
            lane: Lane::default(),
        }
    }
}
