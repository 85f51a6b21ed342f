//! All groups of a cluster, applied outside any cluster: what a backup amounts to.

use std::collections::BTreeMap;

use bytes::Bytes;
use cluster::SYSTEM_GROUP;
use ledger::ShardId;
use raft_node::Machine;
use raft_node::backup::{LogEntry, Position, Scratch, ScratchError};

use crate::node::backend::Replicas;
use crate::node::machines::{CatalogueMachine, LedgerMachine};

/// See the module.
pub struct World {
    /// Every group, by number.
    pub groups: BTreeMap<u32, Scratch<Box<dyn Machine>>>,
    /// The same states, to be looked at.
    pub replicas: Replicas,
}

impl World {
    /// A cluster of so many shards in which nothing has happened.
    pub fn fresh(shards: u16) -> Self {
        let (machine, catalogue) = CatalogueMachine::new();
        let mut world = Self {
            groups: BTreeMap::new(),
            replicas: Replicas {
                catalogue,
                ledgers: BTreeMap::new(),
            },
        };
        let machine: Box<dyn Machine> = Box::new(machine);
        world.groups.insert(SYSTEM_GROUP, Scratch::fresh(machine));
        for shard in (1..=shards).map(ShardId) {
            let (machine, ledger) = LedgerMachine::new(shard);
            let machine: Box<dyn Machine> = Box::new(machine);
            world.groups.insert(shard.0.into(), Scratch::fresh(machine));
            world.replicas.ledgers.insert(shard, ledger);
        }
        world
    }

    /// Gives a group the state of a snapshot file.
    pub fn restore(&mut self, cluster: u128, group: u32, file: Bytes) -> Result<(), ScratchError> {
        let machine = self.empty(group);
        let scratch = Scratch::from_base(cluster, group, file, machine)?;
        self.groups.insert(group, scratch);
        Ok(())
    }

    /// Gives a group the state of a snapshot that reaches up to `last`; the very first one without.
    pub fn resume(
        &mut self,
        group: u32,
        snapshot: Option<(Vec<Bytes>, Option<Position>)>,
    ) -> Result<(), ScratchError> {
        let machine = self.empty(group);
        let scratch = match snapshot {
            Some((parts, last)) => Scratch::resumed(machine, parts, last)?,
            None => Scratch::fresh(machine),
        };
        self.groups.insert(group, scratch);
        Ok(())
    }

    /// A fresh machine in the place of a group's; its state is the one to be looked at.
    fn empty(&mut self, group: u32) -> Box<dyn Machine> {
        match u16::try_from(group).map(ShardId) {
            Ok(shard) if group != SYSTEM_GROUP => {
                let (machine, ledger) = LedgerMachine::new(shard);
                self.replicas.ledgers.insert(shard, ledger);
                Box::new(machine)
            }
            _ => {
                let (machine, catalogue) = CatalogueMachine::new();
                self.replicas.catalogue = catalogue;
                Box::new(machine)
            }
        }
    }

    /// Applies a group's next entry.
    pub fn apply(&mut self, group: u32, entry: &LogEntry) -> Result<(), ScratchError> {
        self.group_mut(group).apply(entry)
    }

    /// A group of this world.
    pub fn group(&self, group: u32) -> &Scratch<Box<dyn Machine>> {
        &self.groups[&group]
    }

    fn group_mut(&mut self, group: u32) -> &mut Scratch<Box<dyn Machine>> {
        let group = self.groups.get_mut(&group);
        group.expect("a world has every group of its cluster")
    }

    /// SHA-256 of a group's state, hex.
    pub fn digest(&self, group: u32) -> String {
        let digest = self.group(group).machine().digest();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An invariant of a ledger that does not hold.
    pub fn broken(&self) -> Option<String> {
        self.replicas.ledgers.iter().find_map(|(shard, ledger)| {
            let checked = ledger.look(|ledger, _, _| ledger.check_invariants());
            let violation = checked.err()?;
            Some(format!("shard {shard}: {violation:?}"))
        })
    }
}
