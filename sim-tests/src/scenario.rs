//! Every knob of a run, drawn from its seed and printed at the start. A knob's doc says which
//! bug it makes reachable.

use serde::{Deserialize, Serialize};

use crate::seed::Stream;

/// What happens to the cluster while it sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disaster {
    /// Nothing: whatever goes wrong is not the faults' fault.
    None,
    /// Leaders die and come back. Reaches lost answers, double applies, holds without a home.
    LeaderKills,
    /// All nodes lose power at once, and what was not synced. Reaches acknowledgements given
    /// before the fsync.
    PowerCuts,
    /// A node is cut off for a while. Reaches stale reads, and two who think they lead.
    Partitions,
    /// All of it.
    Everything,
}

/// The knobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// The run's plan.
    pub seed: u64,
    /// All that the plan does not say: syncs, frames, the scheduler.
    pub entropy: u64,
    /// Ledger shards. One: every order is decided in one entry. More: the cross-shard protocol.
    pub shards: u16,
    /// Rows of each of the sections. Few seats make buyers collide.
    pub rows: u64,
    /// Numbered sections; there is one standing section besides.
    pub sections: u64,
    /// People.
    pub buyers: u64,
    /// Whether they queue. Reaches the draw, admission, passes.
    pub queue: bool,
    /// How long holds last, in seconds. Short ones expire while they are being paid.
    pub hold_seconds: u64,
    /// Log entries between snapshots. Few: snapshots and purges happen at bad moments.
    pub snapshot_every: u64,
    /// Longest fsync, in ms. Slow ones let batches, time-outs and elections overlap.
    pub sync_ms_max: u64,
    /// How far each node's wall clock is off, in ms. Reaches decisions by local clock.
    pub skew_ms: [i64; 3],
    /// Percent of frames between nodes that are lost, repeated or late. Reaches retries that are
    /// not idempotent.
    pub frame_fault_percent: u64,
    /// Percent of provider calls whose answer is lost after they took effect.
    pub lost_answer_percent: u64,
    /// Percent of cards that are declined.
    pub decline_percent: u64,
    /// What happens to the cluster.
    pub disaster: Disaster,
    /// How often it does.
    pub disasters: u64,
    /// Percent of orders across shards at one of whose steps a leader dies: between an entry's
    /// proposal and its application, or between its application and the answer. Reaches steps that
    /// a repeat, or a new leader, does not take up where the old one left them.
    pub step_crash_percent: u64,
    /// Orders of each buyer in a sale where every order spans two or three shards and has a crash
    /// aimed at it (`sim steps`); 0: an ordinary sale.
    pub across: u64,
}

impl Scenario {
    /// The knobs of a seed.
    pub fn new(seed: u64) -> Self {
        let draw = Stream::new(seed, "scenario");
        let disaster = match draw.below(10) {
            0 | 1 => Disaster::None,
            2..=4 => Disaster::LeaderKills,
            5 => Disaster::PowerCuts,
            6 => Disaster::Partitions,
            _ => Disaster::Everything,
        };
        let calm = disaster == Disaster::None;
        let skew = || draw.between(0, 400) as i64 - 200;
        Self {
            seed,
            entropy: seed,
            shards: [1, 2, 3, 4][draw.below(4) as usize],
            rows: draw.between(2, 6),
            sections: draw.between(2, 5),
            buyers: draw.between(15, 40),
            queue: draw.percent(60),
            hold_seconds: draw.between(8, 40),
            snapshot_every: [50, 200, 1_000, 20_000][draw.below(4) as usize],
            sync_ms_max: draw.between(1, 20),
            skew_ms: if calm {
                [0; 3]
            } else {
                [skew(), skew(), skew()]
            },
            frame_fault_percent: if calm { 0 } else { draw.below(5) },
            lost_answer_percent: draw.below(20),
            decline_percent: draw.below(20),
            disaster,
            disasters: draw.between(1, 4),
            step_crash_percent: match draw.percent(40) && !calm {
                true => draw.between(5, 50),
                false => 0,
            },
            across: 0,
        }
    }

    /// The knobs of a seed whose every order spans shards and is crashed at a step of its own.
    pub fn steps(seed: u64) -> Self {
        let draw = Stream::new(seed, "steps");
        let shards = draw.between(4, 6);
        // Mostly little; now and then enough that a leg's clock ends a hold before home's does.
        let skew_max = if draw.percent(25) { 1_500 } else { 200 };
        let skew = || draw.between(0, 2 * skew_max) as i64 - skew_max as i64;
        Self {
            seed,
            entropy: seed,
            shards: shards as u16,
            rows: 12,
            sections: shards + draw.below(3),
            buyers: 30,
            queue: false,
            hold_seconds: draw.between(8, 16),
            snapshot_every: [50, 200, 1_000, 20_000][draw.below(4) as usize],
            sync_ms_max: draw.between(1, 12),
            skew_ms: [skew(), skew(), skew()],
            frame_fault_percent: draw.below(3),
            lost_answer_percent: draw.below(10),
            decline_percent: 0,
            disaster: Disaster::None,
            disasters: 0,
            step_crash_percent: 100,
            across: 4,
        }
    }
}
