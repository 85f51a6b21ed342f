//! How a node is doing, and how its peers say that they are: room on the disk, clocks, groups that
//! do not move. Nothing here decides what is committed; it says who had better not lead, and what
//! operators are woken for.

mod clocks;
mod hand_over;
pub(crate) mod vitals;
pub(crate) mod watchdog;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub use self::clocks::PeerClock;
pub use self::watchdog::{Cause, Stuck};
use crate::admission::Part;
use crate::config::NodeConfig;
use crate::platform::Clock;
use crate::storage::{Level, Room};
use crate::transport::peer;

/// What a peer said longer ago than this says nothing any more.
const FRESH: Duration = Duration::from_secs(5);

/// Why a node had better not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its disk is all but full.
    Room,
    /// Its clock is far from most of its peers'.
    Clock,
    /// It stops.
    Leaving,
}

impl Unfit {
    fn of(level: Level, clock_is_far: bool) -> Option<Self> {
        match level > Level::Ample {
            true => Some(Self::Room),
            false => clock_is_far.then_some(Self::Clock),
        }
    }
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Room => "its disk is full",
            Self::Clock => "its clock is wrong",
            Self::Leaving => "it is being stopped",
        })
    }
}

/// What a peer said of itself last.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Duration,
    clock: PeerClock,
    level: Level,
    clock_is_far: bool,
    leaving: bool,
    /// Its clock's offset was complained of.
    warned: bool,
}

/// See the module.
pub struct Health {
    config: Arc<NodeConfig>,
    clock: Arc<dyn Clock>,
    room: Arc<Room>,
    peers: Mutex<BTreeMap<u64, Heard>>,
    clock_is_far: AtomicBool,
    leaving: AtomicBool,
    stuck: Mutex<Vec<Stuck>>,
}

impl Health {
    pub(crate) fn new(
        config: Arc<NodeConfig>,
        clock: Arc<dyn Clock>,
        room: Arc<Room>,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            clock,
            room,
            peers: Mutex::default(),
            clock_is_far: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            stuck: Mutex::default(),
        })
    }

    /// The room on its disk.
    pub fn room(&self) -> &Room {
        &self.room
    }

    pub(crate) fn shared_room(&self) -> Arc<Room> {
        self.room.clone()
    }

    /// How far the clocks of those who answered lately are from this node's, by node.
    pub fn clocks(&self) -> BTreeMap<u64, PeerClock> {
        let now = self.clock.monotonic();
        let peers = self.peers();
        let fresh = peers.iter().filter(|(_, heard)| heard.is_fresh(now));
        fresh.map(|(node, heard)| (*node, heard.clock)).collect()
    }

    /// Whether this node's clock is far from most of its peers'.
    pub fn clock_is_far(&self) -> bool {
        self.clock_is_far.load(Ordering::Relaxed)
    }

    /// What does not move although it should.
    pub fn stuck(&self) -> Vec<Stuck> {
        self.stuck.lock().expect(POISONED).clone()
    }

    /// Why this node had better not lead, if so.
    pub fn unfit(&self) -> Option<Unfit> {
        Unfit::of(self.room.level(), self.clock_is_far())
    }

    /// Why a peer had better not lead, by its own account; nothing is known of one that is silent.
    pub(crate) fn unfit_peer(&self, node: u64) -> Option<Unfit> {
        let now = self.clock.monotonic();
        let peers = self.peers();
        let heard = peers.get(&node).filter(|heard| heard.is_fresh(now))?;
        heard.unfit()
    }

    /// Those who answered lately and have nothing against leading.
    fn fit_peers(&self) -> Vec<u64> {
        let now = self.clock.monotonic();
        let peers = self.peers();
        let fit = peers
            .iter()
            .filter(|(_, heard)| heard.is_fresh(now) && heard.unfit().is_none());
        fit.map(|(node, _)| *node).collect()
    }

    /// Whether each of these, this node or a peer, has room for new demand, as far as is known.
    pub(crate) fn have_room(&self, mut nodes: impl Iterator<Item = u64>) -> bool {
        let now = self.clock.monotonic();
        let peers = self.peers();
        let lacks = |node| {
            let heard = peers.get(&node).filter(|heard| heard.is_fresh(now));
            heard.is_some_and(|heard| heard.level > Level::Ample)
        };
        nodes.all(|node| match node == self.config.node_id {
            true => self.room.level() == Level::Ample,
            false => !lacks(node),
        })
    }

    /// What is told to peers.
    pub(crate) fn vitals(&self, part: Part) -> peer::Vitals {
        peer::Vitals {
            part: part as u32,
            now_ms: self.clock.now_ms(),
            room: self.room.level() as u32,
            clock_is_far: self.clock_is_far(),
            leaving: self.leaving.load(Ordering::Relaxed),
        }
    }

    /// From now on this node says that it stops; false when it said so before.
    pub(crate) fn leave(&self) -> bool {
        !self.leaving.swap(true, Ordering::Relaxed)
    }

    /// A peer that stops says so without being asked: whoever hears it has it lead nothing more. Its
    /// clock and its room are as they were; of a peer that is not known nothing is kept.
    pub(crate) fn told(&self, node: u64, vitals: &peer::Vitals) {
        if let Some(heard) = self.peers().get_mut(&node) {
            heard.leaving = vitals.leaving;
        }
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<u64, Heard>> {
        self.peers.lock().expect(POISONED)
    }
}

const POISONED: &str = "nothing panics with this lock";

impl Heard {
    fn is_fresh(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) <= FRESH
    }

    fn unfit(&self) -> Option<Unfit> {
        match self.leaving {
            true => Some(Unfit::Leaving),
            false => Unfit::of(self.level, self.clock_is_far),
        }
    }
}
