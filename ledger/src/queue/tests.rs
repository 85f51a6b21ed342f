//! A waiting room from its lobby to its last ticket.

use super::*;
use crate::digest::Digest;
use crate::event::{EventPlan, EventRules, Layout, QueueRules, Sale, SectionPlan};
use crate::ids::*;
use crate::outcome::Rejection;
use crate::seats::Stock;

const OPENS: Timestamp = Timestamp(100_000);

fn plan(capacity: u32) -> EventPlan {
    let section = |shard| SectionPlan {
        shard: ShardId(shard),
        layout: Layout::Standing { capacity },
        price: 1,
        tier: 0,
    };
    EventPlan {
        event: EventId(1),
        version: 1,
        rules: EventRules {
            sale: Sale::Scheduled,
            opens_at: OPENS,
            hold_ms: 600_000,
            order_seats_max: 4,
            buyer_seats_max: 4,
            currency: *b"EUR",
            queue: Some(QueueRules {
                admit_per_minute: 600,
                secret: [5; 32],
                beacon: b"lottery 4 8 15".to_vec(),
            }),
            room_shard: ShardId(1),
        },
        sections: vec![section(1), section(2)],
    }
}

fn people(from: u128, to: u128) -> Vec<BuyerId> {
    (from..to)
        .map(|n| BuyerId(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))
        .collect()
}

fn digest(room: &Room) -> [u8; 32] {
    let mut digest = Digest::new();
    room.digest(&mut digest);
    digest.finish()
}

#[test]
fn a_room_gathers_draws_admits_and_anybody_can_check_it() {
    let plan = plan(5_000);
    let rules = &plan.rules;
    let mut room = Room::new(&plan);
    let indexes = room
        .join(rules, &people(0, 1_000))
        .expect("the lobby is open");
    assert_eq!(indexes, (0..1_000).collect::<Vec<u64>>());
    assert_eq!(
        room.join(rules, &people(7, 9)),
        Ok(vec![7, 8]),
        "a second join is the first one"
    );
    let commitment = room.status(rules).commitment;
    assert_eq!(
        (room.state(rules), room.position(0)),
        (RoomState::Lobby, None)
    );
    assert_eq!((room.status(rules).secret, room.proof(0)), (None, None));

    // Nothing happens before the sale opens; then the draw, and admissions by the rate.
    assert_eq!(room.next_due(rules, Timestamp(5)), Some(OPENS));
    assert_eq!(room.turn(rules, Timestamp(99_999)), 0);
    assert!(room.drawn().is_none());
    assert_eq!(room.turn(rules, OPENS), 0);
    assert_eq!(room.state(rules), RoomState::Open);
    assert_eq!(room.next_due(rules, OPENS), Some(Timestamp(100_250)));
    assert_eq!(room.turn(rules, Timestamp(101_000)), 10);

    // Anybody can recompute it from what is published.
    let status = room.status(rules);
    let (secret, seed) = (status.secret.expect("shown"), status.seed.expect("shown"));
    let (root, people_in_draw) = (status.root.expect("shown"), status.people.expect("shown"));
    assert_eq!(draw::commitment(&secret), commitment);
    assert_eq!(
        draw::seed(&secret, &root, people_in_draw, b"lottery 4 8 15"),
        seed
    );
    let shuffle = draw::Permutation::new(&seed, people_in_draw);
    for (index, buyer) in people(0, 1_000).into_iter().enumerate().step_by(37) {
        let proof = room.proof(index as u64).expect("in the draw");
        assert_eq!(Some(proof.position), shuffle.position(proof.index));
        assert_eq!(Some(proof.position), room.position(index as u64));
        let leaf = merkle::leaf(buyer);
        assert!(merkle::verify(
            leaf,
            proof.index,
            people_in_draw,
            &proof.path,
            &root
        ));
        assert!(proof.path.len() * 32 < 2_048);
    }

    // Who comes later stands behind everybody, in order; nobody's place changes.
    let before: Vec<_> = (0..1_000).map(|index| room.position(index)).collect();
    assert_eq!(
        room.join(rules, &people(2_000, 2_003)),
        Ok(vec![1_000, 1_001, 1_002])
    );
    assert_eq!(
        (room.position(1_001), room.position(1_003)),
        (Some(1_001), None)
    );
    assert_eq!(
        before,
        (0..1_000)
            .map(|index| room.position(index))
            .collect::<Vec<_>>()
    );
    assert_eq!(room.reached(9), Some(Timestamp(101_000)));
    assert_eq!(room.reached(10), None);
}

#[test]
fn a_room_stops_when_paused_closed_or_sold_out_and_says_so() {
    let mut plan = plan(5);
    let mut room = Room::new(&plan);
    room.join(&plan.rules, &people(0, 1_000))
        .expect("the lobby is open");
    plan.rules.sale = Sale::Open;
    assert_eq!(
        room.next_due(&plan.rules, Timestamp(10)),
        Some(Timestamp(10)),
        "opened by hand"
    );
    room.turn(&plan.rules, Timestamp(10));

    plan.rules.sale = Sale::Paused;
    assert_eq!(room.state(&plan.rules), RoomState::Paused);
    assert_eq!(
        (
            room.turn(&plan.rules, Timestamp(50_000)),
            room.next_due(&plan.rules, OPENS)
        ),
        (0, None)
    );
    assert!(
        room.join(&plan.rules, &people(1_000, 1_001)).is_ok(),
        "people may join a paused sale"
    );

    plan.rules.sale = Sale::Open;
    let nothing = Stock {
        available: 0,
        held: 3,
    };
    room.stock_told(ShardId(1), nothing);
    room.stock_told(ShardId(2), Stock::default());
    assert_eq!(
        room.turn(&plan.rules, Timestamp(60_000)),
        0,
        "held places may come back: wait"
    );
    assert_eq!(room.next_due(&plan.rules, Timestamp(60_000)), None);
    assert_eq!(room.state(&plan.rules), RoomState::Open);

    room.stock_told(ShardId(1), Stock::default());
    assert_eq!(room.state(&plan.rules), RoomState::SoldOut);
    assert_eq!(
        room.join(&plan.rules, &people(5_000, 5_001)),
        Err(Rejection::QueueClosed)
    );
    assert_eq!(
        room.join(&plan.rules, &people(3, 4)),
        Ok(vec![3]),
        "who is in keeps their answer"
    );

    // A refund frees a place: the room opens again by itself.
    room.stock_told(
        ShardId(2),
        Stock {
            available: 1,
            held: 0,
        },
    );
    assert_eq!(room.state(&plan.rules), RoomState::Open);
    let due = room
        .next_due(&plan.rules, Timestamp(60_000))
        .expect("people wait");
    assert_eq!(room.turn(&plan.rules, due), 2, "two may look at one place");

    plan.rules.sale = Sale::Closed;
    assert_eq!(room.state(&plan.rules), RoomState::Closed);
    assert_eq!(
        room.join(&plan.rules, &people(5_000, 5_001)),
        Err(Rejection::QueueClosed)
    );
    assert_eq!(room.cursor(), 2);
}

#[test]
fn an_empty_lobby_is_drawn_too_and_then_it_is_first_come_first_served() {
    let mut plan = plan(5);
    plan.rules.sale = Sale::Open;
    let mut room = Room::new(&plan);
    assert_eq!(room.turn(&plan.rules, Timestamp(10)), 0);
    assert_eq!(
        room.next_due(&plan.rules, Timestamp(10)),
        None,
        "nobody waits"
    );
    assert_eq!(room.join(&plan.rules, &people(0, 2)), Ok(vec![0, 1]));
    assert_eq!(room.position(1), Some(1));
    let due = room
        .next_due(&plan.rules, Timestamp(90_000))
        .expect("people wait");
    assert_eq!(
        due,
        Timestamp(90_000),
        "who comes to an idle room is admitted at once"
    );
    assert_eq!(room.turn(&plan.rules, due), 2);
}

#[test]
fn a_room_survives_a_snapshot_at_any_point() {
    let plan = plan(5_000);
    let mut room = Room::new(&plan);
    for step in 0..40u64 {
        let from = u128::from(step) * 10;
        room.join(&plan.rules, &people(from, from + 10))
            .expect("it is open");
        room.turn(&plan.rules, Timestamp(95_000 + step * 300));
        let mut restored = Room::restore(&plan, room.save());
        room.roster()
            .chunks(64)
            .for_each(|chunk| restored.restore_people(chunk));
        assert_eq!(digest(&restored), digest(&room));
        assert_eq!(restored.save(), room.save());
        assert_eq!(restored.position(3), room.position(3));
        room = restored;
    }
    assert!(room.cursor() > 0);
}

#[test]
fn a_lobby_of_two_hundred_thousand_takes_at_most_128_bytes_a_person() {
    let plan = plan(5_000);
    let mut room = Room::new(&plan);
    for from in (0..200_000).step_by(10_000) {
        room.join(&plan.rules, &people(from, from + 10_000))
            .expect("it is open");
    }
    let bytes = room.heap_bytes() as u64 / room.joined();
    assert!(bytes <= 128, "{bytes}");
}
