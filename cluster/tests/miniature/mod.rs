//! A cluster in miniature that knows the truth, and judges each step of a plan by an account of its own of
//! what is safe.

#![allow(dead_code)] // Each test uses its part.

use std::collections::{BTreeMap, BTreeSet};

use cluster::catalogue::{Catalogue, CatalogueCommand, CatalogueRejection};
use cluster::members::{NodeRecord, NodeState, Registry};
use cluster::plan::{Bounds, GroupSeen, ReplicaSeen, Seen, Step, balance, next, play};
use cluster::version::OLDEST;
use proptest::prelude::*;

pub const BOUNDS: Bounds = Bounds {
    lag_entries_max: 100,
    silence_ms_max: 1_000,
};
const LOG: u64 = 1_000;

/// Something that happens between two steps.
#[derive(Clone, Debug)]
pub enum Event {
    /// A node answers, or does not.
    Up(u64, bool),
    /// A replica lacks so many entries.
    Lag(u32, u64, u64),
    /// The plan's step with this number is done; a change of voters perhaps only half.
    Step(usize, bool),
    /// Somebody else of the voters leads.
    Elect(u32, usize),
    /// What operators want.
    Add(u64, usize),
    Drain(u64),
    Undrain(u64),
    Remove(u64),
    Rebalance(u8),
    /// A placement that was computed some versions ago arrives.
    Late(u64),
}

#[derive(Clone, Debug)]
pub struct World {
    catalogue: Catalogue,
    pub truth: Seen,
    up: BTreeSet<u64>,
}

pub fn peer(node: u64) -> String {
    format!("node-{node}:8090")
}

pub fn zone(number: usize) -> String {
    ["", "a", "b", "c"][number % 4].to_owned()
}

impl World {
    /// A cluster older than its registry: consensus has members, nobody wrote them down.
    pub fn new(voters: &[BTreeSet<u64>]) -> Self {
        let mut catalogue = Catalogue::default();
        let shards = u16::try_from(voters.len() - 1).unwrap();
        let fixed = catalogue.apply(&CatalogueCommand::FixShards { shards });
        fixed.expect("some shards");
        let group = |voters: &BTreeSet<u64>| GroupSeen {
            leader: *voters.first().unwrap(),
            configs: vec![voters.clone()],
            settled: true,
            last_log: LOG,
            replicas: voters.iter().map(|node| (*node, replica(*node))).collect(),
        };
        let truth = (0..).zip(voters.iter().map(|voters| Some(group(voters))));
        Self {
            catalogue,
            truth: truth.collect(),
            up: (1..=9).collect(),
        }
    }

    fn shards(&self) -> u16 {
        self.catalogue.router().unwrap().count()
    }

    /// What leaders say, as long as they are there.
    pub fn seen(&self) -> Seen {
        let seen = self.truth.iter().map(|(group, truth)| {
            let mut seen = truth.clone().unwrap();
            for (node, replica) in &mut seen.replicas {
                let up = self.up.contains(node);
                replica.heard_ms = if up { Some(5) } else { Some(60_000) };
            }
            let leads = self.up.contains(&seen.leader);
            (*group, leads.then_some(seen))
        });
        seen.collect()
    }

    fn group(&mut self, group: u32) -> &mut GroupSeen {
        self.truth.get_mut(&group).unwrap().as_mut().unwrap()
    }

    pub fn registry(&self) -> &Registry {
        self.catalogue.registry()
    }

    fn ready(&self, group: u32, node: u64) -> bool {
        let seen = self.truth[&group].as_ref().unwrap();
        let replica = seen.replicas.get(&node);
        let near = replica.is_some_and(|replica| replica.matched + BOUNDS.lag_entries_max >= LOG);
        self.up.contains(&node) && (near || node == seen.leader)
    }

    fn majority(&self, group: u32, config: &BTreeSet<u64>) -> bool {
        let ready = config.iter().filter(|node| self.ready(group, **node));
        ready.count() > config.len() / 2
    }

    /// An account of its own of what is safe.
    pub fn judge(&self, step: &Step) -> Result<(), String> {
        let require = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(format!("{step:?}: {what}: {self:?}")),
        };
        let truth = |group: &u32| self.truth[group].as_ref().unwrap();
        let quorum = |group: &u32| {
            let mut configs = truth(group).configs.iter();
            configs.all(|config| self.majority(*group, config))
        };
        let registry = self.registry();
        match step {
            Step::Register { node, .. } => require(!registry.gone().contains(node), "it left once"),
            Step::Place { groups, .. } => {
                let all: Vec<u32> = groups.iter().map(|(group, _)| *group).collect();
                require(all.len() == self.truth.len(), "every group is placed")
            }
            Step::AddLearner { group, node, .. } => {
                let state = registry.state(*node);
                require(quorum(group), "no quorum")?;
                require(
                    state.is_some_and(|state| state != NodeState::Leaving),
                    "who leaves is not taken in",
                )
            }
            Step::ChangeVoters { group, voters } => {
                let seen = truth(group);
                require(seen.configs.len() == 1, "one change at a time")?;
                require(!voters.is_empty(), "somebody votes")?;
                require(quorum(group), "the old majority is there")?;
                require(self.majority(*group, voters), "the new majority is there")?;
                let mut newcomers = voters.difference(&seen.configs[0]);
                require(
                    newcomers.all(|node| self.ready(*group, *node)),
                    "nobody votes before having the log",
                )?;
                require(voters.contains(&seen.leader), "leaders are moved first")
            }
            Step::Finish { group, voters } => {
                let seen = truth(group);
                require(seen.configs.len() == 2, "nothing to finish")?;
                require(seen.configs[1] == *voters, "what was begun is finished")?;
                require(quorum(group), "both majorities are there")
            }
            Step::MoveLeader { group, to } => {
                let seen = truth(group);
                let voter = seen.configs.len() == 1 && seen.configs[0].contains(to);
                require(voter, "only voters lead")?;
                require(self.ready(*group, *to), "who takes over is there")
            }
            Step::RemoveLearner { group, node } => {
                let seen = truth(group);
                require(quorum(group), "no quorum")?;
                require(!seen.voters().contains(node), "voters are not removed")?;
                require(seen.leader != *node, "leaders are not removed")?;
                let mut shards = self.truth.iter().filter(|(other, _)| **other != 0);
                let elsewhere = shards.any(|(_, seen)| {
                    let seen = seen.as_ref().unwrap();
                    seen.replicas.contains_key(node)
                });
                require(*group != 0 || !elsewhere, "the system group is left last")?;
                let state = registry.state(*node);
                require(
                    matches!(state, None | Some(NodeState::Leaving)),
                    "who stays keeps its replicas",
                )
            }
            Step::Gone { node } => {
                let mut groups = self.truth.values().flatten();
                let nowhere = groups.all(|seen| !seen.replicas.contains_key(node));
                require(nowhere, "it still is in a group")?;
                require(!registry.placement().names(*node), "it still has a place")
            }
        }
    }

    pub fn apply(&mut self, step: &Step, half: bool) {
        let command = match step.clone() {
            Step::Register { node, peer } => Some(add(node, peer, String::new(), self.shards())),
            Step::Place {
                expected,
                replication,
                groups,
            } => Some(CatalogueCommand::Place {
                expected,
                replication,
                groups,
            }),
            Step::Gone { node } => Some(CatalogueCommand::NodeGone { node }),
            Step::ChangeVoters { group, voters } if half => {
                self.group(group).configs.push(voters);
                return;
            }
            _ => None,
        };
        match command {
            Some(command) => {
                let outcome = self.catalogue.apply(&command);
                outcome.unwrap_or_else(|error| panic!("{command:?}: {error}: {self:?}"));
            }
            None => {
                let mut registry = self.registry().clone();
                play(&mut registry, &mut self.truth, step);
            }
        }
    }

    pub fn happen(&mut self, event: &Event) -> Result<(), String> {
        match *event {
            Event::Up(node, true) => drop(self.up.insert(node)),
            Event::Up(node, false) => drop(self.up.remove(&node)),
            Event::Lag(group, node, lag) => {
                let group = group % self.truth.len() as u32;
                if let Some(replica) = self.group(group).replicas.get_mut(&node) {
                    replica.matched = LOG - lag;
                }
            }
            Event::Elect(group, at) => {
                let group = group % self.truth.len() as u32;
                let voters = self.truth[&group].as_ref().unwrap().voters();
                let able = voters.into_iter().filter(|node| self.ready(group, *node));
                let able: Vec<u64> = able.collect();
                if !able.is_empty() {
                    self.group(group).leader = able[at % able.len()];
                }
            }
            Event::Step(at, half) => {
                let plan = next(self.registry(), &self.seen(), BOUNDS);
                for step in &plan.steps {
                    self.judge(step)?;
                }
                if !plan.steps.is_empty() {
                    let step = plan.steps[at % plan.steps.len()].clone();
                    self.apply(&step, half);
                }
            }
            // Refusals change nothing, and are what most of these meet with.
            Event::Add(node, zoned) => {
                let command = add(node, peer(node), zone(zoned), self.shards());
                let _ = self.catalogue.apply(&command);
            }
            Event::Drain(node) => drop(self.catalogue.apply(&CatalogueCommand::DrainNode { node })),
            Event::Undrain(node) => {
                drop(
                    self.catalogue
                        .apply(&CatalogueCommand::UndrainNode { node }),
                );
            }
            Event::Remove(node) => {
                drop(self.catalogue.apply(&CatalogueCommand::RemoveNode { node }));
            }
            Event::Rebalance(replication) => self.rebalance(replication),
            Event::Late(versions) => self.arrive_late(versions)?,
        }
        Ok(())
    }

    fn rebalance(&mut self, replication: u8) {
        let placement = self.registry().placement().clone();
        if placement.version == 0 {
            return;
        }
        let load = BTreeMap::from([(1, 50), (2, 7)]);
        let wanted = balance(self.registry(), replication, &placement.groups, &load);
        if let Ok(groups) = wanted {
            let command = CatalogueCommand::Place {
                expected: placement.version,
                replication,
                groups: groups.into_iter().collect(),
            };
            self.catalogue.apply(&command).expect("a balance is sound");
        }
    }

    /// Whoever computed it did not know what has been decided since: it has to be refused.
    fn arrive_late(&mut self, versions: u64) -> Result<(), String> {
        let placement = self.registry().placement().clone();
        let Some(expected) = placement.version.checked_sub(versions) else {
            return Ok(());
        };
        // The newest one repeated is answered as before.
        let mut groups = placement.groups;
        for wish in groups.values_mut() {
            wish.leader = match wish.leader {
                Some(_) => None,
                None => wish.voters.first().copied(),
            };
        }
        let command = CatalogueCommand::Place {
            expected,
            replication: placement.replication,
            groups: groups.into_iter().collect(),
        };
        match self.catalogue.apply(&command) {
            Err(CatalogueRejection::PlacementConflict { .. }) => Ok(()),
            other => Err(format!("{versions} versions late: {other:?}: {self:?}")),
        }
    }

    /// Everybody is there and has everything: the plan has to come to its end.
    pub fn settle(&mut self) -> Result<(), String> {
        self.up = (1..=9).collect();
        for _ in 0..2_000 {
            for seen in self.truth.values_mut().flatten() {
                for replica in seen.replicas.values_mut() {
                    replica.matched = LOG;
                }
            }
            let plan = next(self.registry(), &self.seen(), BOUNDS);
            let Some(step) = plan.steps.first() else {
                return match plan.is_finished() {
                    true => Ok(()),
                    false => Err(format!("{:?}: {self:?}", plan.blocked)),
                };
            };
            self.judge(step)?;
            self.apply(step, false);
        }
        Err(format!("no end: {self:?}"))
    }
}

fn replica(node: u64) -> ReplicaSeen {
    ReplicaSeen {
        peer: peer(node),
        matched: LOG,
        heard_ms: Some(5),
    }
}

fn add(node: u64, peer: String, zone: String, shards: u16) -> CatalogueCommand {
    let record = NodeRecord {
        peer,
        zone,
        state: NodeState::Member,
    };
    CatalogueCommand::AddNode {
        node,
        record,
        shards,
        supports: OLDEST,
    }
}

pub fn event() -> impl Strategy<Value = Event> {
    let node = || 1..=9_u64;
    prop_oneof![
        12 => (any::<usize>(), prop::bool::weighted(0.2)).prop_map(|(at, half)| Event::Step(at, half)),
        3 => (node(), any::<bool>()).prop_map(|(node, up)| Event::Up(node, up)),
        2 => (0..5_u32, node(), 0..LOG).prop_map(|(g, node, lag)| Event::Lag(g, node, lag)),
        2 => (0..5_u32, any::<usize>()).prop_map(|(group, at)| Event::Elect(group, at)),
        2 => (node(), 0..4_usize).prop_map(|(node, zone)| Event::Add(node, zone)),
        1 => node().prop_map(Event::Drain),
        1 => node().prop_map(Event::Undrain),
        1 => node().prop_map(Event::Remove),
        1 => (1..=5_u8).prop_map(Event::Rebalance),
        1 => (1..=3_u64).prop_map(Event::Late),
    ]
}

pub fn map() -> impl Strategy<Value = Vec<BTreeSet<u64>>> {
    prop::collection::vec(prop::collection::btree_set(1..=5_u64, 1..=5), 2..=5)
}
