//! Whoever looks after the machines: starts a process again that ended by itself, as an init
//! system does, and replaces members, as an operator does.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use raft_node::platform::sim_disk::CrashMode;
use tokio::sync::mpsc;

use super::World;
use super::machine::{Standing, Why, address};
use crate::history::History;

/// How long a change of a group's members may take before it is asked for again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a process said before it ended, with its node and the number of its life.
pub type Reports = mpsc::UnboundedSender<(usize, u64, Report)>;

/// Why a process ended.
#[derive(Clone, Debug)]
pub enum Report {
    /// Something failed; another start may go better.
    Failed(String),
    /// It does not trust its data.
    Refuses(String),
}

/// A member to be replaced.
pub struct Errand {
    /// Which.
    pub node: usize,
    /// Why.
    pub why: Why,
}

/// The warden.
#[derive(Clone)]
pub struct Warden {
    world: Weak<World>,
    history: Arc<History>,
}

impl Warden {
    /// Of this world.
    pub fn new(world: &Arc<World>, history: Arc<History>) -> Self {
        Self {
            world: Arc::downgrade(world),
            history,
        }
    }

    /// Buries processes that ended, and starts them again.
    pub async fn listen(self, mut reports: mpsc::UnboundedReceiver<(usize, u64, Report)>) {
        while let Some((node, number, report)) = reports.recv().await {
            let Some(world) = self.world.upgrade() else {
                return;
            };
            let life = &world.machines[node].life;
            let newest = *world.lock(&life.lives);
            if newest != number || life.standing() != Standing::Up {
                continue;
            }
            self.note(&format!("node {} ended: {report:?}", node + 1));
            world.kill(node, false);
            let spoiled = *world.lock(&life.spoiled);
            match report {
                Report::Failed(reason) => {
                    if reason.contains("injected") {
                        world.tally.count("19 a sync fails, and the node with it");
                    }
                    if reason.contains("no storage space") || reason.contains("StorageFull") {
                        world.tally.count("20 a node ends for want of room");
                    }
                    let world = self.world.clone();
                    let wait = Duration::from_millis(200 + 300 * (number % 4));
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        if let Some(world) = world.upgrade() {
                            world.restart(node);
                        }
                    });
                }
                Report::Refuses(_) if spoiled => {
                    world.tally.count("18 a damaged node refuses to start");
                    world.retire(node, Why::Damaged);
                }
                Report::Refuses(reason) => {
                    let found = format!("node {} refuses what nobody damaged: {reason}", node + 1);
                    world.alarm("good_data_is_accepted", found);
                }
            }
        }
    }

    /// Replaces members, one after the other.
    pub async fn run_errands(self, mut errands: mpsc::UnboundedReceiver<Errand>) {
        while let Some(Errand { node, why }) = errands.recv().await {
            let Some(world) = self.world.upgrade() else {
                return;
            };
            let absent = |machine: &&super::Machine| machine.life.standing() == Standing::Absent;
            let joiner = world
                .machines
                .iter()
                .find(absent)
                .map(|machine| machine.node);
            let Some(joiner) = joiner else {
                self.note("nobody is left to join");
                *world.lock(&world.errands_left) -= 1;
                continue;
            };
            self.note(&format!(
                "node {} replaces node {}: {why:?}",
                joiner + 1,
                node + 1
            ));
            world.switch_on(joiner);
            world.lock(&world.members).insert(joiner);
            for group in 0..=u32::from(world.scenario.shards) {
                self.admit(&world, group, joiner).await;
                self.dismiss(&world, group, node, joiner).await;
            }
            world.lock(&world.members).remove(&node);
            world.machines[node].life.set_standing(Standing::Gone);
            world.machines[node].stop(CrashMode::KeepAll);
            world.lock(&world.atlas).remove(&node);
            world.tally.count("27 a member is replaced");
            self.note(&format!("node {} left", node + 1));
            *world.lock(&world.errands_left) -= 1;
        }
    }

    /// Makes a joiner a learner of a group; insists.
    async fn admit(&self, world: &World, group: u32, joiner: usize) {
        let at = address(joiner, 8090).to_string();
        loop {
            if let Some(alive) = world.someone_up(joiner) {
                let (client, at, id) = (alive.node.client(), at.clone(), joiner as u64 + 1);
                let adding = async move { client.add_learner(group, id, at, PATIENCE).await };
                match alive.does(adding).await {
                    Some(Ok(_)) => return world.tally.count("27 a learner is added"),
                    other => self.note(&format!("learner of group {group}: {other:?}")),
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Makes it a voter in the place of the one who leaves; insists.
    async fn dismiss(&self, world: &World, group: u32, old: usize, joiner: usize) {
        let members = world.members().into_iter().filter(|member| *member != old);
        let voters: BTreeSet<u64> = members.map(|member| member as u64 + 1).collect();
        loop {
            if let Some(alive) = world.someone_up(joiner) {
                let (client, voters) = (alive.node.client(), voters.clone());
                let changing = async move { client.change_voters(group, voters, PATIENCE).await };
                match alive.does(changing).await {
                    Some(Ok(_)) => return,
                    other => self.note(&format!("voters of group {group}: {other:?}")),
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn note(&self, what: &str) {
        self.history.note(&format!("warden: {what}"));
    }
}
