//! Goal: no single command pays for all that a shard remembers. A shard that had seen 230,000 orders end
//! needed tens of milliseconds for the next one, on every replica at the same entry, to copy the table of
//! those that are over into one twice its size; at a million it would have been a fifth of a second.
//!
//! Method: an allocator that counts. What a growing collection copies it first makes room for, so the
//! largest amount that one command asks for at once bounds what it can copy.

mod common;

use common::names::{SHOW, spread};
use ledger::command::{CloseReason, LegWant, OpenOrder, Want};
use ledger::event::{EventPlan, EventRules, Layout, Sale, SectionPlan};
use ledger::*;
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const HERE: ShardId = ShardId(1);
const ORDERS: u64 = 300_000;
/// An index of 8 bytes a cell, and 16 bytes an order for their age; no order itself.
const AT_ONCE_MAX: usize = 12 << 20;

fn apply(ledger: &mut Ledger, at: u64, command: Command) {
    let stamp = Stamp {
        at: Timestamp(at),
        draw: [0; 32],
    };
    ledger.apply(stamp, &command).unwrap();
}

#[test]
fn no_command_pays_for_all_orders_that_are_over() {
    let mut ledger = Ledger::new(HERE);
    let plan = EventPlan {
        event: SHOW,
        version: 1,
        rules: EventRules {
            sale: Sale::Open,
            opens_at: Timestamp(1),
            hold_ms: 600_000,
            order_seats_max: 8,
            buyer_seats_max: 8,
            currency: *b"EUR",
            queue: None,
            room_shard: HERE,
        },
        sections: vec![SectionPlan {
            shard: HERE,
            layout: Layout::Standing { capacity: 1_000 },
            price: 4_500,
            tier: 1,
        }],
    };
    apply(
        &mut ledger,
        1_000_000,
        Command::InstallEvent(Box::new(plan)),
    );
    let mut most = 0;
    for n in 0..ORDERS {
        let (order, buyer) = (OrderId::new(HERE, spread(n)), BuyerId(spread(n)));
        let leg = LegWant {
            shard: HERE,
            want: Want::Standing {
                section: SectionNo(0),
                count: 2,
            },
        };
        let open = Command::OpenOrder(Box::new(OpenOrder {
            order,
            event: SHOW,
            buyer,
            pass: None,
            legs: vec![leg],
        }));
        let close = Command::CloseOrder {
            order,
            buyer,
            why: CloseReason::Cancelled,
        };
        for command in [open, close] {
            let before = HEAP.current_usage();
            HEAP.reset_peak_usage();
            apply(&mut ledger, 1_000_001 + n / 1_000, command);
            most = most.max(HEAP.peak_usage().saturating_sub(before));
        }
    }
    assert!(most <= AT_ONCE_MAX, "{most} bytes for one command");
}
