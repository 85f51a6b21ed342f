//! What the golden commands and outcomes mean. Every value differs from its neighbours', so that
//! two fields that change places are noticed.

use ledger::command::*;
use ledger::event::*;
use ledger::message::Message;
use ledger::outcome::*;
use ledger::payment::*;
use ledger::seat_list::SeatList;
use ledger::*;

pub const ORDER: OrderId = OrderId(0x0102_0304_0506_8002_8008_0900_0a0b_0c0d);
pub const EVENT: EventId = EventId(0x1112_1314_1516_4718_9910_2122_2324_2526);
pub const BUYER: BuyerId = BuyerId(0xf1e2_d3c4_b5a6_9788_7966_5544_3322_1100);
pub const LEG: LegKey = LegKey {
    order: ORDER,
    leg: 3,
};

pub fn seats(numbers: &[u16]) -> SeatList {
    let numbers: Vec<_> = numbers.iter().copied().map(SeatNo).collect();
    SeatList::new(&numbers).expect("few seats")
}

pub fn rules() -> EventRules {
    EventRules {
        sale: Sale::Paused,
        opens_at: Timestamp(1_700_000_000_001),
        hold_ms: 600_000,
        order_seats_max: 8,
        buyer_seats_max: 12,
        currency: *b"CHF",
        queue: Some(QueueRules {
            admit_per_minute: 4_000,
            secret: [0x5e; 32],
            beacon: b"lottery".to_vec(),
        }),
        room_shard: ShardId(2),
    }
}

pub fn plan() -> EventPlan {
    EventPlan {
        event: EVENT,
        version: 5,
        rules: rules(),
        sections: vec![
            SectionPlan {
                shard: ShardId(2),
                layout: Layout::Seated {
                    rows: 10,
                    seats_per_row: 30,
                    blocked: vec![SeatNo(0), SeatNo(299)],
                    accessible: vec![SeatNo(7)],
                },
                price: 12_345,
                tier: 1,
            },
            SectionPlan {
                shard: ShardId(2),
                layout: Layout::Standing { capacity: 5_000 },
                price: 6_789,
                tier: 2,
            },
        ],
    }
}

pub fn want_seats() -> Want {
    Want::Seats {
        section: SectionNo(0),
        seats: seats(&[40, 41]),
    }
}

pub fn want_best() -> Want {
    Want::Best {
        sections: vec![SectionNo(4), SectionNo(6)],
        count: 3,
        accessible: true,
    }
}

pub fn want_standing() -> Want {
    Want::Standing {
        section: SectionNo(1),
        count: 4,
    }
}

pub fn hold() -> HoldLeg {
    HoldLeg {
        leg: LEG,
        event: EVENT,
        buyer: BUYER,
        want: want_seats(),
        until: Timestamp(1_700_000_600_002),
    }
}

pub fn held_seats() -> HeldLeg {
    HeldLeg {
        leg: 0,
        section: SectionNo(0),
        places: Places::Seats(seats(&[40, 41])),
        generation: Generation(77),
        price_each: 12_345,
    }
}

pub fn held_standing() -> HeldLeg {
    HeldLeg {
        leg: 1,
        section: SectionNo(1),
        places: Places::Standing(4),
        generation: Generation(78),
        price_each: 6_789,
    }
}

/// One message of every kind.
pub fn messages() -> Vec<Message> {
    let until = Timestamp(1_700_000_600_003);
    vec![
        Message::Hold(Box::new(hold())),
        Message::LegHeld {
            order: ORDER,
            held: held_seats(),
        },
        Message::LegRefused {
            leg: LEG,
            why: Rejection::NotEnoughSeats { left: 2 },
        },
        Message::Pin {
            leg: LEG,
            generation: Generation(79),
        },
        Message::LegPinned { leg: LEG },
        Message::PinRefused { leg: LEG },
        Message::Unpin { leg: LEG, until },
        Message::Sell { leg: LEG },
        Message::LegSold {
            leg: LEG,
            tickets: vec![TicketId(0xa1), TicketId(0xa2 << 120)],
        },
        Message::Release { leg: LEG },
        Message::Extend { leg: LEG, until },
        Message::Stock {
            event: EVENT,
            available: 100,
            held: 20,
        },
    ]
}

/// One command of every kind.
pub fn commands() -> Vec<(&'static str, Command)> {
    let leg = |shard, want| LegWant {
        shard: ShardId(shard),
        want,
    };
    let open = OpenOrder {
        order: ORDER,
        event: EVENT,
        buyer: BUYER,
        pass: Some(Pass {
            index: 123_456,
            until: Timestamp(1_700_001_800_004),
        }),
        legs: vec![
            leg(2, want_seats()),
            leg(3, want_best()),
            leg(4, want_standing()),
        ],
    };
    vec![
        ("install_event", Command::InstallEvent(Box::new(plan()))),
        (
            "set_rules",
            Command::SetRules {
                event: EVENT,
                version: 6,
                rules: Box::new(rules()),
            },
        ),
        (
            "join_queue",
            Command::JoinQueue {
                event: EVENT,
                buyers: vec![BUYER, BuyerId(2)],
            },
        ),
        ("open_order", Command::OpenOrder(Box::new(open))),
        ("hold_leg", Command::HoldLeg(Box::new(hold()))),
        (
            "record_held",
            Command::RecordHeld {
                order: ORDER,
                legs: vec![held_seats(), held_standing()],
            },
        ),
        (
            "close_order",
            Command::CloseOrder {
                order: ORDER,
                buyer: BUYER,
                why: CloseReason::Cancelled,
            },
        ),
        (
            "start_payment",
            Command::StartPayment {
                order: ORDER,
                buyer: BUYER,
                method: "tok_é".into(),
            },
        ),
        (
            "record_payment",
            Command::RecordPayment {
                order: ORDER,
                step: PaymentStep::Capture,
                attempt: 2,
                result: PaymentResult::Done {
                    reference: "pay_1".into(),
                },
            },
        ),
        ("start_refund", Command::StartRefund { order: ORDER }),
        (
            "deliver",
            Command::Deliver {
                from: ShardId(3),
                first: 41,
                messages: messages(),
            },
        ),
        (
            "acknowledge",
            Command::Acknowledge {
                to: ShardId(3),
                through: 52,
            },
        ),
        ("tick", Command::Tick),
        ("extend_holds", Command::ExtendHolds),
    ]
}

/// Every receipt, and a rejection with each kind of detail.
pub fn outcomes() -> Vec<(&'static str, Outcome)> {
    let until = Timestamp(1_700_000_600_005);
    let phase = OrderPhase::InDoubt;
    vec![
        ("event_installed", Ok(Receipt::EventInstalled)),
        (
            "queue_joined",
            Ok(Receipt::QueueJoined {
                indexes: vec![9, 1 << 40],
            }),
        ),
        ("order_opened", Ok(Receipt::OrderOpened { until })),
        (
            "order_held",
            Ok(Receipt::OrderHeld {
                until,
                legs: vec![held_seats(), held_standing()],
            }),
        ),
        ("leg_held", Ok(Receipt::LegHeld(held_standing()))),
        ("order_closed", Ok(Receipt::OrderClosed)),
        ("payment", Ok(Receipt::Payment { phase })),
        ("delivered", Ok(Receipt::Delivered { through: 52 })),
        ("acknowledged", Ok(Receipt::Acknowledged)),
        ("ticked", Ok(Receipt::Ticked { swept: 31 })),
        (
            "holds_extended",
            Ok(Receipt::HoldsExtended {
                holds: 17,
                by_ms: 4_321,
            }),
        ),
        ("sale_not_open", Err(Rejection::SaleNotOpen)),
        (
            "seat_not_available",
            Err(Rejection::SeatNotAvailable {
                section: SectionNo(4),
                seat: SeatNo(41),
            }),
        ),
        ("buyer_seats_max", Err(Rejection::BuyerSeatsMax { left: 3 })),
        (
            "order_over",
            Err(Rejection::OrderOver {
                why: CloseReason::LegLost,
            }),
        ),
        ("delivery_gap", Err(Rejection::DeliveryGap { expected: 53 })),
    ]
}
