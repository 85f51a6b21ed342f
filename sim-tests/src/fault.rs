//! What can go wrong, as data, and how often it did. The number in front of a row is the one of
//! the fault list in docs/simulation.md.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// Something that happens to the cluster at a moment of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Fault {
    /// A node dies and comes back; with `power`, what it had not synced is lost or torn.
    Kill {
        /// Which.
        node: Target,
        /// Whether its disk loses what was not synced.
        power: bool,
        /// How long it stays down.
        down_ms: u64,
    },
    /// All nodes lose power at once.
    PowerCut {
        /// How long they stay down.
        down_ms: u64,
    },
    /// More than half of the nodes die at once.
    KillMajority {
        /// Whether their disks lose what was not synced.
        power: bool,
        /// How long they stay down.
        down_ms: u64,
    },
    /// A node dies again as soon as it is up.
    CrashLoop {
        /// Which.
        node: Target,
        /// How often.
        times: u64,
        /// From one death to the next.
        every_ms: u64,
        /// Whether its power fails, each time in the middle of many writes.
        #[serde(default)]
        power: bool,
    },
    /// A process stands still, and then goes on as if nothing had happened.
    Pause {
        /// Which.
        node: Target,
        /// How long.
        for_ms: u64,
    },
    /// A task panics where a node applies the next entry it proposed in this group.
    Panic {
        /// Whose leader's.
        group: u32,
    },
    /// A node neither hears nor is heard for a while.
    CutOff {
        /// Which.
        node: Target,
        /// How long.
        for_ms: u64,
    },
    /// A node is heard and does not hear.
    Deaf {
        /// Which.
        node: Target,
        /// How long.
        for_ms: u64,
    },
    /// A node hears and is not heard.
    Mute {
        /// Which.
        node: Target,
        /// How long.
        for_ms: u64,
    },
    /// Two halves hear each other through one node only.
    Bridge {
        /// The one.
        node: Target,
        /// How long.
        for_ms: u64,
    },
    /// Everybody hears two neighbours only.
    Ring {
        /// How long.
        for_ms: u64,
    },
    /// Nodes are cut off one after the other, and come back in another order.
    Swizzle {
        /// Who goes, in this order.
        out: Vec<usize>,
        /// Who comes back, in this order.
        back: Vec<usize>,
        /// From one to the next.
        every_ms: u64,
    },
    /// A link comes and goes.
    Flap {
        /// One end.
        from: usize,
        /// The other.
        to: usize,
        /// How often it goes.
        times: u64,
        /// How long it stays away, and there.
        every_ms: u64,
    },
    /// A link loses frames.
    Lossy {
        /// The sending end.
        from: usize,
        /// The receiving end.
        to: usize,
        /// Of a hundred frames.
        percent: u64,
        /// How long.
        for_ms: u64,
    },
    /// Frames come twice, the second time late.
    Echo {
        /// Of a hundred frames.
        percent: u64,
        /// How late, at most.
        late_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// Frames are late, and overtaken by younger ones.
    Spikes {
        /// Of a hundred frames.
        percent: u64,
        /// How late, at most.
        late_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// Nodes do what they are asked and their answers do not arrive.
    LostReplies {
        /// Of a hundred answers.
        percent: u64,
        /// How long.
        for_ms: u64,
    },
    /// A node dies, and its disk has spoiled a file meanwhile.
    Spoil {
        /// Which.
        node: Target,
        /// How.
        rot: Rot,
        /// Where.
        file: Spoiled,
        /// Picks the place.
        place: u64,
        /// How long it stays down.
        down_ms: u64,
    },
    /// A node dies, and its disk is replaced by an empty one.
    Wipe {
        /// Which.
        node: Target,
    },
    /// The next sync of a node fails, and what it should have written is never written.
    SyncError {
        /// Which.
        node: Target,
        /// When power fails after that, if it does.
        #[serde(default)]
        power_after_ms: Option<u64>,
    },
    /// A disk takes writes and syncs none of them for a while; then power fails, and they are
    /// gone. Whatever was promised meanwhile was promised too early.
    Unsynced {
        /// Which.
        node: Target,
        /// Writes of which kind.
        file: Spoiled,
        /// How long.
        for_ms: u64,
        /// How long it stays down.
        down_ms: u64,
    },
    /// Whoever votes for a new leader has a disk that syncs nothing, and loses power once that
    /// leader leads. The old leader comes back, the new one is cut off.
    VoteCut {
        /// Whose.
        group: u32,
        /// How long the voters stay down.
        down_ms: u64,
    },
    /// A node whose wall clock is ahead gets to lead, and hands over to one whose is not.
    LeadAhead {
        /// Which group.
        group: u32,
        /// Who.
        node: usize,
        /// How far ahead.
        by_ms: u64,
        /// How long it leads.
        for_ms: u64,
    },
    /// Commands that are forwarded to a group's leader are lost, for longer than a pin may take;
    /// before that is over, so are those to another group.
    Hush {
        /// The one.
        first: u32,
        /// The other.
        second: u32,
        /// How long each.
        for_ms: u64,
        /// How much later the other one's begins.
        later_ms: u64,
    },
    /// Commands that are forwarded to a leader come again, some time later.
    LateTwins {
        /// Of a hundred commands.
        percent: u64,
        /// How late, at most.
        late_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// A node's disk has no room left for a while.
    DiskFull {
        /// Which.
        node: Target,
        /// How long.
        for_ms: u64,
    },
    /// A node's disk syncs nothing for a while.
    Stall {
        /// Which.
        node: Target,
        /// How long.
        for_ms: u64,
    },
    /// A node's wall clock leaps, and is put right some time later.
    ClockJump {
        /// Which.
        node: Target,
        /// How far.
        by_ms: i64,
        /// How long it stays wrong.
        for_ms: u64,
    },
    /// A node is replaced by another one: learner, voter, and the old one leaves.
    Replace {
        /// Which.
        node: Target,
    },
    /// A leader is asked to hand over.
    MoveLeader {
        /// The group.
        group: u32,
        /// Who shall lead.
        to: usize,
    },
    /// A node stands for election although there is a leader.
    Stand {
        /// The group.
        group: u32,
        /// Who.
        node: usize,
    },
    /// A node builds a snapshot now, and forgets the log up to it.
    Compact {
        /// The group.
        group: u32,
        /// Who.
        node: Target,
    },
    /// Very many ask one node at once.
    Burst {
        /// Which.
        node: Target,
        /// How many.
        requests: u64,
    },
}

/// How a disk spoils what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rot {
    /// A bit is not what it was.
    BitFlip,
    /// A sector bears what was meant for another one.
    Misdirected,
    /// A sector never saw its last write.
    Stale,
    /// The file is gone.
    Missing,
    /// The file ends too early.
    Short,
}

/// Which of a node's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoiled {
    /// A segment of its log.
    Log,
    /// The segment of its log that is being written.
    Tail,
    /// A snapshot.
    Snapshot,
}

/// Which node a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Whoever leads this group when it strikes.
    Leader(u32),
    /// This one, counted from 0.
    Node(usize),
}

/// A fault and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blow {
    /// Milliseconds after the event was created.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

/// How often each row of the fault list struck in this run.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    /// Counts one.
    pub fn count(&self, row: &'static str) {
        self.count_many(row, 1);
    }

    /// Counts so many at once; none is not counted.
    pub fn count_many(&self, row: &'static str, many: u64) {
        if many == 0 {
            return;
        }
        let mut rows = self.0.lock().expect("counting does not panic");
        *rows.entry(row).or_default() += many;
    }

    /// All rows that struck.
    pub fn rows(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().expect("counting does not panic").clone()
    }
}
