//! What the golden snapshot means: shard 2 with a show, its waiting room, a leg in every state, an
//! order and a try to pay in every state, a word to every shard. Written down part by part, so
//! that no rule of the ledger can change it.

use ledger::buyers::{Buyer, BuyerKey};
use ledger::command::{CloseReason, Pass};
use ledger::orders::{Asked, ClosedOrder, OrderState, SavedOrder, SavedOrderLeg};
use ledger::outcome::Places;
use ledger::parts::*;
use ledger::payments::{Attempt, AttemptState};
use ledger::queue::{Mark, SavedDraw, SavedRoom};
use ledger::seats::{Leg, LegState, SavedEnded, SavedEvent, Stock};
use ledger::tickets::{Ticket, TicketState};
use ledger::*;

use super::golden_words::*;

const NOW: u64 = 1_700_000_123_000;

pub fn parts() -> Vec<Part> {
    let head = Head {
        shard: ShardId(2),
        now: Timestamp(NOW),
        applied: 4_711,
        generation: Generation(80),
        hold_ms_longest: 900_000,
        received: vec![(ShardId(2), 7), (ShardId(3), 40)],
        // The golden bytes are from before facts were counted.
        feed_sequence: 0,
    };
    let event = EventPart {
        plan: plan(),
        seats: SavedEvent {
            event: EVENT,
            told: Stock {
                available: 5_200,
                held: 33,
            },
            told_at: Timestamp(NOW - 900),
            due_at: Some(Timestamp(NOW + 100)),
            revisions: vec![19, 23],
        },
        room_due: Some(Timestamp(NOW + 250)),
    };
    let roster = RosterPart {
        event: EVENT,
        first: 0,
        buyers: vec![BUYER, BuyerId(2), BuyerId(3 << 100)],
    };
    vec![
        Part::Head(head),
        Part::Event(Box::new(event)),
        Part::Room(Box::new(room())),
        Part::Roster(roster),
        Part::Legs(legs()),
        Part::Ended(vec![SavedEnded {
            leg: LEG,
            until: Timestamp(NOW + 60_000),
        }]),
        Part::Tickets(tickets()),
        Part::Orders(orders()),
        Part::Closed(closed()),
        Part::Buyers(buyers()),
        Part::Attempts(attempts()),
        Part::Outbox(OutboxPart {
            to: ShardId(3),
            first: 501,
            messages: messages(),
        }),
        Part::Outbox(OutboxPart {
            to: ShardId(5),
            first: 12,
            messages: Vec::new(),
        }),
    ]
}

fn room() -> SavedRoom {
    let mark = |at, cursor| Mark {
        at: Timestamp(at),
        cursor,
        available: 5_300,
    };
    SavedRoom {
        event: EVENT,
        draw: Some(SavedDraw {
            at: Timestamp(NOW - 3_000),
            people: 3,
            root: [0x20; 32],
            beacon: b"lottery".to_vec(),
            seed: [0x21; 32],
        }),
        cursor: 2,
        credit: 59_000,
        stepped_at: Timestamp(NOW - 20),
        marks: vec![mark(NOW - 3_000, 0), mark(NOW - 20, 2)],
        stock: vec![(
            ShardId(2),
            Stock {
                available: 5_298,
                held: 6,
            },
        )],
    }
}

fn leg(number: u8, places: Places, state: LegState) -> Leg {
    let seated = matches!(places, Places::Seats(_));
    Leg {
        key: LegKey {
            order: OrderId::new(ShardId(3), 900),
            leg: number,
        },
        event: EVENT,
        buyer: BUYER,
        section: SectionNo(u16::from(!seated)),
        places,
        price_each: if seated { 12_345 } else { 6_789 },
        generation: Generation(70 + u64::from(number)),
        until: Timestamp(NOW + 1_000 + u64::from(number)),
        state,
        expires_here: state == LegState::Held,
        content: 0xdead_0000 + u32::from(number),
    }
}

fn legs() -> Vec<Leg> {
    vec![
        leg(0, Places::Seats(seats(&[40, 41])), LegState::Held),
        leg(1, Places::Seats(seats(&[42])), LegState::Pinned),
        leg(2, Places::Standing(2), LegState::Sold),
    ]
}

fn tickets() -> Vec<Ticket> {
    let ticket = |ordinal, seat, state| Ticket {
        id: TicketId(0xb0 + u128::from(ordinal)),
        order: OrderId::new(ShardId(3), 900),
        leg: 2,
        ordinal,
        buyer: BUYER,
        section: SectionKey {
            event: EVENT,
            section: SectionNo(1),
        },
        seat,
        state,
    };
    vec![
        ticket(0, None, TicketState::Valid),
        ticket(1, Some(SeatNo(0)), TicketState::Void),
    ]
}

fn orders() -> Vec<SavedOrder> {
    let deadline = Timestamp(NOW + 15_000);
    let states = [
        OrderState::Opening { driven: false },
        OrderState::Opening { driven: true },
        OrderState::Held,
        OrderState::Pinning { deadline },
        OrderState::AuthPending { deadline },
        OrderState::AuthUnknown { deadline },
        OrderState::Cancelling,
        OrderState::Committed { captured: false },
        OrderState::Committed { captured: true },
        OrderState::Paid,
        OrderState::Refunding,
        OrderState::Refunded,
    ];
    let order = |(number, state): (u8, OrderState)| SavedOrder {
        id: OrderId::new(ShardId(2), u128::from(number)),
        event: EVENT,
        buyer: BUYER,
        pass_index: (number % 2 == 0).then_some(0),
        opened_at: Timestamp(NOW - 5_000),
        until: Timestamp(NOW + 595_000),
        legs: vec![
            SavedOrderLeg {
                shard: ShardId(2),
                asked: Asked::Want(want_seats()),
                held: Some(held_seats()),
                pins_unanswered: 1,
                pinned: true,
                tickets: vec![TicketId(0xc1), TicketId(0xc2 << 120)],
            },
            SavedOrderLeg {
                shard: ShardId(3),
                asked: Asked::Want(want_best()),
                held: None,
                pins_unanswered: 0,
                pinned: false,
                tickets: Vec::new(),
            },
        ],
        state,
        attempts: 2,
        method: "tok_é".into(),
    };
    (1..).zip(states).map(order).collect()
}

/// A small snapshot with an order that was given the best seats: the wish itself is not kept.
pub fn parts_with_marks() -> Vec<Part> {
    let head = Head {
        shard: ShardId(2),
        now: Timestamp(NOW),
        applied: 12,
        generation: Generation(80),
        hold_ms_longest: 900_000,
        received: Vec::new(),
        feed_sequence: 31,
    };
    let leg = SavedOrderLeg {
        shard: ShardId(3),
        asked: Asked::Mark(0xfeed_beef),
        held: Some(held_seats()),
        pins_unanswered: 0,
        pinned: false,
        tickets: Vec::new(),
    };
    let order = SavedOrder {
        id: OrderId::new(ShardId(2), 1),
        event: EVENT,
        buyer: BUYER,
        pass_index: Some(9),
        opened_at: Timestamp(NOW - 5_000),
        until: Timestamp(NOW + 595_000),
        legs: vec![leg],
        state: OrderState::Held,
        attempts: 0,
        method: String::new(),
    };
    vec![Part::Head(head), Part::Orders(vec![order])]
}

fn closed() -> Vec<ClosedOrder> {
    let reasons = [
        CloseReason::Refused,
        CloseReason::Cancelled,
        CloseReason::Expired,
        CloseReason::Declined,
        CloseReason::PaymentCancelled,
        CloseReason::LegLost,
        CloseReason::CaptureRefused,
    ];
    let closed = |(number, why): (u8, CloseReason)| ClosedOrder {
        id: OrderId::new(ShardId(2), 100 + u128::from(number)),
        event: EVENT,
        buyer: BUYER,
        content: 0xfeed_beef_0000_0000 + u64::from(number),
        why,
        closed_at: Timestamp(NOW - 1_000 + u64::from(number)),
        attempts: number % 3,
    };
    (1..).zip(reasons).map(closed).collect()
}

fn buyers() -> Vec<(BuyerKey, Buyer)> {
    let key = |buyer| BuyerKey {
        event: EVENT,
        buyer,
    };
    let session = Some(Pass {
        index: 0,
        until: Timestamp(NOW + 1_800_000),
    });
    vec![
        (
            key(BuyerId(2)),
            Buyer {
                places: 5,
                session: None,
            },
        ),
        (key(BUYER), Buyer { places: 0, session }),
    ]
}

fn attempts() -> Vec<(OrderId, Attempt)> {
    let states = [
        AttemptState::Authorizing,
        AttemptState::Declined,
        AttemptState::Cancelling,
        AttemptState::Cancelled,
        AttemptState::Capturing,
        AttemptState::Captured,
        AttemptState::Refunding,
        AttemptState::Refunded,
        AttemptState::Settled,
    ];
    let attempt = |(number, state): (u8, AttemptState)| {
        let attempt = Attempt {
            number,
            amount: 24_690,
            currency: *b"CHF",
            method: "tok_é".into(),
            reference: format!("pay_{number}").into(),
            state,
            unknown: number % 2 == 0,
            captured: number % 3 == 0,
            since: Timestamp(NOW - u64::from(number)),
        };
        (ORDER, attempt)
    };
    (1..).zip(states).map(attempt).collect()
}
