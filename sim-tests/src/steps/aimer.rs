//! Watches every leader's entries, and kills the one that a plan names when it gets there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use ledger::outcome::Rejection;
use ledger::{BuyerId, Command, Ledger, OrderId, ShardId, Timestamp};
use raft_node::witness::{Application, Proposal, Replication, Restoration, Witness};
use tokio::sync::mpsc;

use super::aim::{Aim, Moment, Whose};
use super::due::{is_due, was_swept};
use super::post::Post;
use super::step::Step;
use crate::history::History;
use crate::logbook::LogBook;
use crate::platform::elapsed;
use crate::seed::Stream;
use crate::world::World;

/// How many crashes hit a step, by whose leader died and when.
pub type Shots = BTreeMap<(Step, Whose, Moment), u64>;

/// The aims of a run and what became of them.
pub struct Aimer {
    world: OnceLock<Weak<World>>,
    history: Arc<History>,
    /// Everything that replicas apply.
    pub book: LogBook,
    chance: Stream,
    /// Percent of cross-shard orders without a plan that get one.
    wild_percent: u64,
    chores: mpsc::UnboundedSender<Chore>,
    inner: Mutex<Inner>,
}

/// What is left to somebody who survives the node.
pub enum Chore {
    /// A fuse burns so long.
    Burn(u64, Duration),
    /// A node stays down so long.
    Raise(usize, Duration),
}

#[derive(Default)]
struct Inner {
    over: bool,
    plans: BTreeMap<BuyerId, Vec<Aim>>,
    orders: BTreeMap<OrderId, Tracked>,
    post: Post,
    fuses: BTreeMap<u64, Fuse>,
    next_fuse: u64,
    shots: Shots,
    crashes: u64,
}

/// An order that spans shards.
#[derive(Default)]
struct Tracked {
    legs: Vec<ShardId>,
    aims: Vec<Aim>,
    /// What a tick that was proposed will sweep of it.
    due: Vec<Step>,
    hit: bool,
}

/// A leader that is about to die.
struct Fuse {
    /// The stamp's chance: names the entry.
    draw: [u8; 32],
    victim: usize,
    aims: Vec<(OrderId, Aim)>,
}

/// A node's eyes.
pub struct Eyes {
    /// Whose.
    pub node: usize,
    /// Whom they tell.
    pub aimer: Arc<Aimer>,
}

impl Witness for Eyes {
    fn proposed(&self, proposal: Proposal<'_>) {
        self.aimer.book.proposed(proposal.stamp.draw);
        self.aimer.proposed(self.node, proposal);
    }

    fn applied(&self, application: Application<'_>) {
        self.aimer.applied(self.node, application);
    }

    fn replicated(&self, replication: Replication<'_>) {
        self.aimer.book.replicated(self.node, replication);
    }

    fn restored(&self, restoration: Restoration<'_>) {
        self.aimer.book.restored(self.node, restoration);
    }

    fn leads(&self, group: u32, term: u64) {
        self.aimer.book.leads(self.node, group, term);
    }
}

impl Aimer {
    /// An aimer without a world yet, and its chores.
    pub fn new(
        seed: u64,
        wild_percent: u64,
        history: Arc<History>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Chore>) {
        let (chores, todo) = mpsc::unbounded_channel();
        let aimer = Arc::new(Self {
            world: OnceLock::new(),
            history,
            book: LogBook::new(elapsed),
            chance: Stream::new(seed, "aims"),
            wild_percent,
            chores,
            inner: Mutex::default(),
        });
        (aimer, todo)
    }

    /// The world it acts in.
    pub fn enter(&self, world: &Arc<World>) {
        let fresh = self.world.set(Arc::downgrade(world)).is_ok();
        assert!(fresh, "an aimer acts in one world");
    }

    /// What this buyer's next order that spans shards is in for.
    pub fn plan(&self, buyer: BuyerId, aims: Vec<Aim>) {
        self.lock().plans.insert(buyer, aims);
    }

    /// From here on nobody dies any more.
    pub fn disarm(&self) {
        let mut inner = self.lock();
        inner.over = true;
        inner.fuses.clear();
    }

    /// What was hit, how many crashes that took, and messages that changed on their way.
    pub fn score(&self) -> (Shots, u64, Vec<String>) {
        let inner = self.lock();
        (
            inner.shots.clone(),
            inner.crashes,
            inner.post.changed.clone(),
        )
    }

    /// Every order that spanned shards, and whether a crash hit it.
    pub fn orders(&self) -> Vec<(OrderId, bool)> {
        let inner = self.lock();
        inner.orders.iter().map(|(id, of)| (*id, of.hit)).collect()
    }

    /// Does the chores; runs outside of every node.
    pub async fn run(self: Arc<Self>, mut todo: mpsc::UnboundedReceiver<Chore>) {
        while let Some(chore) = todo.recv().await {
            let aimer = self.clone();
            tokio::spawn(async move {
                match chore {
                    Chore::Burn(fuse, after) => {
                        tokio::time::sleep(after).await;
                        let mut inner = aimer.lock();
                        if let Some(fuse) = inner.fuses.remove(&fuse) {
                            aimer.strike(&mut inner, fuse.victim, &fuse.aims, Moment::Appended);
                        }
                    }
                    Chore::Raise(node, after) => {
                        tokio::time::sleep(after).await;
                        if let Some(world) = aimer.world() {
                            aimer
                                .history
                                .note(&format!("aimed: node {} starts", node + 1));
                            world.restart(node);
                        }
                    }
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics holding it")
    }

    fn world(&self) -> Option<Arc<World>> {
        self.world.get().and_then(Weak::upgrade)
    }

    fn proposed(&self, node: usize, proposal: Proposal<'_>) {
        let Some(world) = self.world().filter(|world| !world.is_down(node)) else {
            return;
        };
        let mut inner = self.lock();
        if inner.over {
            return;
        }
        let now = Timestamp(proposal.stamp.at_ms);
        let group = proposal.group;
        let mut touched = Vec::new();
        for command in decoded(group, proposal.commands) {
            if let Command::OpenOrder(open) = &command {
                self.opened(&mut inner, open);
            }
            match &command {
                Command::Deliver {
                    from,
                    first,
                    messages,
                } => {
                    let said = inner.post.deliver(from.0.into(), group, *first, messages);
                    touched.extend(said.into_iter().map(|(id, kind)| (id, Step::Deliver(kind))));
                }
                Command::Acknowledge { to, through } => {
                    let said = inner.post.acknowledged(group, to.0.into(), *through);
                    let step = |(id, kind)| (id, Step::Acknowledge(kind));
                    touched.extend(said.into_iter().map(step));
                }
                Command::Tick => {
                    look(&world, node, group, |ledger| {
                        touched.extend(inner.due_in(ledger, now))
                    });
                }
                command => touched.extend(Step::of(command)),
            }
        }
        let aims = inner.matching(&touched, Moment::Appended);
        let Some((victim, aims)) = self.resolve(&world, &inner, node, aims) else {
            return;
        };
        let fuse_us = aims[0].1.fuse_us;
        if fuse_us < 1_000 {
            self.strike(&mut inner, victim, &aims, Moment::Appended);
            return;
        }
        let number = inner.next_fuse;
        inner.next_fuse += 1;
        let fuse = Fuse {
            draw: proposal.stamp.draw,
            victim,
            aims,
        };
        inner.fuses.insert(number, fuse);
        // The runner outlives every node.
        let _ = self
            .chores
            .send(Chore::Burn(number, Duration::from_micros(fuse_us)));
    }

    fn applied(&self, node: usize, application: Application<'_>) {
        let Some(world) = self.world().filter(|world| !world.is_down(node)) else {
            return;
        };
        let mut inner = self.lock();
        if inner.over {
            return;
        }
        let group = application.group;
        // Faster than the fuse: the entry is in the machine, the leader dies now all the same.
        let draw = application.entry.stamp.draw;
        let burning = inner.fuses.iter().find(|(_, fuse)| fuse.draw == draw);
        if let Some(number) = burning.map(|(number, _)| *number) {
            let fuse = inner.fuses.remove(&number).expect("found a moment ago");
            self.strike(&mut inner, fuse.victim, &fuse.aims, Moment::Applied);
            return;
        }
        let mut touched = Vec::new();
        let commands = decoded(group, application.entry.commands);
        for (command, outcome) in commands.iter().zip(application.outcomes) {
            let Ok(outcome) = proto::decode_outcome(outcome) else {
                continue;
            };
            match (command, outcome) {
                (Command::HoldLeg(hold), Err(why)) if why != Rejection::LegOver => {
                    touched.push((hold.leg.order, Step::RefuseLeg));
                }
                (_, Err(_)) => {}
                (
                    Command::Deliver {
                        from,
                        first,
                        messages,
                    },
                    Ok(_),
                ) => {
                    let said = inner.post.deliver(from.0.into(), group, *first, messages);
                    touched.extend(said.into_iter().map(|(id, kind)| (id, Step::Deliver(kind))));
                }
                (Command::Acknowledge { to, through }, Ok(_)) => {
                    let said = inner.post.acknowledged(group, to.0.into(), *through);
                    let step = |(id, kind)| (id, Step::Acknowledge(kind));
                    touched.extend(said.into_iter().map(step));
                    inner.post.forget(group, to.0.into(), *through);
                }
                (Command::Tick, Ok(_)) => {
                    look(&world, node, group, |ledger| {
                        touched.extend(inner.swept_in(ledger))
                    });
                }
                (command, Ok(_)) => touched.extend(Step::of(command)),
            }
        }
        let aims = inner.matching(&touched, Moment::Applied);
        if let Some((victim, aims)) = self.resolve(&world, &inner, node, aims) {
            self.strike(&mut inner, victim, &aims, Moment::Applied);
        }
    }

    /// The first word of an order: it gets the aims planned for its buyer, or by chance.
    fn opened(&self, inner: &mut Inner, open: &ledger::command::OpenOrder) {
        let home = open.order.home();
        if open.legs.iter().all(|leg| leg.shard == home) || inner.orders.contains_key(&open.order) {
            return;
        }
        let aims = match inner.plans.remove(&open.buyer) {
            Some(aims) => aims,
            None if self.wild_percent > 0 && self.chance.percent(self.wild_percent) => {
                vec![Aim::anywhere(&self.chance)]
            }
            None => Vec::new(),
        };
        let tracked = Tracked {
            legs: open.legs.iter().map(|leg| leg.shard).collect(),
            aims,
            ..Tracked::default()
        };
        inner.orders.insert(open.order, tracked);
    }

    /// Who dies for these aims, and which of them that serves.
    fn resolve(
        &self,
        world: &World,
        inner: &Inner,
        node: usize,
        aims: Vec<(OrderId, Aim)>,
    ) -> Option<(usize, Vec<(OrderId, Aim)>)> {
        let victim = |(id, aim): &(OrderId, Aim)| match aim.whose {
            Whose::Here => node,
            Whose::There => {
                let legs = &inner.orders[id].legs;
                let shard = if aim.step.is_home() {
                    let away: Vec<_> = legs.iter().filter(|leg| **leg != id.home()).collect();
                    *away[id.0 as usize % away.len()]
                } else {
                    id.home()
                };
                world.leader(shard.0.into()).unwrap_or(node)
            }
        };
        let first = victim(aims.first()?);
        let served = aims.into_iter().filter(|aim| victim(aim) == first);
        Some((first, served.collect()))
    }

    fn strike(&self, inner: &mut Inner, victim: usize, aims: &[(OrderId, Aim)], moment: Moment) {
        let Some(world) = self.world() else { return };
        if inner.over || world.is_down(victim) {
            return;
        }
        inner.crashes += 1;
        for (id, aim) in aims {
            *inner
                .shots
                .entry((aim.step, aim.whose, moment))
                .or_default() += 1;
            if let Some(tracked) = inner.orders.get_mut(id) {
                tracked.hit = true;
            }
        }
        let (id, aim) = aims[0];
        self.history.note(&format!(
            "aimed: node {} dies at {} {moment:?} {:?} of {id} (power {})",
            victim + 1,
            aim.step,
            aim.whose,
            aim.power
        ));
        world.kill(victim, aim.power);
        let down = Duration::from_millis(aim.down_ms);
        let _ = self.chores.send(Chore::Raise(victim, down));
    }
}

impl Inner {
    /// Takes the aims whose step this is.
    fn matching(&mut self, touched: &[(OrderId, Step)], moment: Moment) -> Vec<(OrderId, Aim)> {
        let mut matching = Vec::new();
        for (id, step) in touched {
            let Some(tracked) = self.orders.get_mut(id) else {
                continue;
            };
            let hit = |aim: &Aim| aim.step == *step && aim.moment == moment;
            if let Some(at) = tracked.aims.iter().position(hit) {
                tracked.due.retain(|due| due != step);
                matching.push((*id, tracked.aims.remove(at)));
            }
        }
        matching
    }

    /// Orders and legs that a tick would sweep, of those aimed at.
    fn due_in(&mut self, ledger: &Ledger, now: Timestamp) -> Vec<(OrderId, Step)> {
        let now = now.max(ledger.now());
        let mut due = Vec::new();
        for (id, tracked) in &mut self.orders {
            for aim in &tracked.aims {
                if is_due(ledger, *id, tracked.legs.len(), aim.step, now) {
                    tracked.due.push(aim.step);
                    due.push((*id, aim.step));
                }
            }
        }
        due
    }

    /// Which of them it swept.
    fn swept_in(&self, ledger: &Ledger) -> Vec<(OrderId, Step)> {
        let mut swept = Vec::new();
        for (id, tracked) in &self.orders {
            let done = |step: &&Step| was_swept(ledger, *id, &tracked.legs, **step);
            swept.extend(tracked.due.iter().filter(done).map(|step| (*id, *step)));
        }
        swept
    }
}

/// The commands of a ledger's entry.
fn decoded(group: u32, commands: &[Bytes]) -> Vec<Command> {
    if group == cluster::SYSTEM_GROUP {
        return Vec::new();
    }
    commands
        .iter()
        .filter_map(|bytes| proto::decode_command(bytes).ok())
        .collect()
}

/// Shows a node's replica, once the node is up.
fn look(world: &World, node: usize, group: u32, look: impl FnOnce(&Ledger)) {
    let Some(alive) = world.alive(node) else {
        return;
    };
    let shard = u16::try_from(group).map(ShardId).ok();
    if let Some(replica) = shard.and_then(|shard| alive.replicas.ledgers.get(&shard)) {
        replica.look(|ledger, _, _| look(ledger));
    }
}
