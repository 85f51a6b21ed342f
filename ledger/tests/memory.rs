//! What an event costs in memory, measured as the bytes the program really has on its heap.
//!
//! Goal: a 70,000-seat event takes at most 8 MiB of ledger, on its first day and on its last: when
//! nothing is sold, when everything is held, and when everything is paid. Method: an allocator that
//! counts, and an event of 70 sections driven through the commands of a real sale by 17,500
//! different buyers with a pass each, who take four seats each.

mod common;

use common::names::{SHOW, spread};
use ledger::command::{LegWant, OpenOrder, Pass, Want};
use ledger::event::{EventPlan, EventRules, Layout, QueueRules, Sale, SectionPlan};
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::*;
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const HERE: ShardId = ShardId(1);
const SECTIONS: u64 = 70;
const SEATS: u64 = 1_000;
const SEATS_PER_ORDER: u64 = 4;
const ORDERS: u64 = SECTIONS * SEATS / SEATS_PER_ORDER;
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
const PERSON_BYTES_MAX: usize = 128;

fn plan() -> EventPlan {
    let section = |_| SectionPlan {
        shard: HERE,
        layout: Layout::Seated {
            rows: 25,
            seats_per_row: 40,
            blocked: Vec::new(),
            accessible: Vec::new(),
        },
        price: 4_500,
        tier: 1,
    };
    EventPlan {
        event: SHOW,
        version: 1,
        rules: EventRules {
            sale: Sale::Open,
            opens_at: Timestamp(1_000_000),
            hold_ms: 600_000,
            order_seats_max: 8,
            buyer_seats_max: 8,
            currency: *b"EUR",
            queue: Some(QueueRules {
                admit_per_minute: 60_000,
                secret: [3; 32],
                beacon: Vec::new(),
            }),
            room_shard: HERE,
        },
        sections: (0..SECTIONS).map(section).collect(),
    }
}

fn apply(ledger: &mut Ledger, at: u64, command: Command) -> Receipt {
    let stamp = Stamp {
        at: Timestamp(at),
        draw: [0; 32],
    };
    ledger.apply(stamp, &command).unwrap()
}

fn order(n: u64) -> OrderId {
    OrderId::new(HERE, spread(n))
}

fn buyer(n: u64) -> BuyerId {
    BuyerId(spread(n))
}

fn open(n: u64) -> Command {
    let first = n * SEATS_PER_ORDER;
    let seats: Vec<SeatNo> = (0..SEATS_PER_ORDER)
        .map(|seat| SeatNo((first % SEATS + seat) as u16))
        .collect();
    Command::OpenOrder(Box::new(OpenOrder {
        order: order(n),
        event: SHOW,
        buyer: buyer(n),
        pass: Some(Pass {
            index: n,
            until: Timestamp(3_000_000),
        }),
        legs: vec![LegWant {
            shard: HERE,
            want: Want::Seats {
                section: SectionNo((first / SEATS) as u16),
                seats: SeatList::new(&seats).unwrap(),
            },
        }],
    }))
}

/// The references are as long as a real provider's.
fn pay(ledger: &mut Ledger, n: u64, at: u64) {
    let start = Command::StartPayment {
        order: order(n),
        buyer: buyer(n),
        method: format!("pm_{n:024}"),
    };
    apply(ledger, at, start);
    for step in [PaymentStep::Authorize, PaymentStep::Capture] {
        let paid = Command::RecordPayment {
            order: order(n),
            step,
            attempt: 1,
            result: PaymentResult::Done {
                reference: format!("pi_{n:024}"),
            },
        };
        apply(ledger, at, paid);
    }
}

/// Bytes that `make` leaves on the heap.
fn cost<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    let made = make();
    (made, HEAP.current_usage().saturating_sub(before))
}

// One test: others beside it would be counted too.
#[test]
fn an_event_of_70_000_seats_takes_8_mib_at_most_and_a_person_in_a_lobby_128_bytes() {
    let mut told = Vec::new();
    let mut ledger = Ledger::new(HERE);
    let (plan, _) = cost(plan);
    let ((), fresh) = cost(|| {
        drop(apply(
            &mut ledger,
            1_000,
            Command::InstallEvent(Box::new(plan.clone())),
        ))
    });
    told.push(("fresh", fresh));
    let ((), held) =
        cost(|| (0..ORDERS).for_each(|n| drop(apply(&mut ledger, 2_000 + n / 20, open(n)))));
    assert_eq!(u64::from(ledger.counts(SHOW).held), SECTIONS * SEATS);
    assert_eq!(ledger.sizes().buyers as u64, ORDERS);
    told.push(("held", fresh + held));

    // Restored from a snapshot it is no larger.
    let (restored, bytes) = cost(|| Ledger::from_parts(ledger.parts()).unwrap());
    assert_eq!(restored.digest(), ledger.digest());
    told.push(("held, restored", bytes));
    drop(restored);

    let before = HEAP.current_usage();
    (0..ORDERS).for_each(|n| pay(&mut ledger, n, 3_000 + n / 20));
    let sold = (fresh + held + HEAP.current_usage()).saturating_sub(before);
    assert_eq!(u64::from(ledger.counts(SHOW).sold), SECTIONS * SEATS);
    assert_eq!(ledger.tickets().len() as u64, SECTIONS * SEATS);
    told.push(("sold", sold));
    let (restored, bytes) = cost(|| Ledger::from_parts(ledger.parts()).unwrap());
    assert_eq!(restored.digest(), ledger.digest());
    told.push(("sold, restored", bytes));
    drop(restored);
    for (what, bytes) in &told {
        eprintln!(
            "{what:>16} {bytes:>9} bytes, {:>4} an order",
            *bytes as u64 / ORDERS
        );
    }

    const PEOPLE: u64 = 200_000;
    let mut lobby = Ledger::new(HERE);
    apply(&mut lobby, 1_000, Command::InstallEvent(Box::new(plan)));
    let ((), joined) = cost(|| {
        for thousand in 0..PEOPLE / 1_000 {
            let buyers = (thousand * 1_000..(thousand + 1) * 1_000)
                .map(buyer)
                .collect();
            drop(apply(
                &mut lobby,
                1_000,
                Command::JoinQueue {
                    event: SHOW,
                    buyers,
                },
            ));
        }
    });
    eprintln!(
        "           lobby {:>9} bytes a person",
        joined as u64 / PEOPLE
    );

    for (what, bytes) in told {
        assert!(bytes <= EVENT_BYTES_MAX, "{what}: {bytes} bytes");
    }
    assert!(
        joined <= PERSON_BYTES_MAX * PEOPLE as usize,
        "{joined} bytes"
    );
}
