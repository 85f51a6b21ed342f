//! Goal: what goes into bytes comes out the same. Method: random values of every variant, from
//! generators that know the ranges of the types and nothing of the encoding.

use ledger::command::*;
use ledger::event::*;
use ledger::message::Message;
use ledger::outcome::*;
use ledger::payment::*;
use ledger::seat_list::SeatList;
use ledger::*;
use proptest::prelude::*;

prop_compose! {
    fn leg_key()(order: u128, leg: u8) -> LegKey { LegKey { order: OrderId(order), leg } }
}

fn seats() -> impl Strategy<Value = SeatList> {
    prop::collection::vec(any::<u16>(), 0..=16).prop_map(|seats| {
        let seats: Vec<_> = seats.into_iter().map(SeatNo).collect();
        SeatList::new(&seats).expect("at most 16")
    })
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        (any::<u16>(), seats()).prop_map(|(section, seats)| Want::Seats {
            section: SectionNo(section),
            seats
        }),
        (any::<u16>(), any::<u8>()).prop_map(|(section, count)| Want::Standing {
            section: SectionNo(section),
            count
        }),
        (
            prop::collection::vec(any::<u16>(), 0..9),
            any::<u8>(),
            any::<bool>()
        )
            .prop_map(|(sections, count, accessible)| Want::Best {
                sections: sections.into_iter().map(SectionNo).collect(),
                count,
                accessible,
            }),
    ]
}

fn held() -> impl Strategy<Value = HeldLeg> {
    let places = prop_oneof![
        seats().prop_map(Places::Seats),
        any::<u8>().prop_map(Places::Standing)
    ];
    (
        any::<u8>(),
        any::<u16>(),
        places,
        any::<u64>(),
        any::<u64>(),
    )
        .prop_map(|(leg, section, places, generation, price_each)| HeldLeg {
            leg,
            section: SectionNo(section),
            places,
            generation: Generation(generation),
            price_each,
        })
}

fn why() -> impl Strategy<Value = CloseReason> {
    prop::sample::select(vec![
        CloseReason::Refused,
        CloseReason::Cancelled,
        CloseReason::Expired,
        CloseReason::Declined,
        CloseReason::PaymentCancelled,
        CloseReason::LegLost,
        CloseReason::CaptureRefused,
    ])
}

fn rules() -> impl Strategy<Value = EventRules> {
    let sale = prop::sample::select(vec![
        Sale::Scheduled,
        Sale::Open,
        Sale::Paused,
        Sale::Closed,
    ]);
    let queue = (
        any::<u32>(),
        any::<[u8; 32]>(),
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(admit_per_minute, secret, beacon)| QueueRules {
            admit_per_minute,
            secret,
            beacon,
        });
    (
        sale,
        any::<(u64, u64, u16, u16, [u8; 3], u16)>(),
        prop::option::of(queue),
    )
        .prop_map(
            |(sale, (opens_at, hold_ms, order_max, buyer_max, currency, room), queue)| EventRules {
                sale,
                opens_at: Timestamp(opens_at),
                hold_ms,
                order_seats_max: order_max,
                buyer_seats_max: buyer_max,
                currency,
                queue,
                room_shard: ShardId(room),
            },
        )
}

fn plan() -> impl Strategy<Value = EventPlan> {
    let numbers = || prop::collection::vec(any::<u16>().prop_map(SeatNo), 0..5);
    let layout = prop_oneof![
        (any::<u16>(), any::<u16>(), numbers(), numbers()).prop_map(
            |(rows, seats_per_row, blocked, accessible)| Layout::Seated {
                rows,
                seats_per_row,
                blocked,
                accessible
            }
        ),
        any::<u32>().prop_map(|capacity| Layout::Standing { capacity }),
    ];
    let section = (any::<u16>(), layout, any::<u64>(), any::<u16>()).prop_map(
        |(shard, layout, price, tier)| SectionPlan {
            shard: ShardId(shard),
            layout,
            price,
            tier,
        },
    );
    (
        any::<u128>(),
        any::<u64>(),
        rules(),
        prop::collection::vec(section, 0..4),
    )
        .prop_map(|(event, version, rules, sections)| EventPlan {
            event: EventId(event),
            version,
            rules,
            sections,
        })
}

fn hold() -> impl Strategy<Value = HoldLeg> {
    (leg_key(), any::<(u128, u128, u64)>(), want()).prop_map(
        |(leg, (event, buyer, until), want)| HoldLeg {
            leg,
            event: EventId(event),
            buyer: BuyerId(buyer),
            want,
            until: Timestamp(until),
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hold().prop_map(|hold| Message::Hold(Box::new(hold))),
        (any::<u128>(), held()).prop_map(|(order, held)| Message::LegHeld {
            order: OrderId(order),
            held
        }),
        (leg_key(), rejection()).prop_map(|(leg, why)| Message::LegRefused { leg, why }),
        (leg_key(), any::<u64>()).prop_map(|(leg, g)| Message::Pin {
            leg,
            generation: Generation(g)
        }),
        leg_key().prop_map(|leg| Message::LegPinned { leg }),
        leg_key().prop_map(|leg| Message::PinRefused { leg }),
        (leg_key(), any::<u64>()).prop_map(|(leg, until)| Message::Unpin {
            leg,
            until: Timestamp(until)
        }),
        leg_key().prop_map(|leg| Message::Sell { leg }),
        (
            leg_key(),
            prop::collection::vec(any::<u128>().prop_map(TicketId), 0..5)
        )
            .prop_map(|(leg, tickets)| Message::LegSold { leg, tickets }),
        leg_key().prop_map(|leg| Message::Release { leg }),
        (leg_key(), any::<u64>()).prop_map(|(leg, until)| Message::Extend {
            leg,
            until: Timestamp(until)
        }),
        any::<(u128, u32, u32)>().prop_map(|(event, available, held)| Message::Stock {
            event: EventId(event),
            available,
            held
        }),
    ]
}

fn result() -> impl Strategy<Value = PaymentResult> {
    prop_oneof![
        ".{0,20}".prop_map(|reference| PaymentResult::Done { reference }),
        ".{0,20}".prop_map(|reason| PaymentResult::Refused { reason }),
        Just(PaymentResult::Unknown),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let pass = any::<(u64, u64)>().prop_map(|(index, until)| Pass {
        index,
        until: Timestamp(until),
    });
    let leg = (any::<u16>(), want()).prop_map(|(shard, want)| LegWant {
        shard: ShardId(shard),
        want,
    });
    let open = (
        any::<(u128, u128, u128)>(),
        prop::option::of(pass),
        prop::collection::vec(leg, 0..4),
    )
        .prop_map(|((order, event, buyer), pass, legs)| OpenOrder {
            order: OrderId(order),
            event: EventId(event),
            buyer: BuyerId(buyer),
            pass,
            legs,
        });
    let step = prop::sample::select(vec![
        PaymentStep::Authorize,
        PaymentStep::Capture,
        PaymentStep::Cancel,
        PaymentStep::Refund,
    ]);
    prop_oneof![
        plan().prop_map(|plan| Command::InstallEvent(Box::new(plan))),
        (any::<u128>(), any::<u64>(), rules()).prop_map(|(event, version, rules)| {
            Command::SetRules {
                event: EventId(event),
                version,
                rules: Box::new(rules),
            }
        }),
        (
            any::<u128>(),
            prop::collection::vec(any::<u128>().prop_map(BuyerId), 0..9)
        )
            .prop_map(|(event, buyers)| Command::JoinQueue {
                event: EventId(event),
                buyers
            }),
        open.prop_map(|open| Command::OpenOrder(Box::new(open))),
        hold().prop_map(|hold| Command::HoldLeg(Box::new(hold))),
        (any::<u128>(), prop::collection::vec(held(), 0..4)).prop_map(|(order, legs)| {
            Command::RecordHeld {
                order: OrderId(order),
                legs,
            }
        }),
        (any::<(u128, u128)>(), why()).prop_map(|((order, buyer), why)| Command::CloseOrder {
            order: OrderId(order),
            buyer: BuyerId(buyer),
            why
        }),
        (any::<(u128, u128)>(), ".{0,40}").prop_map(|((order, buyer), method)| {
            Command::StartPayment {
                order: OrderId(order),
                buyer: BuyerId(buyer),
                method,
            }
        }),
        (any::<u128>(), step, any::<u8>(), result()).prop_map(|(order, step, attempt, result)| {
            Command::RecordPayment {
                order: OrderId(order),
                step,
                attempt,
                result,
            }
        }),
        any::<u128>().prop_map(|order| Command::StartRefund {
            order: OrderId(order)
        }),
        (
            any::<u16>(),
            any::<u64>(),
            prop::collection::vec(message(), 0..4)
        )
            .prop_map(|(from, first, messages)| Command::Deliver {
                from: ShardId(from),
                first,
                messages
            }),
        any::<(u16, u64)>().prop_map(|(to, through)| Command::Acknowledge {
            to: ShardId(to),
            through
        }),
        Just(Command::Tick),
        Just(Command::ExtendHolds),
    ]
}

fn rejection() -> impl Strategy<Value = Rejection> {
    let plain = prop::sample::select(vec![
        Rejection::Malformed,
        Rejection::EventUnknown,
        Rejection::EventExistsWithDifferentContent,
        Rejection::EventInvalid,
        Rejection::QueueNone,
        Rejection::QueueClosed,
        Rejection::QueueFull,
        Rejection::SaleNotOpen,
        Rejection::SalePaused,
        Rejection::SaleClosed,
        Rejection::Overloaded,
        Rejection::WrongShard,
        Rejection::OrderExistsWithDifferentContent,
        Rejection::OrderInvalid,
        Rejection::PassRequired,
        Rejection::PassExpired,
        Rejection::PassSpent,
        Rejection::OrderUnknown,
        Rejection::OrderNotOfBuyer,
        Rejection::OrderNotHeldYet,
        Rejection::HoldExpired,
        Rejection::OrderInPayment,
        Rejection::PaymentAttemptsMax,
        Rejection::PaymentStale,
        Rejection::RefundImpossible,
        Rejection::TextTooLong,
        Rejection::LegOver,
        Rejection::LegUnknown,
        Rejection::VersionOld,
    ]);
    prop_oneof![
        plain,
        any::<u16>().prop_map(|section| Rejection::SectionUnknown {
            section: SectionNo(section)
        }),
        any::<(u16, u16)>().prop_map(|(section, seat)| Rejection::SeatUnknown {
            section: SectionNo(section),
            seat: SeatNo(seat)
        }),
        any::<(u16, u16)>().prop_map(|(section, seat)| Rejection::SeatNotAvailable {
            section: SectionNo(section),
            seat: SeatNo(seat)
        }),
        any::<u16>().prop_map(|max| Rejection::OrderSeatsMax { max }),
        any::<u16>().prop_map(|left| Rejection::BuyerSeatsMax { left }),
        any::<u32>().prop_map(|left| Rejection::NotEnoughSeats { left }),
        why().prop_map(|why| Rejection::OrderOver { why }),
        any::<u64>().prop_map(|expected| Rejection::DeliveryGap { expected }),
    ]
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let phase = prop_oneof![
        prop::sample::select(vec![
            OrderPhase::Opening,
            OrderPhase::Held,
            OrderPhase::Paying,
            OrderPhase::InDoubt,
            OrderPhase::Committed,
            OrderPhase::Paid,
            OrderPhase::Refunding,
            OrderPhase::Refunded,
        ]),
        why().prop_map(OrderPhase::Closed),
    ];
    prop_oneof![
        Just(Receipt::EventInstalled),
        prop::collection::vec(any::<u64>(), 0..9)
            .prop_map(|indexes| Receipt::QueueJoined { indexes }),
        any::<u64>().prop_map(|until| Receipt::OrderOpened {
            until: Timestamp(until)
        }),
        (any::<u64>(), prop::collection::vec(held(), 0..4)).prop_map(|(until, legs)| {
            Receipt::OrderHeld {
                until: Timestamp(until),
                legs,
            }
        }),
        held().prop_map(Receipt::LegHeld),
        rejection().prop_map(Receipt::LegRefused),
        Just(Receipt::OrderClosed),
        phase.prop_map(|phase| Receipt::Payment { phase }),
        any::<u64>().prop_map(|through| Receipt::Delivered { through }),
        Just(Receipt::Acknowledged),
        any::<u32>().prop_map(|swept| Receipt::Ticked { swept }),
        any::<(u32, u64)>().prop_map(|(holds, by_ms)| Receipt::HoldsExtended { holds, by_ms }),
    ]
}

proptest! {
    #[test]
    fn every_command_survives_its_bytes(command in command()) {
        let bytes = proto::encode_command(&command);
        prop_assert_eq!(proto::decode_command(&bytes), Ok(command));
    }

    #[test]
    fn every_outcome_survives_its_bytes(outcome in prop_oneof![receipt().prop_map(Ok), rejection().prop_map(Err)]) {
        let bytes = proto::encode_outcome(&outcome);
        prop_assert_eq!(proto::decode_outcome(&bytes), Ok(outcome));
    }

    #[test]
    fn arbitrary_bytes_are_decoded_or_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = proto::decode_command(&bytes);
        let _ = proto::decode_outcome(&bytes);
    }

    #[test]
    fn a_command_with_one_flipped_bit_never_panics(command in command(), at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = proto::encode_command(&command).to_vec();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = proto::decode_command(&bytes);
    }
}
