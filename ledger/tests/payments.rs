//! P4 by exhaustion. Goal: at most one charge an order, and money is never kept without seats,
//! whatever the provider's answers are and in whatever order they arrive.
//!
//! Method: a provider with real money. Every history of up to five events is played: calls that
//! succeed, are declined, are carried out but not heard of, are never carried out; every
//! notification the provider ever sent arriving again; time; the buyer and the organizer doing
//! things. Then the provider answers truthfully until nothing is owed, and the books are checked.

mod common;

use common::names::{SHOW, buyer, order};
use common::plan;
use common::world::World;
use ledger::command::*;
use ledger::outcome::OrderPhase;
use ledger::payment::{PaymentDue, PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::*;

/// One attempt's money, as the provider sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    declined: bool,
    reserved: bool,
    undone: bool,
    taken: bool,
    returned: bool,
}

#[derive(Clone, Default)]
struct Provider {
    /// By attempt; number 0 is unused.
    accounts: [Account; 8],
    captures: u32,
    refunds: u32,
    /// All it ever told, to be told again.
    told: Vec<(PaymentStep, u8, PaymentResult)>,
}

impl Provider {
    /// Carries a call out, once however often it is asked, and says how it went.
    fn call(&mut self, due: &PaymentDue, declines: bool) -> PaymentResult {
        let account = &mut self.accounts[usize::from(due.attempt)];
        let done = match due.step {
            PaymentStep::Authorize => {
                if !account.reserved && !account.undone {
                    account.declined |= declines;
                    account.reserved = !account.declined;
                }
                account.reserved && !account.undone
            }
            PaymentStep::Capture => {
                if account.reserved && !account.undone && !account.taken && !declines {
                    account.taken = true;
                    self.captures += 1;
                }
                account.taken
            }
            PaymentStep::Cancel => {
                if !account.taken {
                    account.undone = true;
                }
                account.undone
            }
            PaymentStep::Refund => {
                if account.taken && !account.returned {
                    account.returned = true;
                    self.refunds += 1;
                }
                account.returned
            }
        };
        let result = if done {
            done_result()
        } else {
            PaymentResult::Refused {
                reason: "no".into(),
            }
        };
        self.told.push((due.step, due.attempt, result.clone()));
        result
    }
}

fn done_result() -> PaymentResult {
    PaymentResult::Done {
        reference: "pay-1".into(),
    }
}

#[derive(Clone)]
struct History {
    world: World,
    provider: Provider,
}

const EVENTS: usize = 11;

impl History {
    /// Whether it changed anything: a rejection changes nothing, so nothing new follows from it.
    fn happen(&mut self, event: usize) -> bool {
        let changed = match event {
            0 => self.call(false, true),
            1 => self.call(true, true),
            2 => self.call(false, false),
            3 => self.never_called(),
            4..=6 => self.told_again(event - 4),
            7 => {
                self.world.now.0 += 600_000;
                self.apply(Command::Tick)
            }
            8 => {
                let method = "card".into();
                self.apply(Command::StartPayment {
                    order: id(),
                    buyer: buyer("ann"),
                    method,
                })
            }
            9 => self.apply(Command::StartRefund { order: id() }),
            _ => {
                let why = CloseReason::Cancelled;
                self.apply(Command::CloseOrder {
                    order: id(),
                    buyer: buyer("ann"),
                    why,
                })
            }
        };
        self.nothing_is_wrong();
        changed
    }

    fn apply(&mut self, command: Command) -> bool {
        self.world.apply(ShardId(1), &command).is_ok()
    }

    fn owed(&self) -> Option<PaymentDue> {
        self.world.shard(ShardId(1)).payments_due(1).pop()
    }

    /// The provider does what it is asked; its answer arrives, or is lost on the way.
    fn call(&mut self, declines: bool, heard: bool) -> bool {
        let Some(due) = self.owed() else { return false };
        let result = self.provider.call(&due, declines);
        let result = if heard {
            result
        } else {
            PaymentResult::Unknown
        };
        self.record(due.step, due.attempt, result)
    }

    fn never_called(&mut self) -> bool {
        let Some(due) = self.owed() else { return false };
        self.record(due.step, due.attempt, PaymentResult::Unknown)
    }

    /// A notification of something the provider once said: the first, the last, or the one
    /// before it.
    fn told_again(&mut self, which: usize) -> bool {
        let told = &self.provider.told;
        let at = match which {
            0 => Some(0),
            1 => told.len().checked_sub(1),
            _ => told.len().checked_sub(2),
        };
        match at.and_then(|at| told.get(at)).cloned() {
            Some((step, attempt, result)) => self.record(step, attempt, result),
            None => false,
        }
    }

    fn record(&mut self, step: PaymentStep, attempt: u8, result: PaymentResult) -> bool {
        let record = Command::RecordPayment {
            order: id(),
            step,
            attempt,
            result,
        };
        match self.world.apply(ShardId(1), &record) {
            Ok(Receipt::Payment { .. }) => true,
            Err(Rejection::PaymentStale | Rejection::OrderUnknown) => false,
            other => panic!("{other:?}"),
        }
    }

    fn phase(&self) -> Option<OrderPhase> {
        self.world
            .shard(ShardId(1))
            .order(id())
            .map(|order| order.phase())
    }

    fn nothing_is_wrong(&self) {
        let kept = self.provider.captures - self.provider.refunds;
        assert!(kept <= 1, "charged twice");
        if self.phase() == Some(OrderPhase::Paid) {
            assert_eq!(kept, 1, "paid, but nothing was taken");
        }
        let counts = self.world.shard(ShardId(1)).counts(SHOW);
        assert!(
            [counts.held, counts.pinned, counts.sold]
                .iter()
                .all(|count| [0, 2].contains(count))
        );
    }

    /// From now on the provider answers, and truly.
    fn heal(&mut self) {
        for _ in 0..12 {
            self.call(false, true);
            self.world.now.0 += 601_000;
            self.world.apply(ShardId(1), &Command::Tick).unwrap();
        }
    }

    fn the_books_are_right(&self) {
        assert!(self.owed().is_none(), "still owed: {:?}", self.owed());
        let paid = self.phase() == Some(OrderPhase::Paid);
        let ends = [None, Some(OrderPhase::Paid), Some(OrderPhase::Refunded)];
        assert!(ends.contains(&self.phase()), "no end: {:?}", self.phase());
        assert_eq!(
            self.provider.captures - self.provider.refunds,
            u32::from(paid),
            "money kept"
        );
        let outstanding =
            |account: &&Account| account.reserved && !account.undone && !account.taken;
        assert_eq!(
            self.provider.accounts.iter().filter(outstanding).count(),
            0,
            "money still reserved"
        );
        let counts = self.world.shard(ShardId(1)).counts(SHOW);
        assert_eq!(
            (counts.sold, counts.held, counts.pinned),
            (if paid { 2 } else { 0 }, 0, 0)
        );
    }
}

fn id() -> OrderId {
    order("o1")
}

fn beginning() -> History {
    let mut world = World::new(1);
    world.now = Timestamp(1_000);
    let event = plan::event(vec![plan::seated(1, 1, 2, 50)]);
    world
        .apply(ShardId(1), &Command::InstallEvent(Box::new(event)))
        .unwrap();
    let seats = SeatList::new(&[SeatNo(0), SeatNo(1)]).unwrap();
    let want = Want::Seats {
        section: SectionNo(0),
        seats,
    };
    let open = OpenOrder {
        order: id(),
        event: SHOW,
        buyer: buyer("ann"),
        pass: None,
        legs: vec![LegWant {
            shard: ShardId(1),
            want,
        }],
    };
    world
        .apply(ShardId(1), &Command::OpenOrder(Box::new(open)))
        .unwrap();
    let mut history = History {
        world,
        provider: Provider::default(),
    };
    history.happen(8);
    history
}

/// Plays every history that goes on from `history` with up to `depth` events.
fn play(history: &History, depth: usize, so_far: &mut Vec<usize>, played: &mut usize) {
    let mut end = history.clone();
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        end.heal();
        end.the_books_are_right();
    }));
    if let Err(panic) = told {
        eprintln!("after events {so_far:?}");
        std::panic::resume_unwind(panic);
    }
    *played += 1;
    if depth == 0 {
        return;
    }
    for event in 0..EVENTS {
        let mut next = history.clone();
        so_far.push(event);
        let changed = next.happen(event);
        if changed {
            play(&next, depth - 1, so_far, played);
        }
        so_far.pop();
    }
}

/// What is known need not be recorded again: doors ask before they propose what a webhook tells.
#[test]
fn a_success_is_known_once_it_is_recorded_and_nothing_else_ever_is() {
    let mut history = beginning();
    let known = |history: &History, step, result: &PaymentResult| {
        let ledger = history.world.shard(ShardId(1));
        ledger.payment_known(id(), step, 1, result)
    };
    let done = done_result();
    let other = PaymentResult::Done {
        reference: "pay-2".into(),
    };
    assert!(!known(&history, PaymentStep::Authorize, &done));
    history.call(false, true);
    assert!(known(&history, PaymentStep::Authorize, &done));
    assert!(!known(&history, PaymentStep::Authorize, &other));
    assert!(!known(&history, PaymentStep::Capture, &done));
    history.call(false, true);
    assert!(known(&history, PaymentStep::Authorize, &done));
    assert!(known(&history, PaymentStep::Capture, &done));
    assert!(!known(
        &history,
        PaymentStep::Capture,
        &PaymentResult::Unknown
    ));

    let mut cancelled = beginning();
    cancelled.call(false, false);
    cancelled.world.now.0 += 600_000;
    cancelled.apply(Command::Tick);
    cancelled.call(false, true);
    let late = "a reservation of what is over has to be undone, whoever tells of it";
    assert!(!known(&cancelled, PaymentStep::Authorize, &done), "{late}");
}

#[test]
fn money_is_taken_at_most_once_and_never_kept_without_seats_in_any_history_of_five_events() {
    let mut played = 0;
    play(&beginning(), 5, &mut Vec::new(), &mut played);
    assert!(played > 5_000, "{played} histories");
}
