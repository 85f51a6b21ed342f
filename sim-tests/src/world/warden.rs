//! Whoever looks after the machines: starts a process again that ended by itself, as an init
//! system does, and replaces members the operators' way: a node joins, another one is drained and
//! removed, and the cluster does the rest.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use raft_node::platform::sim_disk::CrashMode;
use server::node::admin::MembersView;
use tokio::sync::{mpsc, oneshot};

use super::World;
use super::machine::{Standing, Why};
use crate::door::Answer;
use crate::history::History;

/// How long a node may take to answer an operator before another one is asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How a replica says that an entry was written by a newer release.
const NOT_UNDERSTOOD: &str = "means nothing to this release";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

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

/// What an operator wants of the cluster.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// What the trail will call it.
    action: &'static str,
    method: &'static str,
    path: &'a str,
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
                    if reason.contains(NOT_UNDERSTOOD) {
                        let found = format!("node {} stops: {reason}", node + 1);
                        world.alarm("upgrades_are_safe", found);
                    }
                    if reason.contains("injected") {
                        world.tally.count("19 a sync fails, and the node with it");
                    }
                    if reason.contains("no storage space") || reason.contains("StorageFull") {
                        let found = format!("node {} ended for want of room: {reason}", node + 1);
                        world.alarm("full_disks_are_borne", found);
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
            self.joined(&world, joiner).await;
            // Whoever is still there may be drained first, so that it leaves without a vote.
            if why == Why::Replaced && node % 2 == 0 {
                self.drain(&world, node, joiner).await;
            }
            self.remove(&world, node, joiner).await;
            world.lock(&world.members).remove(&node);
            world.machines[node].life.set_standing(Standing::Gone);
            world.machines[node].stop(CrashMode::KeepAll);
            world.lock(&world.atlas).remove(&node);
            world.tally.count("27 a member is replaced");
            self.note(&format!("node {} left", node + 1));
            *world.lock(&world.errands_left) -= 1;
        }
    }

    /// Waits until the cluster has written a joiner down: it asks for that by itself.
    async fn joined(&self, world: &World, joiner: usize) {
        let id = joiner as u64 + 1;
        loop {
            let members = self.members(world, joiner, joiner).await;
            if members.is_some_and(|members| members.nodes.iter().any(|node| node.id == id)) {
                return world.tally.count("27 a learner is added");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Has a node vote no more; insists.
    async fn drain(&self, world: &World, node: usize, joiner: usize) {
        let id = node as u64 + 1;
        let path = format!("/operator/admin/members/{id}/drain?anyway=true");
        let errand = Wanted {
            action: "node.drain",
            method: "POST",
            path: &path,
        };
        self.insist(world, errand, node, joiner).await;
        loop {
            let members = self.members(world, node, joiner).await;
            let drained = members.is_some_and(|members| {
                let mut nodes = members.nodes.iter();
                let node = nodes.find(|node| node.id == id);
                members.placement > 0 && node.is_none_or(|node| node.votes == 0)
            });
            if drained {
                return world.tally.count("27 a member is drained");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Has a node leave; insists, and waits until it is in no group.
    async fn remove(&self, world: &World, node: usize, joiner: usize) {
        let id = node as u64 + 1;
        let path = format!("/operator/admin/members/{id}?anyway=true");
        let errand = Wanted {
            action: "node.remove",
            method: "DELETE",
            path: &path,
        };
        self.insist(world, errand, node, joiner).await;
        loop {
            let members = self.members(world, node, joiner).await;
            if members.is_some_and(|members| members.gone.contains(&id)) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks until it was granted, under a name of its own each time.
    async fn insist(&self, world: &World, errand: Wanted<'_>, node: usize, joiner: usize) {
        let Wanted {
            action,
            method,
            path,
        } = errand;
        for attempt in 0.. {
            let name = format!("warden-{node}-{joiner}-{action}-{attempt}");
            match self.ask(world, method, path, &name, node, joiner).await {
                Some(answer) if answer.status == 200 => {
                    return self.history.granted(&name, action);
                }
                Some(answer) => {
                    let said = String::from_utf8_lossy(&answer.body).into_owned();
                    self.note(&format!("{method} {path}: {} {said}", answer.status));
                }
                None => self.note(&format!("{method} {path}: no answer")),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The members, as somebody sees them.
    async fn members(&self, world: &World, node: usize, joiner: usize) -> Option<MembersView> {
        let path = "/operator/admin/members";
        let answer = self.ask(world, "GET", path, "", node, joiner).await?;
        serde_json::from_slice(&answer.body).ok()
    }

    /// Asks a member that runs: neither who leaves nor who comes.
    async fn ask(
        &self,
        world: &World,
        method: &str,
        path: &str,
        name: &str,
        node: usize,
        joiner: usize,
    ) -> Option<Answer> {
        let members = world.members().into_iter();
        let mut able = members.filter(|member| *member != node && *member != joiner);
        let alive = able.find_map(|member| match world.is_down(member) {
            true => None,
            false => world.alive(member),
        })?;
        let request = Request::builder().method(method).uri(path);
        let request = request.header("x-request-id", name);
        let request = request
            .body(Full::default())
            .expect("a well formed request");
        let (reply, answer) = oneshot::channel();
        alive.inbox.send((request, reply)).await.ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    fn note(&self, what: &str) {
        self.history.note(&format!("warden: {what}"));
    }
}
