//! P8 for orders that forgot what they asked for. Goal: an order that holds keeps a mark of its
//! wish and not the wish, and nobody can tell: the same request gets the same answer and another
//! one is refused, while it is held, when it is over, through snapshots of this release and of one
//! that kept wishes.

mod common;

use common::names::SHOW;
use common::plan;
use ledger::command::{CloseReason, LegWant, OpenOrder, Want};
use ledger::message::Message;
use ledger::orders::Asked;
use ledger::parts::Part;
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::*;

const HERE: ShardId = ShardId(1);
const THERE: ShardId = ShardId(2);
const BUYER: BuyerId = BuyerId(77);

fn apply(ledger: &mut Ledger, command: Command) -> Outcome {
    let stamp = Stamp {
        at: Timestamp(2_000),
        draw: [0; 32],
    };
    ledger.apply(stamp, &command)
}

fn show() -> Ledger {
    let sections = vec![
        plan::seated(1, 4, 10, 500),
        plan::seated(1, 4, 10, 700),
        plan::seated(2, 4, 10, 900),
    ];
    let mut ledger = Ledger::new(HERE);
    let event = plan::event(sections);
    apply(&mut ledger, Command::InstallEvent(Box::new(event))).unwrap();
    ledger
}

fn id() -> OrderId {
    OrderId::new(HERE, 5)
}

fn best(shard: ShardId, sections: &[u16], count: u8) -> LegWant {
    let want = Want::Best {
        sections: sections.iter().map(|section| SectionNo(*section)).collect(),
        count,
        accessible: false,
    };
    LegWant { shard, want }
}

fn open(legs: Vec<LegWant>) -> Command {
    Command::OpenOrder(Box::new(OpenOrder {
        order: id(),
        event: SHOW,
        buyer: BUYER,
        pass: None,
        legs,
    }))
}

fn restored(ledger: &Ledger) -> Ledger {
    let restored = Ledger::from_parts(ledger.parts()).unwrap();
    assert_eq!(restored.digest(), ledger.digest());
    restored
}

#[test]
fn an_order_of_the_best_seats_is_repeated_and_told_from_another_for_as_long_as_it_is_known() {
    let mut ledger = show();
    let asked = || open(vec![best(HERE, &[0, 1], 3)]);
    let others = [
        open(vec![best(HERE, &[1, 0], 3)]),
        open(vec![best(HERE, &[0, 1], 2)]),
        open(vec![best(HERE, &[0], 3)]),
        open(vec![best(HERE, &[0, 1], 3), best(HERE, &[1], 1)]),
    ];
    let held = apply(&mut ledger, asked());
    assert!(matches!(held, Ok(Receipt::OrderHeld { .. })), "{held:?}");
    assert_eq!(ledger.order(id()).unwrap().legs[0].want(), None);

    // What an older release saved: the wish beside what was found for it.
    let older = ledger.parts().map(|part| match part {
        Part::Orders(mut orders) => {
            let leg = &mut orders[0].legs[0];
            assert!(matches!(leg.asked, Asked::Mark(_)));
            leg.asked = Asked::Want(best(HERE, &[0, 1], 3).want);
            Part::Orders(orders)
        }
        part => part,
    });
    let older = Ledger::from_parts(older).unwrap();
    assert_eq!(older.digest(), ledger.digest());

    for mut known in [restored(&ledger), older, ledger] {
        for other in &others {
            let answer = apply(&mut known, other.clone());
            assert_eq!(answer, Err(Rejection::OrderExistsWithDifferentContent));
        }
        assert_eq!(apply(&mut known, asked()), held);
        let why = CloseReason::Cancelled;
        let (order, buyer) = (id(), BUYER);
        apply(&mut known, Command::CloseOrder { order, buyer, why }).unwrap();
        for mut over in [restored(&known), known] {
            for other in &others {
                let answer = apply(&mut over, other.clone());
                assert_eq!(answer, Err(Rejection::OrderExistsWithDifferentContent));
            }
            let answer = apply(&mut over, asked());
            assert_eq!(answer, Err(Rejection::OrderOver { why }));
        }
    }
}

/// Tickets follow from their leg's id and are not kept; those of a shard that issued others are.
#[test]
fn an_order_has_the_tickets_its_legs_shard_issued_whatever_they_are() {
    let due = tickets::ticket_id(
        THERE,
        LegKey {
            order: id(),
            leg: 0,
        },
        0,
    );
    for issued in [due, TicketId(0xbad)] {
        let mut ledger = show();
        apply(&mut ledger, open(vec![best(THERE, &[2], 1)])).unwrap();
        let held = outcome::HeldLeg {
            leg: 0,
            section: SectionNo(2),
            places: outcome::Places::Seats(seat_list::SeatList::new(&[SeatNo(4)]).unwrap()),
            generation: Generation(9),
            price_each: 900,
        };
        let (order, leg) = (
            id(),
            LegKey {
                order: id(),
                leg: 0,
            },
        );
        let legs = vec![held];
        apply(&mut ledger, Command::RecordHeld { order, legs }).unwrap();
        let (buyer, method) = (BUYER, "tok".to_owned());
        let start = Command::StartPayment {
            order,
            buyer,
            method,
        };
        apply(&mut ledger, start).unwrap();
        let mut number = 0;
        let mut word = |ledger: &mut Ledger, message| {
            number += 1;
            let deliver = Command::Deliver {
                from: THERE,
                first: number,
                messages: vec![message],
            };
            apply(ledger, deliver).unwrap();
        };
        assert_eq!(restored(&ledger).order(order).unwrap().method(), "tok");
        word(&mut ledger, Message::LegPinned { leg });
        for step in [PaymentStep::Authorize, PaymentStep::Capture] {
            let paid = Command::RecordPayment {
                order,
                step,
                attempt: 1,
                result: PaymentResult::Done {
                    reference: "pi".into(),
                },
            };
            apply(&mut ledger, paid).unwrap();
        }
        assert_eq!(ledger.order(order).unwrap().tickets().count(), 0);
        let tickets = vec![issued];
        word(&mut ledger, Message::LegSold { leg, tickets });
        for ledger in [&restored(&ledger), &ledger] {
            let paid = ledger.order(order).unwrap();
            assert_eq!(paid.phase(), outcome::OrderPhase::Paid);
            assert_eq!(paid.tickets().collect::<Vec<_>>(), [issued]);
            let attempt = ledger.attempt(order, 1).unwrap();
            assert_eq!((attempt.method.as_str(), &*attempt.reference), ("", "pi"));
        }
    }
}
