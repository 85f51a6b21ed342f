//! Every knob of a run, drawn from its seed and printed at the start. A knob's doc says which
//! bug it makes reachable.
//!
//! Swarm testing (Groce et al., ISSTA 2012): a run that has everything hides what only shows when
//! some things are absent, so each seed gets a part of the faults and not all of them.

use serde::{Deserialize, Serialize};

use crate::seed::Stream;

/// What a nemesis can do; each run has some of them. The numbers are those of the fault list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 1, 16, 17: a node dies, its unsynced writes perhaps with it. Reaches lost answers, double
    /// applies, holds without a home, acknowledgements given before the fsync.
    Kill,
    /// 2: all die, or most. Reaches what only memory remembered.
    PowerCut,
    /// 4: dies again while it recovers. Reaches recovery that is not idempotent.
    CrashLoop,
    /// 5: stands still. Reaches leases and deadlines that were checked before the pause.
    Pause,
    /// 6: a task panics. Reaches a node that goes on with a dead part.
    Panic,
    /// 7: cut off. Reaches stale reads, and two who think they lead.
    CutOff,
    /// 8: hears or is heard only. Reaches leaders that nobody can unseat.
    OneWay,
    /// 9: halves with a bridge, or a ring. Reaches quorums without a leader.
    Bridge,
    /// 10: links go and come back in another order. Reaches agreements on an older past.
    Swizzle,
    /// 11: a link comes and goes. Reaches what breaks when a connection does.
    Flap,
    /// 12: loss. Reaches retries.
    Lossy,
    /// 13: frames come twice, up to a minute late. Reaches handlers that are not idempotent.
    Echo,
    /// 14: delays. Reaches what relies on the order of frames.
    Spikes,
    /// 15: answers lost after the deed. Reaches retries under a new id.
    LostReplies,
    /// 18: bytes at rest change. Reaches damage that is served, or repaired from nothing.
    Rot,
    /// 19: a sync fails. Reaches a second sync that is believed.
    SyncError,
    /// 20: no room, on one disk or on all. Reaches half-written files, and nodes that end for it.
    DiskFull,
    /// 21: a disk stands still. Reaches acknowledgements that do not wait, and elections.
    Stall,
    /// 22: an empty disk under a new node id. Reaches joins by snapshot.
    Wipe,
    /// 23: a snapshot is gone or short. Reaches logs that begin behind nothing.
    SnapshotGone,
    /// 26: a wall clock leaps. Reaches decisions by local clock.
    ClockJump,
    /// 27: a member is replaced. Reaches quorums counted by the wrong membership.
    Replace,
    /// 28: leaders move, or are challenged. Reaches two duties at once.
    Leaders,
    /// 29: snapshots and purges now. Reaches purged entries that somebody still needs.
    Compact,
    /// 33: a burst. Reaches queues without a bound.
    Burst,
    /// 3: power fails as votes leave. Reaches votes that are given twice.
    VoteCut,
    /// 16: power fails after a while without a sync. Reaches promises made before it.
    Unsynced,
    /// 19: a sync fails, and then power. Reaches a failure that counts as success.
    FailedSync,
    /// 4, 17: power fails again and again, amid writes. Reaches what a torn write left behind.
    TornTwice,
    /// 18: a bit flips in the segment that is being written. Reaches damage that looks like a torn
    /// write.
    RotAtTail,
    /// 24, 28: somebody whose clock is ahead leads for a while. Reaches clocks that go back.
    LeadAhead,
    /// 12: forwarded commands are lost for long, group by group. Reaches answers to questions that
    /// were given up.
    Hush,
    /// 13: forwarded commands come again much later. Reaches commands that outlived their order.
    LateTwins,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Kill,
        Self::PowerCut,
        Self::CrashLoop,
        Self::Pause,
        Self::Panic,
        Self::CutOff,
        Self::OneWay,
        Self::Bridge,
        Self::Swizzle,
        Self::Flap,
        Self::Lossy,
        Self::Echo,
        Self::Spikes,
        Self::LostReplies,
        Self::Rot,
        Self::SyncError,
        Self::DiskFull,
        Self::Stall,
        Self::Wipe,
        Self::SnapshotGone,
        Self::ClockJump,
        Self::Replace,
        Self::Leaders,
        Self::Compact,
        Self::Burst,
    ];

    /// Those that need several things to come together. They have blows of their own, or they
    /// would be lost among so many.
    pub const AIMED: [Self; 8] = [
        Self::VoteCut,
        Self::Unsynced,
        Self::FailedSync,
        Self::TornTwice,
        Self::RotAtTail,
        Self::LeadAhead,
        Self::Hush,
        Self::LateTwins,
    ];
}

/// The knobs. Those a plan's file does not name are calm: older files stay readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scenario {
    /// The run's plan.
    pub seed: u64,
    /// All that the plan does not say: syncs, frames, the scheduler.
    pub entropy: u64,
    /// Nodes. Five survive two faults at once, and have more ways to disagree.
    pub nodes: usize,
    /// Ledger shards. One: every order is decided in one entry. More: the cross-shard protocol.
    pub shards: u16,
    /// Rows of each of the sections. Few seats make buyers collide.
    pub rows: u64,
    /// Numbered sections; there is one standing section besides.
    pub sections: u64,
    /// Places of the standing section. With few places in all, people wait for stock, in front of a
    /// cursor that stands still.
    pub standing: u64,
    /// Whether the house is far too small for those who come, and who keep asking. Reaches seats
    /// that expired or were refunded and are sold again, and a waiting room that takes nobody.
    pub scarce: bool,
    /// People.
    pub buyers: u64,
    /// How long people keep coming and faults keep striking. Long runs reach what needs a history:
    /// holds that outlive leaders, logs that were purged twice.
    pub lasts_ms: u64,
    /// Whether they queue. Reaches the draw, admission, passes.
    pub queue: bool,
    /// How long holds last, in seconds. Short ones expire while they are being paid.
    pub hold_seconds: u64,
    /// Calls of a shard to the provider at once. One: whoever is asked about again and again must not keep
    /// the others waiting for ever.
    pub payment_calls_max: u16,
    /// Log entries between snapshots. Few: snapshots and purges happen at bad moments.
    pub snapshot_every: u64,
    /// Entries kept behind a snapshot. Few: whoever was away needs the snapshot.
    pub keep_entries: u64,
    /// Size of a log segment. Small ones are sealed, begun and removed at every bad moment.
    pub segment_kib: usize,
    /// Segments from which on living entries are rewritten. Reaches rewrites that lose one.
    pub segments_before_rewrite: usize,
    /// A leader's sign of life, in ms; followers wait four to eight of them. Short: elections
    /// without need. Long: outages, and holds that are extended by them.
    pub heartbeat_ms: u64,
    /// Commands in one log entry, at most. One: every step is an entry of its own.
    pub batch_max: usize,
    /// Commands that may wait for a leader. Few: `Overloaded`, also for its own duties.
    pub queue_max: usize,
    /// Entries a leader has in flight. More than one: entries proposed before their elders are
    /// known to be committed.
    pub in_flight: usize,
    /// Longest fsync, in ms. Slow ones let batches, time-outs and elections overlap.
    pub sync_ms_max: u64,
    /// How far each node's wall clock is off, in ms (24). Reaches decisions by local clock.
    pub skew_ms: Vec<i64>,
    /// How much faster each node's clocks run, in millionths (25). Reaches leases, and stamps that
    /// drift apart.
    pub drift_ppm: Vec<i64>,
    /// From how far off most of its peers' a node's clock is such that it hands its leaderships over,
    /// in ms; 0: never. Reaches leaders who leave in the middle of everything, again and again.
    pub clock_lead_max_ms: u64,
    /// Percent of frames between nodes that are lost, repeated or late (12, 13, 14). Reaches
    /// retries that are not idempotent.
    pub frame_fault_percent: u64,
    /// Percent of answers to people that are lost on the way back (15). Reaches retries.
    pub lost_reply_percent: u64,
    /// Percent of provider calls whose answer is lost after they took effect (34).
    pub lost_answer_percent: u64,
    /// Percent of provider calls that fail, and fail again under the same key for a while (34).
    /// Reaches a retry under a new key.
    pub stored_error_percent: u64,
    /// Percent of provider calls that take effect long after their caller has gone (34). Reaches
    /// a look-up that is believed too early.
    pub late_deed_percent: u64,
    /// Percent of cards that are declined.
    pub decline_percent: u64,
    /// Percent of the provider's webhooks that come twice, late or in another order, and how many
    /// forged ones come besides (35). 0: there are none at all. Reaches answers recorded twice.
    pub webhook_fault_percent: u64,
    /// What the nemesis may do.
    pub kinds: Vec<Kind>,
    /// What it does besides, each once or twice: see [`Kind::AIMED`].
    pub aimed: Vec<Kind>,
    /// How often it strikes.
    pub disasters: u64,
    /// Percent of orders across shards at one of whose steps a leader dies (3): between an entry's
    /// proposal and its application, or between its application and the answer. Reaches steps that
    /// a repeat, or a new leader, does not take up where the old one left them.
    pub step_crash_percent: u64,
    /// Orders of each buyer in a sale where every order spans two or three shards and has a crash
    /// aimed at it (`sim steps`); 0: an ordinary sale.
    pub across: u64,
    /// Backups taken while people buy. Reaches cuts through conversations, and bases that are
    /// replaced while they are being read.
    pub backups: u64,
    /// When each of the first nodes, which begin with the release before, is upgraded; none: all
    /// begin with this one. Reaches words that not everybody understands.
    pub upgrades_ms: Vec<u64>,
    /// Errands of an operator while people buy: keys made, used and revoked, leaders moved and spread.
    /// Reaches changes that are proposed twice, and trails that go through snapshots.
    pub clerk: u64,
    /// Whether leaders are spread over the nodes at the beginning, as `usher init` does, and so go back
    /// to a node that was away. Reaches a mover and faults that pull at the same leader.
    pub spread: bool,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 0,
            entropy: 0,
            nodes: 3,
            shards: 1,
            rows: 4,
            sections: 2,
            standing: 10,
            scarce: false,
            buyers: 20,
            lasts_ms: 10_000,
            queue: false,
            hold_seconds: 20,
            payment_calls_max: 256,
            snapshot_every: 20_000,
            keep_entries: 5_000,
            segment_kib: 64,
            segments_before_rewrite: 16,
            heartbeat_ms: 150,
            batch_max: 1_024,
            queue_max: 8_192,
            in_flight: 1,
            sync_ms_max: 5,
            skew_ms: Vec::new(),
            drift_ppm: Vec::new(),
            clock_lead_max_ms: 0,
            frame_fault_percent: 0,
            lost_reply_percent: 0,
            lost_answer_percent: 0,
            stored_error_percent: 0,
            late_deed_percent: 0,
            decline_percent: 0,
            webhook_fault_percent: 0,
            kinds: Vec::new(),
            aimed: Vec::new(),
            disasters: 0,
            step_crash_percent: 0,
            across: 0,
            backups: 0,
            upgrades_ms: Vec::new(),
            clerk: 0,
            spread: false,
        }
    }
}

/// Bounds of a house.
struct Hall {
    rows_max: u64,
    sections_max: u64,
    standing: u64,
    more_buyers: u64,
}

impl Hall {
    const USUAL: Self = Self {
        rows_max: u64::MAX,
        sections_max: u64::MAX,
        standing: 10,
        more_buyers: 0,
    };
    /// Fewer places than half of the people.
    const TINY: Self = Self {
        rows_max: 1,
        sections_max: 2,
        standing: 3,
        more_buyers: 20,
    };
}

impl Scenario {
    /// The knobs of a seed.
    pub fn new(seed: u64) -> Self {
        let draw = Stream::new(seed, "scenario");
        let calm = draw.percent(8);
        let nodes = if draw.percent(25) { 5 } else { 3 };
        let now_and_then = |percent, low, high| match draw.percent(percent) {
            true if !calm => draw.between(low, high),
            _ => 0,
        };
        let share = draw.between(30, 70);
        let kinds: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|_| draw.percent(share) && !calm)
            .collect();
        let lasts_ms = draw.between(20_000, 90_000);
        // Mostly what a time server leaves; now and then what a broken one does.
        let skew_max = if draw.percent(20) { 5_000 } else { 200 };
        let drifts = draw.percent(40);
        let per_node = |on: bool, max: u64| -> Vec<i64> {
            let one = |_| draw.between(0, 2 * max) as i64 - max as i64;
            match on && !calm {
                true => (0..nodes).map(one).collect(),
                false => Vec::new(),
            }
        };
        let (skew_ms, drift_ppm) = (per_node(true, skew_max), per_node(drifts, 500));
        let snapshot_every = [50, 200, 1_000, 20_000][draw.below(4) as usize];
        let hall = match Stream::new(seed, "hall").percent(20) {
            true => Hall::TINY,
            false => Hall::USUAL,
        };
        let scenario = Self {
            seed,
            entropy: seed,
            nodes,
            shards: [1, 2, 3, 4, 8][draw.below(5) as usize],
            rows: draw.between(2, 6).min(hall.rows_max),
            sections: draw.between(2, 5).min(hall.sections_max),
            standing: hall.standing,
            scarce: false,
            buyers: draw.between(15, 40) + hall.more_buyers,
            lasts_ms,
            queue: draw.percent(60),
            hold_seconds: draw.between(8, 40),
            payment_calls_max: [1, 2, 16, 256][Stream::new(seed, "calls").below(4) as usize],
            snapshot_every,
            keep_entries: [0, snapshot_every / 4, snapshot_every][draw.below(3) as usize],
            segment_kib: [4, 16, 64, 256][draw.below(4) as usize],
            segments_before_rewrite: [2, 4, 16][draw.below(3) as usize],
            heartbeat_ms: [80, 150, 150, 250][draw.below(4) as usize],
            batch_max: [1, 4, 64, 1_024][draw.below(4) as usize],
            queue_max: [16, 64, 8_192, 8_192][draw.below(4) as usize],
            in_flight: [1, 1, 2, 8][draw.below(4) as usize],
            sync_ms_max: draw.between(1, 20),
            skew_ms,
            drift_ppm,
            clock_lead_max_ms: match Stream::new(seed, "clock lead").percent(50) {
                true => 5_000,
                false => 0,
            },
            frame_fault_percent: now_and_then(60, 1, 5),
            lost_reply_percent: now_and_then(40, 1, 10),
            lost_answer_percent: now_and_then(80, 1, 20),
            stored_error_percent: now_and_then(40, 1, 10),
            late_deed_percent: now_and_then(40, 1, 10),
            decline_percent: now_and_then(80, 1, 20),
            webhook_fault_percent: now_and_then(60, 5, 50),
            disasters: match kinds.is_empty() {
                true => 0,
                false => draw.between(2, 2 + lasts_ms / 6_000),
            },
            kinds,
            aimed: match calm {
                true => Vec::new(),
                false => Self::aimed(seed, share),
            },
            step_crash_percent: now_and_then(40, 5, 50),
            across: 0,
            backups: Self::backups(seed),
            upgrades_ms: Self::upgrades(seed, nodes, lasts_ms),
            clerk: Self::clerk(seed),
            spread: Stream::new(seed, "spread").percent(50),
        };
        // A draw of its own: it changes nobody else's.
        match Stream::new(seed, "scarce").percent(12) {
            true => scenario.scarcely(),
            false => scenario,
        }
    }

    /// The same in a house far too small.
    fn scarcely(self) -> Self {
        Self {
            scarce: true,
            standing: 2,
            rows: 1,
            sections: 2,
            hold_seconds: self.hold_seconds.min(12),
            ..self
        }
    }

    /// From a stream of its own, so that another kind changes no other knob.
    fn aimed(seed: u64, share: u64) -> Vec<Kind> {
        let draw = Stream::new(seed, "aimed");
        let some = |_: &Kind| draw.percent(share);
        Kind::AIMED.into_iter().filter(some).collect()
    }

    /// From a stream of its own: a run without backups is what it was before there were any.
    fn backups(seed: u64) -> u64 {
        let draw = Stream::new(seed, "backups");
        match draw.percent(40) {
            true => draw.between(1, 12),
            false => 0,
        }
    }

    /// From a stream of its own, as well.
    fn upgrades(seed: u64, nodes: usize, lasts_ms: u64) -> Vec<u64> {
        let draw = Stream::new(seed, "upgrades");
        match draw.percent(20) {
            true => (0..nodes).map(|_| draw.between(500, lasts_ms)).collect(),
            false => Vec::new(),
        }
    }

    /// From a stream of its own as well.
    fn clerk(seed: u64) -> u64 {
        let draw = Stream::new(seed, "clerk");
        match draw.percent(50) {
            true => draw.between(1, 10),
            false => 0,
        }
    }

    /// The knobs of a seed whose every order spans shards and is crashed at a step of its own.
    pub fn steps(seed: u64) -> Self {
        let draw = Stream::new(seed, "steps");
        let shards = draw.between(4, 6);
        // Mostly little; now and then enough that a leg's clock ends a hold before home's does.
        let skew_max = if draw.percent(25) { 1_500 } else { 200 };
        let skew = || draw.between(0, 2 * skew_max) as i64 - skew_max as i64;
        let snapshot_every = [50, 200, 1_000, 20_000][draw.below(4) as usize];
        // A pin is given up after a quarter of a minute; only a longer hold outlives that.
        let late = Stream::new(seed, "late");
        let hush = late.percent(40);
        let aimed = [(Kind::Hush, hush), (Kind::LateTwins, late.percent(50))];
        let aimed = aimed
            .into_iter()
            .filter(|(_, on)| *on)
            .map(|(kind, _)| kind);
        Self {
            seed,
            entropy: seed,
            shards: shards as u16,
            rows: 12,
            sections: shards + draw.below(3),
            buyers: 30,
            hold_seconds: match (draw.between(8, 16), hush) {
                (_, true) => late.between(30, 45),
                (short, false) => short,
            },
            aimed: aimed.collect(),
            lasts_ms: 25_000,
            snapshot_every,
            keep_entries: snapshot_every / 4,
            sync_ms_max: draw.between(1, 12),
            skew_ms: vec![skew(), skew(), skew()],
            frame_fault_percent: draw.below(3),
            lost_answer_percent: draw.below(10),
            step_crash_percent: 100,
            across: 4,
            backups: Self::backups(seed),
            clerk: Self::clerk(seed),
            ..Self::default()
        }
    }
}
