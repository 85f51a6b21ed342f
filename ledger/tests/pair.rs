//! P2 against the worst of networks. Goal: an order over several shards is whole or nothing in the
//! end, whatever is lost, doubled or reordered on the way, whoever dies in between.
//!
//! Method: random runs (`common/run.rs`), a seed each; and everything one order over two shards
//! can go through within a few steps. In the middle nothing wrong may be seen; after healing
//! everything must be right.

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::names::SHOW;
use common::plan;
use common::run::{HOLD_MS, Run};
use common::world::World;
use ledger::command::*;
use ledger::message::Message;
use ledger::outcome::OrderPhase;
use ledger::parts::Part;
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::*;

#[test]
fn an_order_over_several_shards_is_whole_or_nothing_whatever_the_network_does() {
    let runs = 10_000;
    let mut paid = 0;
    for seed in 0..runs {
        let mut run = Run::new(seed);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..80 {
                run.step();
                run.nothing_is_wrong();
            }
            run.heal();
            run.everything_is_right();
        }));
        if let Err(panic) = told {
            eprintln!("seed {seed} fails");
            std::panic::resume_unwind(panic);
        }
        paid += run
            .orders
            .iter()
            .filter(|(id, _)| run.world.shard(id.home()).order(*id).is_some())
            .count();
    }
    assert!(
        paid > runs as usize / 10,
        "only {paid} orders were paid: the runs prove little"
    );
}

/// Everything two shards and one order can do within a few steps, in every order.
#[test]
fn every_short_history_of_one_order_over_two_shards_ends_whole_or_with_nothing() {
    let mut world = World::new(2);
    world.now = Timestamp(1_000);
    let mut event = plan::event(vec![plan::seated(1, 1, 2, 10), plan::seated(2, 1, 2, 10)]);
    event.rules.hold_ms = HOLD_MS;
    world.apply_everywhere(&Command::InstallEvent(Box::new(event)));
    let id = OrderId::new(ShardId(1), 77);
    let seats = SeatList::new(&[SeatNo(0)]).unwrap();
    let leg = |shard: u16| LegWant {
        shard: ShardId(shard),
        want: Want::Seats {
            section: SectionNo(shard - 1),
            seats,
        },
    };
    let open = OpenOrder {
        order: id,
        event: SHOW,
        buyer: BuyerId(1),
        pass: None,
        legs: vec![leg(1), leg(2)],
    };
    world
        .apply(ShardId(1), &Command::OpenOrder(Box::new(open)))
        .unwrap();
    let opened = world.shards.clone();
    let mut legs = Vec::new();
    for leg in 0..2 {
        let section = SectionNo(u16::from(leg));
        let key = LegKey { order: id, leg };
        let (want, until) = (Want::Seats { section, seats }, world.now.plus_ms(HOLD_MS));
        let hold = HoldLeg {
            leg: key,
            event: SHOW,
            buyer: BuyerId(1),
            want,
            until,
        };
        match world.apply(
            ShardId(1 + u16::from(leg)),
            &Command::HoldLeg(Box::new(hold)),
        ) {
            Ok(Receipt::LegHeld(held)) => legs.push(held),
            other => panic!("{other:?}"),
        }
    }
    world
        .apply(ShardId(1), &Command::RecordHeld { order: id, legs })
        .unwrap();

    // From the moment it is opened, and from the moment the door reported it held.
    let mut seen = BTreeSet::new();
    let mut todo = VecDeque::from([(opened, world.now, 0), (world.shards, world.now, 0)]);
    let depth = 9;
    let mut ends: BTreeMap<bool, usize> = BTreeMap::new();
    while let Some((shards, now, steps)) = todo.pop_front() {
        let states: Vec<String> = shards.iter().map(state_of).collect();
        if !seen.insert((states, now)) {
            continue;
        }
        *ends
            .entry(healed_is_paid(
                World {
                    shards: shards.clone(),
                    now,
                    log: None,
                },
                id,
            ))
            .or_default() += 1;
        if steps == depth {
            continue;
        }
        for action in 0..8 {
            let mut world = World {
                shards: shards.clone(),
                now,
                log: None,
            };
            act(&mut world, id, action);
            todo.push_back((world.shards, world.now, steps + 1));
        }
    }
    assert!(
        ends.len() == 2 && seen.len() > 300,
        "{ends:?} of {}",
        seen.len()
    );
}

/// The state apart from how many commands led to it.
fn state_of(shard: &Ledger) -> String {
    let mut parts: Vec<Part> = shard.parts().collect();
    if let Some(Part::Head(head)) = parts.first_mut() {
        head.applied = 0;
    }
    format!("{parts:?}")
}

fn act(world: &mut World, id: OrderId, action: usize) {
    match action {
        // One message of one pipe arrives.
        0..=3 => {
            let (from, to) = (
                ShardId(1 + action as u16 / 2),
                ShardId(1 + action as u16 % 2),
            );
            let Some(outbox) = world
                .shard(from)
                .outbox(to)
                .filter(|outbox| !outbox.is_empty())
            else {
                return;
            };
            let first = outbox.first();
            let messages: Vec<Message> = outbox.messages().take(1).cloned().collect();
            let deliver = Command::Deliver {
                from,
                first,
                messages,
            };
            let once = world.apply(to, &deliver);
            assert_eq!(
                world.apply(to, &deliver),
                once,
                "a message that comes twice counts once"
            );
            world
                .apply(from, &Command::Acknowledge { to, through: first })
                .unwrap();
        }
        4 => {
            let pay = Command::StartPayment {
                order: id,
                buyer: BuyerId(1),
                method: "card".into(),
            };
            let _ = world.apply(ShardId(1), &pay);
        }
        5 | 6 => {
            let Some(due) = world.shard(ShardId(1)).payments_due(1).pop() else {
                return;
            };
            let result = if action == 5 || due.step == PaymentStep::Capture {
                PaymentResult::Done {
                    reference: "r".into(),
                }
            } else {
                PaymentResult::Refused {
                    reason: "no".into(),
                }
            };
            let record = Command::RecordPayment {
                order: id,
                step: due.step,
                attempt: due.attempt,
                result,
            };
            world.apply(ShardId(1), &record).unwrap();
        }
        _ => {
            // Time: enough for the courier's grace, two for the opening's end or a hold's.
            world.now.0 += 10_000;
            world.apply_everywhere(&Command::Tick);
        }
    }
}

fn healed_is_paid(mut world: World, id: OrderId) -> bool {
    for _ in 0..12 {
        world.now.0 += 30_000;
        world.apply_everywhere(&Command::Tick);
        world.deliver_all();
        for due in world.shard(ShardId(1)).payments_due(9) {
            let result = PaymentResult::Done {
                reference: "r".into(),
            };
            let record = Command::RecordPayment {
                order: id,
                step: due.step,
                attempt: due.attempt,
                result,
            };
            world.apply(ShardId(1), &record).unwrap();
        }
    }
    let sold: u32 = world
        .shards
        .iter()
        .map(|shard| shard.counts(SHOW).sold)
        .sum();
    let held: u32 = world
        .shards
        .iter()
        .map(|shard| shard.counts(SHOW).held + shard.counts(SHOW).pinned)
        .sum();
    let paid = world
        .shard(ShardId(1))
        .order(id)
        .is_some_and(|order| order.phase() == OrderPhase::Paid);
    assert_eq!((sold, held), (if paid { 2 } else { 0 }, 0));
    paid
}
