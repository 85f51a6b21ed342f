//! Nodes running `server::node::run`, each on a simulated machine that can be killed, cut off and
//! started again. Requests reach a node's axum Router through its inbox.
//!
//! A world has more machines than members: those that have not joined yet replace members that
//! were wiped or damaged. Its *atlas*: at most a minority of members lose what they had made
//! durable, counting those that are being replaced, or nothing could be promised.

pub mod archivist;
mod captures;
pub mod clerk;
pub mod faults;
pub mod machine;
pub mod postman;
pub mod upgrader;
pub mod warden;
pub mod wires;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use http::Request;
use http_body_util::{BodyExt, Full};
use ledger::{Command, OrderId};
use madsim::runtime::Handle;
use raft_node::Node;
use raft_node::platform::Clock;
use raft_node::platform::sim_disk::{self, CrashMode, SimDisk};
use server::node::backend::Replicas;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

use self::faults::{Faults, Rates};
use self::machine::{Machine, Standing, Surroundings, Why};
use self::warden::{Errand, Warden};
use self::wires::{Link, Wires};
use crate::checker::Violation;
use crate::door::{Answer, Door};
use crate::fault::{Rot, Spoiled, Tally};
use crate::gateway::Provider;
use crate::history::History;
use crate::platform::{elapsed, world_now_ms};
use crate::scenario::Scenario;
use crate::seed::Stream;
use crate::steps::aimer::Aimer;

/// How long a bare command may take.
const PROPOSE_WITHIN: Duration = Duration::from_secs(3);
/// Machines that may join.
const JOINERS: usize = 2;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a node takes a command as it is: `PROPOSE/shard`.
pub const PROPOSE: &str = "/simulator/propose";

/// A request on its way into a node, and the way back.
pub type Call = (Request<Full<Bytes>>, oneshot::Sender<Answer>);

/// Something that a process is to do.
pub type Deed = BoxFuture<'static, ()>;

/// What is known of a running node.
#[derive(Clone)]
pub struct Alive {
    /// Its door.
    pub inbox: mpsc::Sender<Call>,
    /// What its process does for its operator. See [`Alive::does`].
    pub deeds: mpsc::UnboundedSender<Deed>,
    /// Its consensus half.
    pub node: Arc<Node>,
    /// Its replicas.
    pub replicas: Arc<Replicas>,
}

/// How long an operator waits for what a process does.
const DEED_WITHIN: Duration = Duration::from_secs(25);

impl Alive {
    /// Has the process do something, and waits for it; `None` when it died over it, or takes too
    /// long. Whatever dials has to be done by the process: what is done from outside is done by a
    /// machine that nobody can hear, and what it dialled would stay with the node for good.
    pub async fn does<R: Send + 'static>(
        &self,
        deed: impl Future<Output = R> + Send + 'static,
    ) -> Option<R> {
        let (done, result) = oneshot::channel();
        let deed = async move {
            // Whoever waits may have given up.
            let _ = done.send(deed.await);
        };
        self.deeds.send(Box::pin(deed)).ok()?;
        let result = tokio::time::timeout(DEED_WITHIN, result);
        result.await.ok()?.ok()
    }
}

/// The cluster and what surrounds it.
pub struct World {
    /// The knobs.
    pub scenario: Arc<Scenario>,
    /// The provider.
    pub provider: Arc<Provider>,
    /// Who aims crashes at steps of orders.
    pub aimer: Arc<Aimer>,
    /// What struck, and how often.
    pub tally: Arc<Tally>,
    /// Which nodes hear which.
    pub wires: Wires,
    /// Frames and answers that are lost.
    pub faults: Arc<Faults>,
    machines: Vec<Machine>,
    members: Mutex<BTreeSet<usize>>,
    /// Members that lost what they had made durable, or are on their way out.
    atlas: Mutex<BTreeSet<usize>>,
    errands: mpsc::UnboundedSender<Errand>,
    /// Replacements under way.
    errands_left: Mutex<usize>,
    alarms: Mutex<Vec<Violation>>,
    chance: Stream,
}

impl World {
    /// Starts all nodes; not initialized yet.
    pub fn new(scenario: Scenario, aimer: Arc<Aimer>, history: Arc<History>) -> Arc<Self> {
        let scenario = Arc::new(scenario);
        let tally = Arc::new(Tally::default());
        let (provider, post) = Provider::new(&scenario, tally.clone());
        let rates = Rates {
            any_percent: scenario.frame_fault_percent,
            lost_reply_percent: scenario.lost_reply_percent,
            ..Rates::default()
        };
        let frames = Stream::new(scenario.entropy, "frames");
        let faults = Faults::new(rates, frames, tally.clone());
        let (reports, said) = mpsc::unbounded_channel();
        let (errands, todo) = mpsc::unbounded_channel();
        let around = Surroundings {
            scenario: scenario.clone(),
            provider: provider.clone(),
            aimer: aimer.clone(),
            tally: tally.clone(),
            faults: faults.clone(),
            reports,
        };
        let machines = (0..scenario.nodes + JOINERS)
            .map(|node| Machine::new(node, around.clone()))
            .collect();
        let world = Arc::new(Self {
            chance: Stream::new(scenario.entropy, "world"),
            members: Mutex::new((0..scenario.nodes).collect()),
            scenario,
            provider,
            aimer,
            tally,
            wires: Wires::default(),
            faults,
            machines,
            atlas: Mutex::default(),
            errands,
            errands_left: Mutex::new(0),
            alarms: Mutex::default(),
        });
        world.aimer.enter(&world);
        captures::watch(&world);
        let warden = Warden::new(&world, history);
        tokio::spawn(warden.clone().listen(said));
        tokio::spawn(warden.run_errands(todo));
        let (working, letters) = post.split();
        tokio::spawn(world.provider.clone().work(working));
        tokio::spawn(postman::deliver(Arc::downgrade(&world), letters));
        world.count_clocks();
        for node in world.members() {
            world.switch_on(node);
        }
        world
    }

    fn count_clocks(&self) {
        let off = self
            .scenario
            .skew_ms
            .iter()
            .filter(|skew| skew.unsigned_abs() > 1_000);
        self.tally
            .count_many("24 a clock is off by seconds", off.count() as u64);
        let drifting = self.scenario.drift_ppm.iter().filter(|ppm| **ppm != 0);
        self.tally
            .count_many("25 a clock drifts", drifting.count() as u64);
    }

    fn switch_on(&self, node: usize) {
        let machine = &self.machines[node];
        machine.start();
        if let Some(handle) = machine.handle() {
            self.wires.plug(node, handle.id());
        }
    }

    /// The members of the cluster, as its operator wants them.
    pub fn members(&self) -> Vec<usize> {
        self.lock(&self.members).iter().copied().collect()
    }

    /// A member that runs, or not: which one follows from any number.
    pub fn somebody(&self, at: u64) -> Option<Alive> {
        let members = self.members();
        self.alive(members[(at % members.len() as u64) as usize])
    }

    /// A node that runs, if it does.
    pub fn alive(&self, node: usize) -> Option<Alive> {
        self.lock(&self.machines[node].life.alive).clone()
    }

    /// The node that leads a group, as far as anybody alive says: the newest word counts.
    pub fn leader(&self, group: u32) -> Option<usize> {
        let said = self.members().into_iter().filter_map(|node| {
            let status = self.alive(node)?.node.status().into_iter();
            let status = status.filter(|status| status.group == group).next()?;
            Some((status.term, status.leader? as usize - 1))
        });
        said.max_by_key(|(term, _)| *term).map(|(_, leader)| leader)
    }

    /// The process dies; with `power`, what was not synced is lost or torn as well.
    pub fn kill(&self, node: usize, power: bool) {
        let mode = match (power, self.chance.below(3)) {
            (false, _) => CrashMode::KeepAll,
            (true, 0) => CrashMode::LoseUnsynced,
            (true, 1) => CrashMode::KeepPrefix,
            (true, _) => CrashMode::KeepSubset,
        };
        self.crash(node, mode);
    }

    /// The process dies, and its disk keeps what `mode` says.
    pub fn crash(&self, node: usize, mode: CrashMode) {
        let machine = &self.machines[node];
        if machine.life.standing() == Standing::Up {
            machine.life.set_standing(Standing::Down);
        }
        machine.stop(mode);
    }

    /// Starts a killed node again; one that somebody else has started meanwhile, or that is no
    /// longer wanted, is left alone.
    pub fn restart(&self, node: usize) {
        if self.machines[node].life.standing() == Standing::Down {
            self.machines[node].start();
        }
    }

    /// Whether a node is down.
    pub fn is_down(&self, node: usize) -> bool {
        self.machines[node].life.standing() != Standing::Up
    }

    /// A process stands still.
    pub fn pause(&self, node: usize) {
        if let Some(handle) = self.machines[node].handle() {
            Handle::current().pause(handle.id());
        }
    }

    /// It goes on.
    pub fn resume(&self, node: usize) {
        if let Some(handle) = self.machines[node].handle() {
            Handle::current().resume(handle.id());
        }
    }

    /// Where a node applies the next entry it proposed in this group, it panics.
    pub fn panic_at(&self, node: usize, group: u32) {
        *self.lock(&self.machines[node].life.panics_at) = Some(group);
    }

    /// A machine's disk.
    pub fn disk(&self, node: usize) -> &SimDisk {
        &self.machines[node].disk
    }

    /// A machine's disk syncs nothing for a while, or nothing of a kind.
    pub fn stall(&self, node: usize, file: Option<Spoiled>, for_ms: u64) {
        let folder = file.map(|file| folder(file).0);
        let pace = &self.machines[node].pace;
        pace.stall(folder, Duration::from_millis(for_ms));
    }

    /// It syncs again.
    pub fn unstall(&self, node: usize) {
        self.machines[node].pace.go_on();
    }

    /// Of a disk that syncs nothing, one sync gets through.
    pub fn let_one_sync_pass(&self, node: usize) {
        self.machines[node].pace.let_one_pass();
    }

    /// Moves a machine's wall clock.
    pub fn shift_clock(&self, node: usize, by_ms: i64) {
        self.machines[node].hands.shift(by_ms);
    }

    /// All links to a node (`ears`) and from it (`voice`).
    pub fn around(&self, node: usize, ears: bool, voice: bool) -> Vec<Link> {
        let others = (0..self.machines.len()).filter(|other| *other != node);
        let links = others.flat_map(|other| {
            let heard = ears.then_some((other, node));
            heard.into_iter().chain(voice.then_some((node, other)))
        });
        links.collect()
    }

    /// Whether one more member may lose what it had made durable: a majority must not, and there
    /// has to be somebody to replace it. If so, this one is in the atlas from now on.
    pub fn may_lose(&self, node: usize) -> bool {
        let mut atlas = self.lock(&self.atlas);
        let spare = self
            .machines
            .iter()
            .filter(|machine| machine.life.standing() == Standing::Absent);
        let minority = (self.scenario.nodes - 1) / 2;
        let room = atlas.len() < minority.min(spare.count());
        room && self.lock(&self.members).contains(&node) && atlas.insert(node)
    }

    /// Spoils a file of a node that is down; its path, if there was something to spoil.
    pub fn spoil(&self, node: usize, rot: Rot, file: Spoiled, place: u64) -> Option<String> {
        let (folder, ending) = folder(file);
        let disk = self.disk(node);
        let files = disk.paths().into_iter();
        let files: Vec<String> = files
            .filter(|path| path.starts_with(folder) && path.ends_with(ending))
            .collect();
        let rot = match rot {
            Rot::BitFlip => sim_disk::Rot::BitFlip,
            Rot::Misdirected => sim_disk::Rot::Misdirected,
            Rot::Stale => sim_disk::Rot::Stale,
            Rot::Missing => sim_disk::Rot::Missing,
            Rot::Short => sim_disk::Rot::Short,
        };
        let path = match file {
            Spoiled::Tail => files.last(),
            Spoiled::Log | Spoiled::Snapshot => files.get(place as usize % files.len().max(1)),
        }?;
        if !disk.spoil(path, rot, place) {
            return None;
        }
        *self.lock(&self.machines[node].life.spoiled) = true;
        Some(path.clone())
    }

    /// Has the operator replace a member.
    pub fn retire(&self, node: usize, why: Why) {
        if why != Why::Replaced {
            // Nobody starts it again: its data is not there, or not to be trusted.
            self.machines[node].life.set_standing(Standing::Gone);
        }
        *self.lock(&self.errands_left) += 1;
        // The warden lives as long as the world.
        let _ = self.errands.send(Errand { node, why });
    }

    /// Very many requests to one node at once; how many were sent, and how many it shed.
    pub async fn burst(&self, node: usize, requests: u64) -> (u64, u64) {
        let Some(alive) = self.alive(node) else {
            return (0, 0);
        };
        let tick = proto::encode_command(&Command::Tick);
        let mut answers = Vec::new();
        for number in 0..requests {
            let request = match number % 4 {
                0 => Request::get("/api/v1/events").body(Full::default()),
                _ => {
                    let shard = number % u64::from(self.scenario.shards) + 1;
                    Request::post(format!("{PROPOSE}/{shard}")).body(Full::new(tick.clone()))
                }
            };
            let (reply, answer) = oneshot::channel();
            let request = request.expect("a well formed request");
            if alive.inbox.try_send((request, reply)).is_ok() {
                answers.push(tokio::time::timeout(Duration::from_secs(15), answer));
            }
        }
        let sent = answers.len() as u64;
        let shed = |answer: &Result<Result<Answer, _>, _>| matches!(answer, Ok(Ok(answer)) if matches!(answer.status, 429 | 503));
        let shed = join_all(answers)
            .await
            .iter()
            .filter(|answer| shed(answer))
            .count();
        (sent, shed as u64)
    }

    /// Something happened that must never happen.
    pub fn alarm(&self, property: &'static str, found: String) {
        self.lock(&self.alarms).push(Violation { property, found });
    }

    /// All alarms so far.
    pub fn alarms(&self) -> Vec<Violation> {
        self.lock(&self.alarms).clone()
    }

    /// Whether a member is being replaced.
    pub fn is_changing(&self) -> bool {
        *self.lock(&self.errands_left) > 0
    }

    /// From here on nothing goes wrong any more.
    pub fn heal(&self) {
        self.aimer.disarm();
        self.provider.heal();
        self.faults.change(|rates| *rates = Rates::default());
        self.wires.mend_all();
        for machine in &self.machines {
            *self.lock(&machine.life.panics_at) = None;
            machine.disk.heal();
            machine.pace.go_on();
            machine.hands.set_right();
            self.resume(machine.node);
            self.restart(machine.node);
        }
    }

    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        mutex.lock().expect("nobody panics holding it")
    }
}

impl Door for World {
    async fn exchange(&self, at: u64, request: Request<Bytes>) -> Option<Answer> {
        let Some(alive) = self.somebody(at) else {
            // Connection refused; a real client would find out as quickly.
            tokio::time::sleep(Duration::from_millis(at % 20 + 1)).await;
            return None;
        };
        let (reply, answer) = oneshot::channel();
        alive
            .inbox
            .send((request.map(Full::new), reply))
            .await
            .ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    fn nodes(&self) -> u64 {
        self.members().len() as u64
    }

    fn cut_off(&self) -> Option<u64> {
        let members = self.members();
        let meets = |a: usize, b: usize| a == b || !self.wires.is_cut(a, b);
        let alone = members.iter().position(|node| {
            let met = members.iter().filter(|other| meets(*node, **other));
            met.count() <= members.len() / 2 && self.alive(*node).is_some()
        });
        alone.map(|at| at as u64)
    }

    fn home_of(&self, order: OrderId) -> Option<(u64, u64)> {
        let leader = self.leader(order.home().0.into())?;
        let at = self.members().iter().position(|node| *node == leader)?;
        Some((at as u64, self.machines[leader].hands.now_ms()))
    }

    async fn keep_busy(&self, order: OrderId, for_ms: u64) {
        let nothing = Command::RecordHeld {
            order,
            legs: Vec::new(),
        };
        let nothing = proto::encode_command(&nothing);
        let until = elapsed() + Duration::from_millis(for_ms);
        while elapsed() < until {
            let Some(alive) = self.home_of(order).and_then(|(at, _)| self.somebody(at)) else {
                return;
            };
            let request = Request::post(format!("{PROPOSE}/{}", order.home().0))
                .body(Full::new(nothing.clone()))
                .expect("a well formed request");
            let (reply, _) = oneshot::channel();
            // Nobody wants the answer.
            let _ = alive.inbox.try_send((request, reply));
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    fn now_ms(&self) -> u64 {
        world_now_ms()
    }

    fn elapsed(&self) -> Duration {
        elapsed()
    }
}

/// Where files of a kind lie, and how their names end.
fn folder(file: Spoiled) -> (&'static str, &'static str) {
    match file {
        Spoiled::Log | Spoiled::Tail => ("wal/", ".seg"),
        Spoiled::Snapshot => ("snapshots/", ""),
    }
}

async fn labour(mut deeds: mpsc::UnboundedReceiver<Deed>) {
    while let Some(deed) = deeds.recv().await {
        tokio::spawn(deed);
    }
}

async fn serve(router: Router, mut calls: mpsc::Receiver<Call>, faults: Arc<Faults>) {
    while let Some((request, reply)) = calls.recv().await {
        let router = router.clone();
        let faults = faults.clone();
        tokio::spawn(async move {
            let request = request.map(axum::body::Body::new);
            let response = router
                .oneshot(request)
                .await
                .expect("the router is infallible");
            let status = response.status().as_u16();
            let headers = response.headers().clone();
            let Ok(body) = response.into_body().collect().await else {
                return;
            };
            if faults.loses_reply() {
                return;
            }
            // Whoever asked may have given up.
            let _ = reply.send(Answer {
                status,
                headers,
                body: body.to_bytes(),
            });
        });
    }
}
