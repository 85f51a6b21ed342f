//! Determinism. Goal: the same commands give the same answers and the same state on every replica,
//! and through a snapshot at any point. Method: random runs over several shards and two events
//! leave a log; it is played again, from the beginning and from snapshots on the way.

mod common;

use common::plan;
use common::run::{Run, SHARDS};
use common::world::restored;
use ledger::command::*;
use ledger::event::{EventPlan, QueueRules, Sale};
use ledger::seat_list::SeatList;
use ledger::*;

/// An event with a waiting room, beside the run's own.
const QUEUED: EventId = EventId(0xbeef);

fn queued_event() -> EventPlan {
    let mut event = plan::event(
        (1..=SHARDS)
            .map(|shard| plan::seated(shard, 3, 5, 20))
            .collect(),
    );
    event.event = QUEUED;
    event.rules.sale = Sale::Scheduled;
    event.rules.opens_at = Timestamp(5_000);
    event.rules.hold_ms = 30_000;
    event.rules.room_shard = ShardId(2);
    event.rules.queue = Some(QueueRules {
        admit_per_minute: 600,
        secret: [9; 32],
        beacon: b"draw".to_vec(),
    });
    event
}

/// A run and what its shards were told.
fn played(seed: u64) -> Run {
    let mut run = Run::new(seed);
    run.world.log = Some(Vec::new());
    run.world
        .apply_everywhere(&Command::InstallEvent(Box::new(queued_event())));
    for _ in 0..150 {
        match run.chance.below(6) {
            0 => {
                let buyers = (0..3)
                    .map(|_| BuyerId(u128::from(run.chance.next() % 40)))
                    .collect();
                run.world
                    .apply(
                        ShardId(2),
                        &Command::JoinQueue {
                            event: QUEUED,
                            buyers,
                        },
                    )
                    .unwrap();
            }
            1 => with_a_pass(&mut run),
            _ => run.step(),
        }
    }
    run
}

fn with_a_pass(run: &mut Run) {
    let shard = run.any_shard();
    let index = run.chance.next() % 3;
    let until = Timestamp(1_000_000_000);
    let seats = SeatList::new(&[SeatNo((run.chance.next() % 15) as u16)]).unwrap();
    let want = Want::Seats {
        section: SectionNo(shard.0 - 1),
        seats,
    };
    let open = OpenOrder {
        order: OrderId::new(shard, u128::from(run.chance.next())),
        event: QUEUED,
        buyer: BuyerId(u128::from(run.chance.next() % 4)),
        pass: Some(Pass { index, until }),
        legs: vec![LegWant { shard, want }],
    };
    let _ = run.world.apply(shard, &Command::OpenOrder(Box::new(open)));
}

/// A shard as `Run::new` leaves it.
fn fresh(seed: u64, shard: ShardId) -> Ledger {
    Run::new(seed).world.shard(shard).clone()
}

#[test]
fn the_same_commands_give_the_same_answers_and_digest_also_through_snapshots_anywhere() {
    for seed in 0..40 {
        let run = played(seed);
        let log = run.world.log.as_ref().unwrap();
        for shard in (1..=SHARDS).map(ShardId) {
            let mine: Vec<_> = log.iter().filter(|(to, ..)| *to == shard).collect();
            let mut straight = fresh(seed, shard);
            let mut by_snapshots = fresh(seed, shard);
            for (number, (_, stamp, command, outcome)) in mine.iter().enumerate() {
                assert_eq!(
                    straight.apply(*stamp, command),
                    *outcome,
                    "seed {seed}: {command:?}"
                );
                if (number + seed as usize).is_multiple_of(7) {
                    by_snapshots = restored(&by_snapshots);
                }
                assert_eq!(
                    by_snapshots.apply(*stamp, command),
                    *outcome,
                    "seed {seed} after a snapshot: {command:?}"
                );
                if number.is_multiple_of(10) {
                    assert_eq!(
                        straight.digest(),
                        by_snapshots.digest(),
                        "seed {seed} after {number} commands"
                    );
                }
            }
            let original = run.world.shard(shard).digest();
            assert_eq!(
                (straight.digest(), by_snapshots.digest()),
                (original, original),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_rejection_changes_nothing_but_the_clock() {
    let mut rejected = 0;
    for seed in 100..115 {
        let run = played(seed);
        let log = run.world.log.as_ref().unwrap();
        for shard in (1..=SHARDS).map(ShardId) {
            let mut ledger = fresh(seed, shard);
            for (_, stamp, command, outcome) in log.iter().filter(|(to, ..)| *to == shard) {
                if let Err(why) = outcome {
                    rejected += 1;
                    // The clock moves with every entry, so it is moved first.
                    let nothing = Command::Acknowledge {
                        to: ShardId(999),
                        through: 1,
                    };
                    ledger.apply(*stamp, &nothing).unwrap_err();
                    let before: Vec<_> = ledger.parts().skip(1).collect();
                    ledger.apply(*stamp, command).unwrap_err();
                    let after: Vec<_> = ledger.parts().skip(1).collect();
                    assert!(
                        before == after,
                        "seed {seed}: {command:?} was rejected ({why}) and changed something"
                    );
                } else {
                    ledger.apply(*stamp, command).unwrap();
                }
            }
        }
    }
    assert!(rejected > 200, "only {rejected} rejections");
}

#[test]
fn two_different_states_have_different_digests() {
    let run = played(1);
    let mut seen = std::collections::BTreeSet::new();
    for shard in &run.world.shards {
        assert!(seen.insert(shard.digest()));
        let mut other = shard.clone();
        other
            .apply(
                Stamp {
                    at: Timestamp(u64::MAX / 2),
                    draw: [0; 32],
                },
                &Command::Tick,
            )
            .unwrap();
        assert!(seen.insert(other.digest()));
    }
}
