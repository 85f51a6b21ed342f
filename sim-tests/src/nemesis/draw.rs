//! A fault of a kind, with its parameters, from the plan's chance.

use crate::fault::{Fault, Rot, Spoiled, Target};
use crate::scenario::{Kind, Scenario};
use crate::seed::Stream;

/// Where clocks leap anyway, it may be so far ahead that legs of other shards' orders end (ADR 0008).
pub(crate) const LEAD_FAR_AHEAD_MS: u64 = 2 * ledger::limits::LEG_MARGIN_MS;
/// How far ahead the clock of somebody who gets to lead may be, mostly.
pub(crate) const LEAD_AHEAD_MS_MAX: u64 = 6_000;

/// One fault of this kind.
pub fn fault(kind: Kind, scenario: &Scenario, chance: &Stream) -> Fault {
    let any_node = || chance.below(scenario.nodes as u64) as usize;
    let group = || chance.below(u64::from(scenario.shards) + 1) as u32;
    // Leaders have more to lose.
    let node = || match chance.percent(60) {
        true => Target::Leader(group()),
        false => Target::Node(any_node()),
    };
    let two = || {
        let from = any_node();
        let to = (from + 1 + chance.below(scenario.nodes as u64 - 1) as usize) % scenario.nodes;
        (from, to)
    };
    let shuffled = || {
        let mut nodes: Vec<usize> = (0..scenario.nodes).collect();
        for at in (1..nodes.len()).rev() {
            nodes.swap(at, chance.below(at as u64 + 1) as usize);
        }
        nodes
    };
    match kind {
        Kind::Kill => Fault::Kill {
            node: node(),
            power: chance.percent(50),
            down_ms: chance.between(50, 5_000),
        },
        Kind::PowerCut if chance.percent(50) => Fault::PowerCut {
            down_ms: chance.between(100, 4_000),
        },
        Kind::PowerCut => Fault::KillMajority {
            power: chance.percent(50),
            down_ms: chance.between(100, 4_000),
        },
        Kind::CrashLoop => Fault::CrashLoop {
            node: node(),
            times: 3,
            every_ms: chance.between(200, 1_600),
            power: false,
        },
        Kind::Pause => Fault::Pause {
            node: node(),
            for_ms: match chance.percent(15) {
                true => chance.between(10_000, 60_000),
                false => chance.between(100, 8_000),
            },
        },
        Kind::Panic => Fault::Panic { group: group() },
        Kind::CutOff => Fault::CutOff {
            node: node(),
            for_ms: chance.between(500, 8_000),
        },
        Kind::OneWay => {
            let (node, for_ms) = (node(), chance.between(500, 8_000));
            match chance.percent(50) {
                true => Fault::Deaf { node, for_ms },
                false => Fault::Mute { node, for_ms },
            }
        }
        Kind::Bridge if scenario.nodes > 3 && chance.percent(50) => Fault::Ring {
            for_ms: chance.between(1_000, 10_000),
        },
        Kind::Bridge => Fault::Bridge {
            node: node(),
            for_ms: chance.between(1_000, 10_000),
        },
        Kind::Swizzle => Fault::Swizzle {
            out: shuffled(),
            back: shuffled(),
            every_ms: chance.between(100, 1_500),
        },
        Kind::Flap => {
            let (from, to) = two();
            Fault::Flap {
                from,
                to,
                times: chance.between(2, 10),
                every_ms: chance.between(100, 2_000),
            }
        }
        Kind::Lossy => {
            let (from, to) = two();
            Fault::Lossy {
                from,
                to,
                percent: chance.between(5, 30),
                for_ms: chance.between(1_000, 20_000),
            }
        }
        Kind::Echo => Fault::Echo {
            percent: chance.between(2, 30),
            late_ms: match chance.percent(30) {
                true => chance.between(5_000, 60_000),
                false => chance.between(1, 2_000),
            },
            for_ms: chance.between(1_000, 20_000),
        },
        Kind::Spikes => Fault::Spikes {
            percent: chance.between(2, 20),
            late_ms: chance.between(50, 5_000),
            for_ms: chance.between(1_000, 20_000),
        },
        Kind::LostReplies => Fault::LostReplies {
            percent: chance.between(10, 80),
            for_ms: chance.between(1_000, 10_000),
        },
        Kind::Rot => Fault::Spoil {
            node: node(),
            rot: [Rot::BitFlip, Rot::Misdirected, Rot::Stale][chance.below(3) as usize],
            file: match chance.percent(75) {
                true => Spoiled::Log,
                false => Spoiled::Snapshot,
            },
            place: chance.next(),
            down_ms: chance.between(100, 3_000),
        },
        Kind::SnapshotGone => Fault::Spoil {
            node: node(),
            rot: [Rot::Missing, Rot::Short][chance.below(2) as usize],
            file: Spoiled::Snapshot,
            place: chance.next(),
            down_ms: chance.between(100, 3_000),
        },
        Kind::SyncError => Fault::SyncError {
            node: node(),
            power_after_ms: None,
        },
        Kind::DiskFull => Fault::DiskFull {
            node: node(),
            for_ms: chance.between(500, 8_000),
        },
        Kind::Stall => Fault::Stall {
            node: node(),
            for_ms: match chance.percent(20) {
                true => chance.between(5_000, 30_000),
                false => chance.between(100, 5_000),
            },
        },
        Kind::Wipe => Fault::Wipe { node: node() },
        Kind::ClockJump => {
            let far = match chance.percent(25) {
                true => 3_600_000,
                false => chance.between(300, 120_000),
            } as i64;
            Fault::ClockJump {
                node: node(),
                by_ms: if chance.percent(50) { far } else { -far },
                for_ms: chance.between(1_000, 20_000),
            }
        }
        Kind::Replace => Fault::Replace { node: node() },
        Kind::Leaders if chance.percent(60) => Fault::MoveLeader {
            group: group(),
            to: any_node(),
        },
        Kind::Leaders => Fault::Stand {
            group: group(),
            node: any_node(),
        },
        Kind::Compact => Fault::Compact {
            group: group(),
            node: node(),
        },
        Kind::Burst => Fault::Burst {
            node: node(),
            requests: chance.between(100, 600),
        },
        Kind::VoteCut => Fault::VoteCut {
            group: group(),
            down_ms: chance.between(50, 500),
        },
        Kind::Unsynced => Fault::Unsynced {
            node: node(),
            file: match chance.percent(70) {
                true => Spoiled::Snapshot,
                false => Spoiled::Log,
            },
            for_ms: chance.between(200, 1_500),
            down_ms: chance.between(100, 1_000),
        },
        Kind::FailedSync => Fault::SyncError {
            node: node(),
            power_after_ms: Some(chance.between(5, 500)),
        },
        Kind::TornTwice => Fault::CrashLoop {
            node: node(),
            times: chance.between(4, 8),
            every_ms: chance.between(300, 1_600),
            power: true,
        },
        Kind::RotAtTail => Fault::Spoil {
            node: node(),
            rot: Rot::BitFlip,
            file: Spoiled::Tail,
            place: chance.next(),
            down_ms: chance.between(100, 1_000),
        },
        Kind::LeadAhead => Fault::LeadAhead {
            group: group(),
            node: any_node(),
            by_ms: match scenario.kinds.contains(&Kind::ClockJump) && chance.percent(60) {
                true => chance.between(LEAD_FAR_AHEAD_MS / 2, LEAD_FAR_AHEAD_MS),
                false => chance.between(1_000, LEAD_AHEAD_MS_MAX),
            },
            for_ms: chance.between(500, 3_000),
        },
        Kind::Hush => {
            let first = group().max(1);
            Fault::Hush {
                first,
                second: first % u32::from(scenario.shards) + 1,
                for_ms: chance.between(19_000, 24_000),
                later_ms: chance.between(4_000, 12_000),
            }
        }
        Kind::LateTwins => Fault::LateTwins {
            percent: chance.between(10, 60),
            late_ms: match chance.percent(60) {
                true => chance.between(200, 3_000),
                false => chance.between(3_000, 25_000),
            },
            for_ms: chance.between(10_000, 40_000),
        },
    }
}
