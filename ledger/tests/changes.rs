//! The journal of facts. Goal: facts are numbered without gaps, alike whether anybody keeps them
//! or not and through snapshots, and what was refused or undone never happened.

mod common;

use common::names::SHOW;
use common::plan::{event, seated};
use common::world::restored;
use ledger::change::Change;
use ledger::command::{CloseReason, LegWant, OpenOrder, Want};
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::*;

const HERE: ShardId = ShardId(1);
const BUYER: BuyerId = BuyerId(7);

fn shard() -> Ledger {
    let mut ledger = Ledger::new(HERE);
    ledger.keep_changes(true);
    let plan = event(vec![seated(1, 2, 5, 1_000), seated(1, 1, 2, 2_000)]);
    apply(&mut ledger, 1, Command::InstallEvent(Box::new(plan))).expect("a sound plan");
    ledger
}

fn apply(ledger: &mut Ledger, at: u64, command: Command) -> Outcome {
    let stamp = Stamp {
        at: Timestamp(at),
        draw: [7; 32],
    };
    ledger.apply(stamp, &command)
}

fn open(number: u128, wants: &[(u16, &[u16])]) -> Command {
    let leg = |(section, seats): &(u16, &[u16])| {
        let seats: Vec<_> = seats.iter().copied().map(SeatNo).collect();
        let seats = SeatList::new(&seats).expect("few seats");
        let section = SectionNo(*section);
        LegWant {
            shard: HERE,
            want: Want::Seats { section, seats },
        }
    };
    Command::OpenOrder(Box::new(OpenOrder {
        order: OrderId::new(HERE, number),
        event: SHOW,
        buyer: BUYER,
        pass: None,
        legs: wants.iter().map(leg).collect(),
    }))
}

fn numbers(ledger: &mut Ledger) -> Vec<u8> {
    ledger
        .take_changes()
        .map(|change| change.number())
        .collect()
}

#[test]
fn an_order_leaves_its_whole_story() {
    let mut ledger = shard();
    assert_eq!(numbers(&mut ledger), [1]);
    apply(&mut ledger, 10, open(1, &[(0, &[0, 1]), (1, &[0])])).expect("free seats");
    let id = OrderId::new(HERE, 1);
    let pay = Command::StartPayment {
        order: id,
        buyer: BUYER,
        method: "card".to_owned(),
    };
    apply(&mut ledger, 20, pay).expect("held");
    for step in [PaymentStep::Authorize, PaymentStep::Capture] {
        let result = PaymentResult::Done {
            reference: "ref".to_owned(),
        };
        let answer = Command::RecordPayment {
            order: id,
            step,
            attempt: 1,
            result,
        };
        apply(&mut ledger, 30, answer).expect("owed");
    }
    apply(&mut ledger, 40, Command::StartRefund { order: id }).expect("paid");
    let changes: Vec<Change> = ledger.take_changes().collect();
    let story: Vec<u8> = changes.iter().map(Change::number).collect();
    // Opened, two legs held, held; pinned, payment started; committed, sold; paid; refund, revoked.
    assert_eq!(story, [6, 17, 17, 7, 18, 18, 9, 12, 20, 20, 13, 15, 22, 22]);
    assert_eq!(ledger.feed_sequence(), 15);
    assert!(changes.iter().all(|change| change.event() == SHOW));
}

#[test]
fn what_was_refused_or_undone_never_happened() {
    let mut ledger = shard();
    apply(&mut ledger, 10, open(1, &[(1, &[0])])).expect("free seats");
    let before = ledger.feed_sequence();
    let _ = numbers(&mut ledger);
    // Its first leg is held and undone again, because its second is refused.
    let refused = apply(&mut ledger, 11, open(2, &[(0, &[0]), (1, &[0])]));
    assert!(refused.is_err());
    // Repeats are answered, and move nothing.
    apply(&mut ledger, 12, open(1, &[(1, &[0])])).expect("the same answer");
    assert_eq!(ledger.feed_sequence(), before);
    assert_eq!(numbers(&mut ledger), []);
    let close = Command::CloseOrder {
        order: OrderId::new(HERE, 1),
        buyer: BUYER,
        why: CloseReason::Cancelled,
    };
    apply(&mut ledger, 13, close).expect("held");
    assert_eq!(numbers(&mut ledger), [21, 14]);
}

#[test]
fn numbers_go_on_through_snapshots_and_count_what_nobody_keeps() {
    let mut kept = shard();
    let mut unkept = shard();
    unkept.keep_changes(false);
    for number in 1..4 {
        let seat = number as u16 - 1;
        let command = open(number, &[(0, &[seat])]);
        apply(&mut kept, 10, command.clone()).expect("free seats");
        apply(&mut unkept, 10, command).expect("free seats");
    }
    assert_eq!(unkept.take_changes().len(), 0);
    assert_eq!(kept.digest(), unkept.digest());
    let mut copy = restored(&kept);
    assert_eq!(copy.feed_sequence(), kept.feed_sequence());
    copy.keep_changes(true);
    apply(&mut copy, 11, open(9, &[(0, &[9])])).expect("free seats");
    let fresh = copy.take_changes().len() as u64;
    assert_eq!(copy.feed_sequence(), kept.feed_sequence() + fresh);
}
