//! A node: its groups' replicas, its links, and the service for its peers, started together and
//! stopped together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::acquaint;
use crate::admission::{self, Admission};
use crate::applier::{Applied, Applier, index_of};
use crate::client::Client;
use crate::config::NodeConfig;
use crate::error::{AdminError, InitializeError, StartError};
use crate::freshness::{self, Freshness};
use crate::group::{Group, Leader};
use crate::health::{Health, vitals, watchdog};
use crate::leader::{Duty, Supervisor};
use crate::machine::Machine;
use crate::obituary;
use crate::platform::Platform;
use crate::propose::Proposer;
use crate::status::{GroupStatus, Role};
use crate::storage::{
    LogStore, Room, SnapshotStore, Storage, StorageError, StorageOptions, WalCounters,
};
use crate::tasks::Task;
use crate::transport::departures::Voters;
use crate::transport::link::Links;
use crate::transport::network::Factory;
use crate::transport::server::{Connections, Served, listen};
use crate::transport::traffic::Traffic;
use crate::types::{Peer, Raft};
use crate::watch;

/// How long a node that stops waits for its leaderships to move.
const HAND_OVER: Duration = Duration::from_secs(2);
/// How long it waits for connections to close.
const HANG_UP: Duration = Duration::from_secs(1);

/// Why a node should not go on: a replica's consensus died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The group, or `None` when the service for peers failed.
    pub group: Option<u32>,
    /// What happened.
    pub reason: String,
    /// It does not move any more: stopping it in good order might never end.
    pub stuck: bool,
}

/// What every part of a running node may use.
pub(crate) struct Shared {
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) platform: Platform,
    pub(crate) links: Arc<Links>,
    pub(crate) groups: BTreeMap<u32, Arc<Group>>,
    pub(crate) health: Arc<Health>,
    pub(crate) admission: Arc<Admission>,
    stopping: AtomicBool,
}

impl Shared {
    /// A group of this node, unless the node is stopping.
    pub(crate) fn group(&self, group: u32) -> Option<&Arc<Group>> {
        if self.stopping.load(Ordering::Relaxed) {
            return None;
        }
        self.groups.get(&group)
    }
}

/// A running node. Dropped, it stops at once, as after a crash but with its files closed.
pub struct Node {
    pub(crate) shared: Arc<Shared>,
    failures: watch::Receiver<Option<Failure>>,
    wal: Arc<WalCounters>,
    traffic: Arc<Traffic>,
    /// Taken by the first who stops it.
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Node {
    /// Opens the data directory, restores every group and begins to serve peers.
    ///
    /// `machines` are fresh ones, one a configured group; their state comes from snapshot and log.
    pub async fn start(
        config: NodeConfig,
        platform: Platform,
        machines: BTreeMap<u32, Box<dyn Machine>>,
        duties: Vec<Arc<dyn Duty>>,
    ) -> Result<Self, StartError> {
        let options = StorageOptions::default();
        Self::start_with(config, platform, options, machines, duties).await
    }

    /// The same, with storage options of one's own.
    pub async fn start_with(
        config: NodeConfig,
        platform: Platform,
        options: StorageOptions,
        mut machines: BTreeMap<u32, Box<dyn Machine>>,
        duties: Vec<Arc<dyn Duty>>,
    ) -> Result<Self, StartError> {
        config.validate()?;
        let config = Arc::new(config);
        if let Some(extra) = machines.keys().find(|group| !config.groups.contains(group)) {
            return Err(StartError::Machines { group: *extra });
        }
        check_listen(&config).await?;
        let (cluster, node) = (config.cluster_id, config.node_id);
        let options = StorageOptions {
            supports: config.supports,
            ..options
        };
        // Watched from the start: a node that starts on a full disk waits, and says why.
        let room = Arc::new(Room::default());
        let watched = room.attended();
        let watched = Task::spawn(watched.keep(platform.disk.clone(), config.keep_free_bytes));
        let health = Health::new(config.clone(), platform.clock.clone(), room.clone());
        let storage = Storage::open_in(platform.clone(), cluster, node, options, room).await?;
        let wal = storage.counters();
        let mark = storage.mark().await?;
        let blank = mark.is_none() && storage.is_blank();
        let admission = Arc::new(Admission::new(blank, mark.as_deref()));
        let epoch = platform.entropy.next_u64();
        let traffic = Arc::<Traffic>::default();
        let links = Links::new(config.clone(), epoch, traffic.clone());

        let mut groups = BTreeMap::new();
        let mut published = BTreeMap::new();
        for &id in &config.groups {
            let machine = machines
                .remove(&id)
                .ok_or(StartError::Machines { group: id })?;
            let (log, snapshots) = storage.group(id);
            let (voters, known_voters) = watch::channel(Voters::new());
            let network = Factory {
                config: config.clone(),
                epoch,
                group: id,
                links: links.clone(),
                appended: log.appended(),
                voters: known_voters,
            };
            let stored = (log, snapshots);
            let (group, leader) =
                open_group(&config, &platform, &health, stored, id, machine, network).await?;
            groups.insert(id, Arc::new(group));
            published.insert(id, (leader, voters));
        }
        let shared = Arc::new(Shared {
            config: config.clone(),
            platform: platform.clone(),
            links,
            groups: groups.clone(),
            health: health.clone(),
            admission: admission.clone(),
            stopping: AtomicBool::new(false),
        });
        let served = Arc::new(Served {
            config: config.clone(),
            clock: platform.clock.clone(),
            groups,
            links: Connections::default(),
            health,
            admission,
            disk: platform.disk.clone(),
            traffic: traffic.clone(),
        });
        let (failed, failures) = watch::channel(None);
        let client = Client {
            shared: shared.clone(),
        };
        let groups = shared.groups.values();
        let mut keepers: Vec<Task> = groups
            .map(|group| Task::spawn(freshness::keep(client.clone(), group.clone())))
            .collect();
        keepers.push(Task::spawn(acquaint::keep(client.clone())));
        let groups = shared.groups.values();
        keepers
            .extend(groups.map(|group| Task::spawn(obituary::keep(client.clone(), group.clone()))));
        keepers.push(Task::spawn(vitals::keep(client.clone())));
        let watching = watchdog::keep(client.clone(), wal.clone(), failed.clone());
        keepers.push(Task::spawn(watching));
        keepers.push(watched);
        let admitted = admission::keep(client.clone(), failed.clone());
        keepers.push(Task::spawn(admitted));
        let supervisors = published
            .into_iter()
            .map(|(id, (published, voters))| {
                let supervisor = Supervisor {
                    group: shared.groups[&id].clone(),
                    platform: platform.clone(),
                    client: client.clone(),
                    duties: duties.clone(),
                    published,
                    voters,
                };
                Task::spawn(watch_over(shared.clone(), supervisor, failed.clone()))
            })
            .collect();
        let (hang_up, hung_up) = oneshot::channel();
        let serving = Task::spawn(serve_peers(served.clone(), hung_up, failed));
        let (stop, told) = oneshot::channel();
        let stopped = tokio::spawn(stop_when_told(
            told,
            Running {
                shared: shared.clone(),
                served,
                supervisors,
                keepers,
                serving,
                hang_up,
                storage,
            },
        ));
        Ok(Self {
            shared,
            failures,
            wal,
            traffic,
            stop: Mutex::new(Some((stop, stopped))),
        })
    }

    /// Brings the cluster into being: every group with all configured peers as its voters. To be
    /// called once, on one node; asked again it changes nothing and says so. If it was cut short,
    /// asking again finishes it. Two nodes asked at once do no harm: their peers are the same.
    pub async fn initialize(&self) -> Result<(), InitializeError> {
        let members: BTreeMap<u64, Peer> = self
            .shared
            .config
            .peers
            .iter()
            .map(|(node, address)| (*node, Peer::new(address)))
            .collect();
        // Not one that exists: there is nothing to found, and some members may be away.
        if self
            .shared
            .groups
            .values()
            .any(|group| group.raft.voter_ids().next().is_none())
        {
            admission::found(&self.client()).await?;
        }
        let mut created = false;
        for group in self.shared.groups.values() {
            use openraft::error::{InitializeError as Refused, RaftError};
            match group.raft.initialize(members.clone()).await {
                Ok(()) => created = true,
                Err(RaftError::APIError(Refused::NotAllowed(_))) => {}
                Err(error) => {
                    return Err(InitializeError::Group {
                        group: group.id,
                        reason: error.to_string(),
                    });
                }
            }
        }
        if created {
            Ok(())
        } else {
            Err(InitializeError::AlreadyInitialized)
        }
    }

    /// From now on this data directory needs a release that supports this version: older ones
    /// refuse to start on it. Durable when this returns.
    pub async fn needs_version(&self, version: u32) -> Result<(), StorageError> {
        let (config, platform) = (&self.shared.config, &self.shared.platform);
        Storage::needs_version(platform, config.cluster_id, config.node_id, version).await
    }

    /// For commands and reads.
    #[must_use]
    pub fn client(&self) -> Client {
        Client {
            shared: self.shared.clone(),
        }
    }

    /// Every replica of this node.
    #[must_use]
    pub fn status(&self) -> Vec<GroupStatus> {
        let groups = self.shared.groups.values();
        groups.map(|group| GroupStatus::of(group)).collect()
    }

    /// The same with each machine's digest, which costs a walk through all of its state.
    #[must_use]
    pub fn status_with_digests(&self) -> Vec<GroupStatus> {
        let groups = self.shared.groups.values();
        groups
            .map(|group| GroupStatus::with_digest(group))
            .collect()
    }

    /// What its write-ahead log has done since it was opened.
    #[must_use]
    pub fn wal(&self) -> &WalCounters {
        &self.wal
    }

    /// What it has sent to its peers.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.shared.health
    }

    /// Whether those who lead have room on their disks for what new demand writes, as far as this
    /// node knows.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let groups = self.shared.groups.values();
        let leaders = groups.filter_map(|group| group.leader.borrow().node);
        self.shared.health.have_room(leaders)
    }

    /// How far a replica has applied its log, as it goes on.
    #[must_use]
    pub fn applied(&self, group: u32) -> Option<watch::Receiver<Applied>> {
        Some(self.shared.groups.get(&group)?.applied.clone())
    }

    /// How old what this replica shows is at most, in ms: it shows everything that was committed
    /// so long ago. `u64::MAX` while nothing is known. See [`Self::is_read`].
    #[must_use]
    pub fn age_ms(&self, group: u32) -> u64 {
        let now = self.shared.platform.clock.monotonic();
        let group = self.shared.groups.get(&group);
        group.map_or(u64::MAX, |group| group.freshness.age_ms(now))
    }

    /// Somebody reads this replica: its age is kept small for a while.
    pub fn is_read(&self, group: u32) {
        if let Some(group) = self.shared.groups.get(&group) {
            group.freshness.is_read();
        }
    }

    /// Hands a group's leadership to another voter.
    pub async fn move_leader(&self, group: u32, to: u64) -> Result<(), AdminError> {
        let deadline = Duration::from_millis(2 * self.shared.config.election_max_ms);
        self.client().move_leader(group, to, deadline).await
    }

    /// Has a snapshot of a group built now, beside the ones built every so many entries.
    pub async fn build_snapshot(&self, group: u32) -> Result<(), AdminError> {
        let group = self.shared.group(group).ok_or(AdminError::Stopped)?;
        let triggered = group.raft.trigger().snapshot().await;
        triggered.map_err(|fatal| AdminError::Refused(fatal.to_string()))
    }

    /// Has this node stand for election in a group now, without asking first whether it would win:
    /// for tests, and to get rid of a leader that answers nobody.
    pub async fn stand(&self, group: u32) -> Result<(), AdminError> {
        let group = self.shared.group(group).ok_or(AdminError::Stopped)?;
        let triggered = group.raft.trigger().elect(false).await;
        triggered.map_err(|fatal| AdminError::Refused(fatal.to_string()))
    }

    /// Has the log of a group forget what its newest snapshot covers, all of it, beside what is
    /// purged with every snapshot. Nodes that are behind then need the snapshot.
    pub async fn purge(&self, group: u32) -> Result<(), AdminError> {
        let group = self.shared.group(group).ok_or(AdminError::Stopped)?;
        let Some(covered) = group.metrics().snapshot.map(|last| last.index()) else {
            return Ok(());
        };
        let triggered = group.raft.trigger().purge_log(covered).await;
        triggered.map_err(|fatal| AdminError::Refused(fatal.to_string()))
    }

    /// Waits until the node should not go on; the process should then exit.
    pub async fn failed(&self) -> Failure {
        let mut failures = self.failures.clone();
        match failures.until(Option::is_some).await {
            Some(Some(failure)) => failure,
            // Nobody is left to report: the node was stopped in order.
            _ => std::future::pending().await,
        }
    }

    /// Hands over what it still leads, stops, and closes its files. Asked again it does nothing.
    pub async fn shutdown(&self) {
        let taken = self.stop.lock().expect("nobody panics holding it").take();
        let Some((stop, stopped)) = taken else { return };
        self.hand_over().await;
        // Its receiver is alive: it runs until told.
        let _ = stop.send(());
        let _ = stopped.await;
    }

    /// Says that it stops, hands over what it leads to other voters, and waits a while until they lead.
    /// Nobody has it lead again.
    pub async fn hand_over(&self) {
        vitals::take_leave(&self.client()).await;
        let until = self.shared.platform.clock.monotonic() + HAND_OVER;
        for group in self.shared.groups.values() {
            if let Some(heir) = heir(group) {
                // If it stays, the others elect somebody after a silence.
                let _ = group.raft.trigger().transfer_leader(heir).await;
            }
        }
        let me = self.shared.config.node_id;
        for group in self.shared.groups.values() {
            let left = until.saturating_sub(self.shared.platform.clock.monotonic());
            if heir(group).is_none() {
                continue;
            }
            let mut leader = group.leader.clone();
            let gone = leader.until(|leader| leader.node != Some(me));
            let _ = tokio::time::timeout(left, gone).await;
        }
    }
}

/// The voter who is furthest, if this node leads and there is another one. Those who had better not
/// lead come last.
fn heir(group: &Group) -> Option<u64> {
    let heirs = heirs(group).into_iter();
    let best = heirs.max_by_key(|(voter, matched)| {
        let fit = group.health.unfit_peer(*voter).is_none();
        (fit, *matched, std::cmp::Reverse(*voter))
    });
    best.map(|(voter, _)| voter)
}

/// The other voters of a group that this node leads, each with how far its log is known to be.
pub(crate) fn heirs(group: &Group) -> Vec<(u64, u64)> {
    let status = GroupStatus::of(group);
    if status.role != Role::Leader {
        return Vec::new();
    }
    let me = *group.raft.node_id();
    let replication = group.metrics().replication.unwrap_or_default();
    let others = status.voters.into_iter().filter(|voter| *voter != me);
    let matched = |voter: &u64| index_of(&replication.get(voter).cloned().flatten());
    others.map(|voter| (voter, matched(&voter))).collect()
}

/// Finds out early, and with a plain error, that the address is not to be had.
async fn check_listen(config: &NodeConfig) -> Result<(), StartError> {
    let address = config.listen;
    match TcpListener::bind(address).await {
        Ok(listener) => {
            drop(listener);
            Ok(())
        }
        Err(source) => Err(StartError::Listen { address, source }),
    }
}

async fn open_group(
    config: &Arc<NodeConfig>,
    platform: &Platform,
    health: &Arc<Health>,
    (log, snapshots): (LogStore, SnapshotStore),
    id: u32,
    machine: Box<dyn Machine>,
    network: Factory,
) -> Result<(Group, watch::Sender<Leader>), StartError> {
    let refused = |reason: String| StartError::Group { group: id, reason };
    let witness = config.witness.clone();
    let (applier, replica, applied) =
        Applier::open(id, machine, snapshots.clone(), witness).await?;
    let raft_config = config
        .raft()
        .validate()
        .map_err(|error| refused(error.to_string()))?;
    let raft_config = Arc::new(raft_config);
    let raft = Raft::new(config.node_id, raft_config, network, log.clone(), applier)
        .await
        .map_err(|error| refused(error.to_string()))?;
    // Nobody else can vote: there is no silence to wait for.
    let voters: Vec<u64> = raft.voter_ids().collect();
    if voters == [config.node_id] {
        let elected = raft.trigger().elect(false).await;
        elected.map_err(|error| refused(error.to_string()))?;
    }
    let (published, leader) = watch::channel(Leader::default());
    let room = health.shared_room();
    let proposer = Proposer::new(id, config.clone(), platform.clock.clone(), room);
    let group = Group {
        id,
        config: config.clone(),
        raft,
        replica,
        applied,
        leader,
        proposer,
        freshness: Freshness::default(),
        log,
        snapshots,
        health: health.clone(),
    };
    Ok((group, published))
}

/// Runs a group's supervisor; a replica that stops while the node does not is a failure.
async fn watch_over(
    shared: Arc<Shared>,
    supervisor: Supervisor,
    failed: watch::Sender<Option<Failure>>,
) {
    let group = supervisor.group.id;
    let reason = supervisor.run(shared.config.node_id).await;
    if !shared.stopping.load(Ordering::Relaxed) {
        tracing::error!(group, reason, "consensus stopped; this node should exit");
        let group = Some(group);
        let stuck = false;
        failed.publish(Some(Failure {
            group,
            reason,
            stuck,
        }));
    }
}

async fn serve_peers(
    served: Arc<Served>,
    hang_up: oneshot::Receiver<()>,
    failed: watch::Sender<Option<Failure>>,
) {
    let address = served.config.listen;
    let told = async {
        // Told, or nobody is left to tell.
        let _ = hang_up.await;
    };
    let ended = listen(served, told).await;
    if let Err(error) = ended {
        let reason = format!("the service for peers on {address}: {error}");
        tracing::error!(reason, "this node should exit");
        failed.publish(Some(Failure {
            group: None,
            reason,
            stuck: false,
        }));
    }
}

/// Everything that has to be stopped, in the order in which it is.
struct Running {
    shared: Arc<Shared>,
    served: Arc<Served>,
    supervisors: Vec<Task>,
    keepers: Vec<Task>,
    serving: Task,
    hang_up: oneshot::Sender<()>,
    storage: Storage,
}

async fn stop_when_told(told: oneshot::Receiver<()>, running: Running) {
    // An error means that the node was dropped.
    let _ = told.await;
    let Running {
        shared,
        served,
        supervisors,
        keepers,
        mut serving,
        hang_up,
        storage,
    } = running;
    shared.stopping.store(true, Ordering::Relaxed);
    drop(supervisors);
    drop(keepers);
    let _ = hang_up.send(());
    served.links.close();
    shared.links.close();
    let _ = tokio::time::timeout(HANG_UP, serving.ended()).await;
    for group in shared.groups.values() {
        if let Err(error) = group.raft.shutdown().await {
            tracing::error!(group = group.id, %error, "consensus did not stop in order");
        }
    }
    storage.close().await;
}
