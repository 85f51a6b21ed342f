//! Goal: a shard that comes out of its bytes is the shard that went in, and damaged bytes stop
//! nobody. Method: two shards live through thousands of random commands; a twin of each lives
//! through the same, but keeps being turned into bytes and back.

mod common;

use std::collections::BTreeSet;

use bytes::Bytes;
use common::dice::Dice;
use common::shows::QUEUED;
use common::world::World;
use ledger::event::Layout;
use ledger::parts::{Part, PartsError};
use ledger::{BuyerId, Command, Ledger, SeatNo, ShardId};
use proto::snapshot::{SnapshotError, restore, save};

fn there_and_back(ledger: &Ledger) -> Ledger {
    let restored = restore(ledger.shard(), &save(ledger)).expect("what was saved restores");
    assert_eq!(restored.digest(), ledger.digest());
    assert!(restored.parts().eq(ledger.parts()), "same parts");
    restored
}

/// A ledger that has seen everything.
fn busy(seed: u64) -> Ledger {
    let mut world = World::new(seed);
    world.run(1_200);
    let [ledger, _] = world.shards;
    ledger
}

/// A name for each kind of part; a new kind does not compile until the tests know it.
fn name(part: &Part) -> &'static str {
    match part {
        Part::Head(_) => "head",
        Part::Event(_) => "event",
        Part::Legs(_) => "legs",
        Part::Ended(_) => "ended",
        Part::Tickets(_) => "tickets",
        Part::Orders(_) => "orders",
        Part::Closed(_) => "closed",
        Part::Buyers(_) => "buyers",
        Part::Attempts(_) => "attempts",
        Part::Outbox(_) => "outbox",
        Part::Room(_) => "room",
        Part::Roster(_) => "roster",
    }
}

#[test]
fn an_empty_ledger_survives_its_bytes() {
    let ledger = Ledger::new(ShardId(9));
    assert_eq!(save(&ledger).len(), 1);
    there_and_back(&ledger);
}

#[test]
fn a_twin_that_keeps_being_saved_and_restored_answers_and_becomes_the_same() {
    let mut seen = BTreeSet::new();
    for seed in 0..6 {
        let mut world = World::new(seed);
        let mut twins = world.shards.clone();
        for step in 0..2_000 {
            let (at, stamp, command) = world.next();
            let outcome = world.shards[at].apply(stamp, &command);
            let again = twins[at].apply(stamp, &command);
            assert_eq!(again, outcome, "seed {seed}, step {step}: {command:?}");
            assert_eq!(twins[at].next_due(), world.shards[at].next_due());
            if step % 61 == 0 {
                twins = twins.map(|twin| there_and_back(&twin));
                for (twin, shard) in twins.iter().zip(&world.shards) {
                    assert_eq!(twin.digest(), shard.digest(), "seed {seed}, step {step}");
                    seen.extend(shard.parts().map(|part| name(&part)));
                }
            }
        }
    }
    let kinds = "attempts buyers closed ended event head legs orders outbox room roster tickets";
    assert_eq!(seen.into_iter().collect::<Vec<_>>().join(" "), kinds);
}

#[test]
fn parts_that_are_missing_left_over_or_swapped_are_refused() {
    let parts = save(&busy(1));
    let shard = ShardId(1);
    for count in 0..parts.len() {
        let (at, error) = restore(shard, &parts[..count]).expect_err("parts are missing");
        let expected = if count == 0 { 0 } else { parts.len() };
        let found = count;
        assert_eq!((at, error), (0, SnapshotError::Count { expected, found }));
    }
    let mut more = parts.clone();
    more.push(parts[parts.len() - 1].clone());
    restore(shard, &more).expect_err("a part too many");
    for a in 0..parts.len() {
        for b in 0..a {
            let mut swapped = parts.clone();
            swapped.swap(a, b);
            let (at, _) = restore(shard, &swapped).expect_err("two parts are swapped");
            assert_eq!(at, b, "the first that is wrong is named");
        }
    }
}

/// Goal: a lobby of an on-sale day neither makes one huge part nor costs much more than its ids.
#[test]
fn a_large_lobby_is_split_into_small_parts_of_16_bytes_a_person() {
    let mut world = World::new(5);
    let people: Vec<_> = (0..60_000).map(|i| BuyerId(i << 64 | 7)).collect();
    for buyers in people.chunks(10_000) {
        let (_, stamp, _) = world.next();
        let buyers = buyers.to_vec();
        let join = Command::JoinQueue {
            event: QUEUED,
            buyers,
        };
        world.shards[0]
            .apply(stamp, &join)
            .expect("the lobby has room");
    }
    let parts = save(&world.shards[0]);
    let total: usize = parts.iter().map(Bytes::len).sum();
    assert!(total < 60_000 * 17, "{total} bytes");
    assert!(parts.iter().all(|part| part.len() <= 64 << 10));
    let restored = there_and_back(&world.shards[0]);
    let room = restored.room(QUEUED).expect("its room is here");
    assert_eq!(room.roster(), people);
}

/// Goal: a plan nobody could have installed is refused before anything is built from it. Method:
/// sections of 65,535 rows of 65,535 seats, and fewer seats than blocked ones.
#[test]
fn a_plan_beyond_the_limits_is_refused() {
    let ledger = World::new(6).shards[0].clone();
    for (rows, seats_per_row) in [(u16::MAX, u16::MAX), (0, 20), (1, 1)] {
        let mut parts: Vec<Part> = ledger.parts().collect();
        let Part::Event(event) = &mut parts[1] else {
            panic!("the head is followed by an event");
        };
        event.plan.sections[0].layout = Layout::Seated {
            rows,
            seats_per_row,
            blocked: vec![SeatNo(0), SeatNo(19)],
            accessible: Vec::new(),
        };
        let event = event.plan.event;
        let error = Ledger::from_parts(parts).expect_err("no such plan");
        assert_eq!(error, PartsError::Event { event });
    }
}

#[test]
fn another_shards_snapshot_is_refused() {
    let found = ShardId(1);
    let error = restore(ShardId(2), &save(&busy(2))).expect_err("it is shard 1's");
    assert_eq!(error, (0, SnapshotError::WrongShard { found }));
}

#[test]
fn a_part_cut_short_is_refused_or_means_something_else_and_never_panics() {
    let parts = save(&busy(3));
    let mut dice = Dice(3);
    for _ in 0..400 {
        let mut parts = parts.clone();
        let at = dice.below(parts.len());
        let length = dice.below(parts[at].len());
        parts[at].truncate(length);
        if let Err((refused_at, _)) = restore(ShardId(1), &parts) {
            assert!(refused_at >= at || refused_at == 0);
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_or_means_something_else_and_never_panics() {
    let parts = save(&busy(4));
    let mut dice = Dice(4);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..3_000 {
        let mut parts = parts.clone();
        let at = dice.below(parts.len());
        let mut bytes = parts[at].to_vec();
        let byte = dice.below(bytes.len());
        bytes[byte] ^= 1 << dice.below(8);
        parts[at] = Bytes::from(bytes);
        match restore(ShardId(1), &parts) {
            Err(_) => refused += 1,
            Ok(ledger) => {
                let _ = (ledger.digest(), ledger.check_invariants());
                taken += 1;
            }
        }
    }
    assert!(refused > 0 && taken > 0, "{refused} refused, {taken} taken");
}
