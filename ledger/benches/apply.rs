//! What one core can decide: every figure is commands through `Ledger::apply`, or the room's own
//! arithmetic at two million people. Budgets stand beside the names; `docs/scaling.md` uses them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ledger::command::{HoldLeg, LegWant, OpenOrder, Want};
use ledger::event::{EventPlan, EventRules, Layout, QueueRules, Sale, SectionPlan};
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::queue::draw::{Permutation, seed};
use ledger::queue::{Room, merkle};
use ledger::seat_list::SeatList;
use ledger::*;

const HERE: ShardId = ShardId(1);
const EVENT: EventId = EventId(1);
const SECTIONS: u16 = 70;
const SEATS: u16 = 1_000;

fn plan(sections: Vec<Layout>, queue: Option<QueueRules>) -> EventPlan {
    let section = |layout| SectionPlan {
        shard: HERE,
        layout,
        price: 4_500,
        tier: 1,
    };
    EventPlan {
        event: EVENT,
        version: 1,
        rules: EventRules {
            sale: Sale::Open,
            opens_at: Timestamp(0),
            hold_ms: 600_000,
            order_seats_max: 8,
            buyer_seats_max: 64,
            currency: *b"EUR",
            queue,
            room_shard: HERE,
        },
        sections: sections.into_iter().map(section).collect(),
    }
}

fn seated(rows: u16, seats_per_row: u16) -> Layout {
    Layout::Seated {
        rows,
        seats_per_row,
        blocked: Vec::new(),
        accessible: Vec::new(),
    }
}

/// A shard with 70,000 seats of one event.
fn stadium() -> Ledger {
    let sections = (0..SECTIONS).map(|_| seated(SEATS / 40, 40)).collect();
    installed(plan(sections, None))
}

fn installed(plan: EventPlan) -> Ledger {
    let mut ledger = Ledger::new(HERE);
    apply(&mut ledger, 1_000, &Command::InstallEvent(Box::new(plan)));
    ledger
}

fn apply(ledger: &mut Ledger, at: u64, command: &Command) -> Receipt {
    let stamp = Stamp {
        at: Timestamp(at),
        draw: [0; 32],
    };
    ledger
        .apply(stamp, command)
        .expect("the benches ask for what can be had")
}

/// Ids as they come in life: spread over all their bits.
fn spread(n: u64) -> u128 {
    (u128::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

fn four_seats(n: u64) -> (SectionNo, Want) {
    let first = (n * 4 % u64::from(SEATS)) as u16;
    let section = SectionNo((n * 4 / u64::from(SEATS)) as u16 % SECTIONS);
    let seats: Vec<SeatNo> = (first..first + 4).map(SeatNo).collect();
    let seats = SeatList::new(&seats).expect("four are few");
    (section, Want::Seats { section, seats })
}

/// The hold of four seats for an order decided in another shard.
fn hold(n: u64, want: Want, until: u64) -> Command {
    let leg = LegKey {
        order: OrderId::new(ShardId(2), spread(n)),
        leg: 0,
    };
    let (buyer, until) = (BuyerId(spread(n)), Timestamp(until));
    Command::HoldLeg(Box::new(HoldLeg {
        leg,
        event: EVENT,
        buyer,
        want,
        until,
    }))
}

fn open(n: u64) -> (OrderId, BuyerId, Command) {
    let (order, buyer) = (OrderId::new(HERE, spread(n)), BuyerId(spread(n)));
    let legs = vec![LegWant {
        shard: HERE,
        want: four_seats(n).1,
    }];
    let open = OpenOrder {
        order,
        event: EVENT,
        buyer,
        pass: None,
        legs,
    };
    (order, buyer, Command::OpenOrder(Box::new(open)))
}

/// Times `iterations` runs of `each` on fresh copies of `start`, at most `capacity` on each.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn on_fresh<T: Clone>(
    start: &T,
    capacity: u64,
    iterations: u64,
    mut each: impl FnMut(&mut T, u64),
) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let mut state = start.clone();
        let batch = left.min(capacity);
        let begun = Instant::now();
        (0..batch).for_each(|n| each(&mut state, n));
        spent += begun.elapsed();
        left -= batch;
    }
    spent
}

fn holds(c: &mut Criterion) {
    let mut group = c.benchmark_group("holds");
    group.throughput(Throughput::Elements(1));
    let start = stadium();
    let capacity = u64::from(SECTIONS) * u64::from(SEATS) / 4;
    let commands: Vec<Command> = (0..capacity)
        .map(|n| hold(n, four_seats(n).1, 601_000))
        .collect();

    // Budget: 1,000,000 a second.
    group.bench_function("HoldLeg of four seats", |b| {
        b.iter_custom(|iterations| {
            on_fresh(&start, capacity, iterations, |ledger, n| {
                black_box(apply(ledger, 2_000, &commands[n as usize]));
            })
        });
    });

    let best = |n: u64| {
        let sections = (0..4)
            .map(|s| SectionNo((n as u16 + s) % SECTIONS))
            .collect();
        hold(
            n,
            Want::Best {
                sections,
                count: 4,
                accessible: false,
            },
            601_000,
        )
    };
    let best: Vec<Command> = (0..capacity * 9 / 10).map(best).collect();
    group.bench_function("HoldLeg of the best four", |b| {
        b.iter_custom(|iterations| {
            on_fresh(&start, best.len() as u64, iterations, |ledger, n| {
                black_box(apply(ledger, 2_000, &best[n as usize]));
            })
        });
    });

    // The worst case: every other seat of the largest section is taken, sixteen are wanted.
    let mut comb = installed(plan(vec![seated(600, 100)], None));
    for n in 0..30_000u64 {
        let seats = SeatList::new(&[SeatNo(n as u16 * 2)]).expect("one is few");
        let want = Want::Seats {
            section: SectionNo(0),
            seats,
        };
        apply(&mut comb, 2_000, &hold(n, want, 601_000));
    }
    let sections = vec![SectionNo(0)];
    let scattered = hold(
        99_999,
        Want::Best {
            sections,
            count: 16,
            accessible: false,
        },
        601_000,
    );
    group.bench_function("HoldLeg of sixteen in a comb of 60,000", |b| {
        b.iter_batched_ref(
            || comb.clone(),
            |ledger| black_box(apply(ledger, 2_000, &scattered)),
            BatchSize::PerIteration,
        );
    });

    // And when what is left lies far apart, so that neighbours must be looked for.
    let mut sparse = installed(plan(vec![seated(600, 100)], None));
    for n in (0..60_000u64).filter(|n| spread(*n) >> 64 & 31 != 0) {
        let seats = SeatList::new(&[SeatNo(n as u16)]).expect("one is few");
        let want = Want::Seats {
            section: SectionNo(0),
            seats,
        };
        apply(&mut sparse, 2_000, &hold(n, want, 601_000));
    }
    group.bench_function("HoldLeg of sixteen where one seat in 32 is left", |b| {
        b.iter_batched_ref(
            || sparse.clone(),
            |ledger| black_box(apply(ledger, 2_000, &scattered)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn orders(c: &mut Criterion) {
    let mut group = c.benchmark_group("orders");
    group.throughput(Throughput::Elements(1));
    let start = stadium();
    let capacity = u64::from(SECTIONS) * u64::from(SEATS) / 4;
    let orders: Vec<(OrderId, BuyerId, Command)> = (0..capacity).map(open).collect();

    group.bench_function("open and close, four seats", |b| {
        b.iter_custom(|iterations| {
            on_fresh(&start, capacity, iterations, |ledger, n| {
                let (order, buyer, open) = &orders[n as usize];
                black_box(apply(ledger, 2_000, open));
                let (order, buyer, why) = (*order, *buyer, command::CloseReason::Cancelled);
                black_box(apply(
                    ledger,
                    2_000,
                    &Command::CloseOrder { order, buyer, why },
                ));
            })
        });
    });

    let done = || PaymentResult::Done {
        reference: "pi_3PqX".to_string(),
    };
    group.bench_function("open, pay, sell, four seats", |b| {
        b.iter_custom(|iterations| {
            on_fresh(&start, capacity, iterations, |ledger, n| {
                let (order, buyer, open) = &orders[n as usize];
                let (order, buyer) = (*order, *buyer);
                apply(ledger, 2_000, open);
                let method = "tok_visa".to_string();
                apply(
                    ledger,
                    2_000,
                    &Command::StartPayment {
                        order,
                        buyer,
                        method,
                    },
                );
                for step in [PaymentStep::Authorize, PaymentStep::Capture] {
                    let result = done();
                    let paid = Command::RecordPayment {
                        order,
                        step,
                        attempt: 1,
                        result,
                    };
                    black_box(apply(ledger, 2_000, &paid));
                }
            })
        });
    });
    group.finish();
}

fn ticks(c: &mut Criterion) {
    const HOLDS: u64 = 1_000_000;
    let mut group = c.benchmark_group("ticks");
    group.throughput(Throughput::Elements(limits::SWEEP_PER_TICK_MAX as u64));
    let mut full = installed(plan(
        vec![Layout::Standing {
            capacity: HOLDS as u32,
        }],
        None,
    ));
    for n in 0..HOLDS {
        let want = Want::Standing {
            section: SectionNo(0),
            count: 1,
        };
        apply(
            &mut full,
            2_000,
            &hold(n, want, 300_000 + spread(n) as u64 % 300_000),
        );
    }
    // One copy serves a thousand ticks and more than the whole measurement.
    let mut ledger = full.clone();
    group.bench_function("Tick that ends 1,000 of 1,000,000 holds", |b| {
        b.iter(|| {
            if ledger.seats().counts(EVENT).held < 2_000 {
                ledger = full.clone();
            }
            black_box(apply(&mut ledger, 700_000, &Command::Tick))
        });
    });
    group.finish();
}

fn rooms(c: &mut Criterion) {
    const PEOPLE: u64 = 2_000_000;
    let mut group = c.benchmark_group("rooms");
    let queue = QueueRules {
        admit_per_minute: 60_000,
        secret: [3; 32],
        beacon: Vec::new(),
    };
    let plan = plan(vec![seated(600, 100)], Some(queue));
    let everybody: Vec<BuyerId> = (0..PEOPLE).map(|n| BuyerId(spread(n))).collect();

    group.throughput(Throughput::Elements(1_000));
    let (mut room, mut at) = (Room::new(&plan), 0);
    group.bench_function("join of 1,000 people", |b| {
        b.iter(|| {
            if at + 1_000 > everybody.len() {
                (room, at) = (Room::new(&plan), 0);
            }
            at += 1_000;
            black_box(
                room.join(&plan.rules, &everybody[at - 1_000..at])
                    .expect("it is open"),
            );
        });
    });

    // All that the draw does in `apply`. Budget: 50 ms.
    let mut tree = merkle::Merkle::default();
    everybody
        .iter()
        .for_each(|buyer| tree.push(merkle::leaf(*buyer)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("draw over 2,000,000 people", |b| {
        b.iter(|| {
            let seed = seed(&[3; 32], &tree.root(), tree.count(), b"beacon");
            black_box(Permutation::new(&seed, tree.count()))
        });
    });
    let draw = Permutation::new(&[7; 32], PEOPLE);
    let mut index = 0;
    group.bench_function("position of one in 2,000,000", |b| {
        b.iter(|| {
            index = (index + 1) % PEOPLE;
            black_box(draw.position(index))
        });
    });
    let leaf_at = |index: u64| merkle::leaf(everybody[index as usize]);
    group.bench_function("proof for one in 2,000,000", |b| {
        b.iter(|| {
            index = (index + 1_000_003) % PEOPLE;
            black_box(tree.proof(index, PEOPLE, leaf_at))
        });
    });
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
}

criterion_group! { name = benches; config = quick(); targets = holds, orders, ticks, rooms }
criterion_main!(benches);
