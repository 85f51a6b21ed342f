//! The ledger against a naive one. Goal: every answer and every visible fact agree with a model
//! that anybody can check by eye, for one shard and any commands at any times. Method: proptest
//! makes (and shrinks) histories; the model keeps lists and searches them.

mod common;

use common::names::SHOW;
use common::plan;
use ledger::command::*;
use ledger::outcome::OrderPhase;
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::seats::SeatStatus;
use ledger::*;
use proptest::prelude::*;

const HOME: ShardId = ShardId(1);
const SEATS: u16 = 8;
const STANDING: u32 = 5;
const HOLD_MS: u64 = 30_000;
const BUYER_MAX: u16 = 5;
const UNKNOWN_MS: u64 = 600_000;

/// What may happen. Orders and buyers are few, so that they meet.
#[derive(Clone, Debug)]
enum Op {
    Open {
        order: u8,
        buyer: u8,
        seats: Vec<u16>,
        standing: u8,
    },
    Close {
        order: u8,
        buyer: u8,
    },
    Pay {
        order: u8,
        buyer: u8,
    },
    Answer {
        order: u8,
        step: PaymentStep,
        attempt: u8,
        result: u8,
    },
    Refund {
        order: u8,
    },
    Time {
        ms: u64,
    },
    Tick,
    NewLeader,
}

fn op() -> impl Strategy<Value = Op> {
    let order = 0..6u8;
    let buyer = 0..3u8;
    let step = prop_oneof![
        4 => Just(PaymentStep::Authorize), 3 => Just(PaymentStep::Capture),
        1 => Just(PaymentStep::Cancel), 2 => Just(PaymentStep::Refund),
    ];
    let ms = prop_oneof![
        Just(1u64),
        Just(900),
        Just(2_500),
        Just(29_999),
        Just(30_000),
        Just(600_000)
    ];
    prop_oneof![
        6 => (order.clone(), buyer.clone(), prop::collection::vec(0..SEATS, 0..4), 0..3u8)
            .prop_map(|(order, buyer, seats, standing)| Op::Open { order, buyer, seats, standing }),
        2 => (order.clone(), buyer.clone()).prop_map(|(order, buyer)| Op::Close { order, buyer }),
        5 => (order.clone(), buyer).prop_map(|(order, buyer)| Op::Pay { order, buyer }),
        8 => (order.clone(), step, 1..3u8, 0..4u8)
            .prop_map(|(order, step, attempt, result)| Op::Answer { order, step, attempt, result }),
        2 => order.prop_map(|order| Op::Refund { order }),
        3 => ms.prop_map(|ms| Op::Time { ms }),
        3 => Just(Op::Tick),
        1 => Just(Op::NewLeader),
    ]
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Held,
    /// Money is being reserved; `unknown`: somebody said so. Until a moment.
    Paying {
        unknown: bool,
        deadline: u64,
    },
    Cancelling,
    Committed,
    Paid,
    Refunding,
    Refunded,
    Closed(CloseReason),
}

#[derive(Clone, Debug)]
struct ModelOrder {
    buyer: u8,
    seats: Vec<u16>,
    standing: u8,
    until: u64,
    state: State,
    attempts: u8,
}

impl ModelOrder {
    fn has_seats(&self) -> bool {
        !matches!(
            self.state,
            State::Refunding | State::Refunded | State::Closed(_)
        )
    }

    fn places(&self) -> u16 {
        self.seats.len() as u16 + u16::from(self.standing)
    }

    fn phase(&self) -> OrderPhase {
        match self.state {
            State::Held => OrderPhase::Held,
            State::Paying { unknown: false, .. } => OrderPhase::Paying,
            State::Paying { unknown: true, .. } | State::Cancelling => OrderPhase::InDoubt,
            State::Committed => OrderPhase::Committed,
            State::Paid => OrderPhase::Paid,
            State::Refunding => OrderPhase::Refunding,
            State::Refunded => OrderPhase::Refunded,
            State::Closed(why) => OrderPhase::Closed(why),
        }
    }
}

#[derive(Default)]
struct Model {
    /// What time it is, and what time the ledger last heard of.
    now: u64,
    clock: u64,
    orders: std::collections::BTreeMap<u8, ModelOrder>,
}

/// An answer without its details.
type Answer = Result<Option<OrderPhase>, Rejection>;

impl Model {
    fn open(&mut self, id: u8, buyer: u8, seats: &[u16], standing: u8) -> Answer {
        if let Some(order) = self.orders.get(&id) {
            let same = order.buyer == buyer && order.seats == seats && order.standing == standing;
            return match (same, &order.state) {
                (false, _) => Err(Rejection::OrderExistsWithDifferentContent),
                (true, State::Closed(why)) => Err(Rejection::OrderOver { why: *why }),
                (true, _) => Ok(None),
            };
        }
        let twice = (1..seats.len()).any(|i| seats[..i].contains(&seats[i]));
        if twice || (seats.is_empty() && standing == 0) {
            return Err(Rejection::OrderInvalid);
        }
        let places = seats.len() as u16 + u16::from(standing);
        let left = BUYER_MAX - self.places_of(buyer);
        if places > left {
            return Err(Rejection::BuyerSeatsMax { left });
        }
        if let Some(seat) = seats.iter().find(|seat| self.owner(**seat).is_some()) {
            return Err(Rejection::SeatNotAvailable {
                section: SectionNo(0),
                seat: SeatNo(*seat),
            });
        }
        let standing_left = STANDING - self.standing_taken();
        if u32::from(standing) > standing_left {
            return Err(Rejection::NotEnoughSeats {
                left: standing_left,
            });
        }
        let (seats, until) = (seats.to_vec(), self.now + HOLD_MS);
        self.orders.insert(
            id,
            ModelOrder {
                buyer,
                seats,
                standing,
                until,
                state: State::Held,
                attempts: 0,
            },
        );
        Ok(None)
    }

    fn places_of(&self, buyer: u8) -> u16 {
        let mine = self
            .orders
            .values()
            .filter(|order| order.buyer == buyer && order.has_seats());
        mine.map(ModelOrder::places).sum()
    }

    fn owner(&self, seat: u16) -> Option<&ModelOrder> {
        self.orders
            .values()
            .find(|order| order.has_seats() && order.seats.contains(&seat))
    }

    fn standing_taken(&self) -> u32 {
        self.orders
            .values()
            .filter(|order| order.has_seats())
            .map(|order| u32::from(order.standing))
            .sum()
    }

    fn close(&mut self, id: u8, buyer: u8) -> Answer {
        let order = self.orders.get_mut(&id).ok_or(Rejection::OrderUnknown)?;
        if order.buyer != buyer {
            return Err(Rejection::OrderNotOfBuyer);
        }
        match order.state {
            State::Closed(_) => {}
            State::Held => order.state = State::Closed(CloseReason::Cancelled),
            _ => return Err(Rejection::OrderInPayment),
        }
        Ok(None)
    }

    fn pay(&mut self, id: u8, buyer: u8) -> Answer {
        let now = self.now;
        let order = self.orders.get_mut(&id).ok_or(Rejection::OrderUnknown)?;
        if order.buyer != buyer {
            return Err(Rejection::OrderNotOfBuyer);
        }
        match order.state {
            State::Closed(why) => return Err(Rejection::OrderOver { why }),
            State::Held if now >= order.until => return Err(Rejection::HoldExpired),
            State::Held => {
                order.attempts += 1;
                order.state = State::Paying {
                    unknown: false,
                    deadline: now + UNKNOWN_MS,
                };
            }
            _ => {}
        }
        Ok(Some(order.phase()))
    }

    /// Only answers to what is owed are modelled; the ledger is asked which those are, and the
    /// histories of `payments.rs` try the others.
    fn answer(&mut self, id: u8, step: PaymentStep, result: u8) -> Answer {
        let now = self.now;
        let order = self.orders.get_mut(&id).ok_or(Rejection::OrderUnknown)?;
        let (done, refused) = (result < 2, result == 2);
        let next = match (&order.state, step) {
            (State::Paying { .. }, _) if done => State::Committed,
            (State::Paying { .. }, _) if refused && (now >= order.until || order.attempts == 3) => {
                State::Closed(CloseReason::Declined)
            }
            (State::Paying { .. }, _) if refused => State::Held,
            (State::Paying { deadline, .. }, _) => State::Paying {
                unknown: true,
                deadline: *deadline,
            },
            (State::Committed, _) if done => State::Paid,
            (State::Committed, _) if refused => State::Closed(CloseReason::CaptureRefused),
            (State::Cancelling, _) if done => State::Closed(CloseReason::PaymentCancelled),
            (State::Cancelling, _) if refused => State::Paying {
                unknown: true,
                deadline: now + UNKNOWN_MS,
            },
            (State::Refunding, _) if done => State::Refunded,
            (state, _) => state.clone(),
        };
        order.state = next;
        Ok(Some(order.phase()))
    }

    fn refund(&mut self, id: u8) -> Answer {
        let order = self.orders.get_mut(&id).ok_or(Rejection::OrderUnknown)?;
        match order.state {
            State::Closed(why) => return Err(Rejection::OrderOver { why }),
            State::Paid => order.state = State::Refunding,
            State::Refunding | State::Refunded => {}
            _ => return Err(Rejection::RefundImpossible),
        }
        Ok(Some(order.phase()))
    }

    fn tick(&mut self) {
        for order in self.orders.values_mut() {
            match order.state {
                State::Held if self.now >= order.until => {
                    order.state = State::Closed(CloseReason::Expired)
                }
                State::Paying { deadline, .. } if self.now >= deadline => {
                    order.state = State::Cancelling
                }
                _ => {}
            }
        }
    }

    fn new_leader(&mut self, before: u64) {
        let gap = self.now - before;
        if gap <= 800 {
            return;
        }
        for order in self.orders.values_mut() {
            if order.state == State::Held && before < order.until {
                order.until += gap.min(600_000);
            }
        }
    }

    /// The model remembers for ever, the ledger for an hour.
    fn forget(&mut self, ledger: &Ledger) {
        self.orders.retain(|id, order| {
            !matches!(order.state, State::Closed(_)) || ledger.closed_order(order_id(*id)).is_some()
        });
    }
}

fn order_id(id: u8) -> OrderId {
    OrderId::new(HOME, u128::from(id) + 1)
}

fn buyer_id(buyer: u8) -> BuyerId {
    BuyerId(u128::from(buyer) + 1)
}

fn command(op: &Op) -> Command {
    match op {
        Op::Open {
            order,
            buyer,
            seats,
            standing,
        } => {
            let mut legs = Vec::new();
            if !seats.is_empty() {
                let seats: Vec<SeatNo> = seats.iter().map(|seat| SeatNo(*seat)).collect();
                let seats = SeatList::new(&seats).unwrap();
                legs.push(LegWant {
                    shard: HOME,
                    want: Want::Seats {
                        section: SectionNo(0),
                        seats,
                    },
                });
            }
            if *standing > 0 {
                let want = Want::Standing {
                    section: SectionNo(1),
                    count: *standing,
                };
                legs.push(LegWant { shard: HOME, want });
            }
            let (order, buyer) = (order_id(*order), buyer_id(*buyer));
            Command::OpenOrder(Box::new(OpenOrder {
                order,
                event: SHOW,
                buyer,
                pass: None,
                legs,
            }))
        }
        Op::Close { order, buyer } => {
            let (order, buyer) = (order_id(*order), buyer_id(*buyer));
            Command::CloseOrder {
                order,
                buyer,
                why: CloseReason::Cancelled,
            }
        }
        Op::Pay { order, buyer } => Command::StartPayment {
            order: order_id(*order),
            buyer: buyer_id(*buyer),
            method: "card".into(),
        },
        Op::Answer {
            order,
            step,
            attempt,
            result,
        } => Command::RecordPayment {
            order: order_id(*order),
            step: *step,
            attempt: *attempt,
            result: match result {
                0 | 1 => PaymentResult::Done {
                    reference: "r".into(),
                },
                2 => PaymentResult::Refused {
                    reason: "no".into(),
                },
                _ => PaymentResult::Unknown,
            },
        },
        Op::Refund { order } => Command::StartRefund {
            order: order_id(*order),
        },
        Op::Tick | Op::Time { .. } => Command::Tick,
        Op::NewLeader => Command::ExtendHolds,
    }
}

fn simple(outcome: &Outcome) -> Answer {
    match outcome {
        Ok(Receipt::Payment { phase }) => Ok(Some(*phase)),
        Ok(_) => Ok(None),
        Err(why) => Err(*why),
    }
}

fn agree(ledger: &Ledger, model: &Model) {
    let seats = ledger
        .seats()
        .section(SectionKey {
            event: SHOW,
            section: SectionNo(0),
        })
        .unwrap();
    for seat in 0..SEATS {
        let expected = match model.owner(seat).map(|order| &order.state) {
            None => SeatStatus::Available,
            Some(State::Held) => SeatStatus::Held,
            Some(State::Paying { .. } | State::Cancelling) => SeatStatus::Pinned,
            Some(_) => SeatStatus::Sold,
        };
        assert_eq!(seats.state_of(SeatNo(seat)), Some(expected), "seat {seat}");
    }
    let standing = ledger
        .seats()
        .section(SectionKey {
            event: SHOW,
            section: SectionNo(1),
        })
        .unwrap();
    assert_eq!(
        standing.counts().available,
        STANDING - model.standing_taken()
    );
    for buyer in 0..3 {
        assert_eq!(
            ledger.buyer(SHOW, buyer_id(buyer)).places,
            model.places_of(buyer),
            "buyer {buyer}"
        );
    }
    for (id, order) in &model.orders {
        let id = order_id(*id);
        let open = ledger.order(id).map(|order| (order.phase(), order.until.0));
        let closed = ledger
            .closed_order(id)
            .map(|closed| (OrderPhase::Closed(closed.why), order.until));
        assert_eq!(open.or(closed), Some((order.phase(), order.until)), "{id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_agrees_with_a_naive_model_after_every_command(ops in prop::collection::vec(op(), 1..80)) {
        let mut ledger = Ledger::new(HOME);
        let mut model = Model { now: 1_000, ..Model::default() };
        let mut event = plan::event(vec![plan::seated(1, 2, SEATS / 2, 10), plan::standing(1, STANDING, 10)]);
        event.rules.hold_ms = HOLD_MS;
        event.rules.buyer_seats_max = BUYER_MAX;
        let install = Command::InstallEvent(Box::new(event));
        ledger.apply(Stamp { at: Timestamp(model.now), draw: [0; 32] }, &install).unwrap();
        model.clock = model.now;
        for op in &ops {
            if let Op::Time { ms } = op {
                model.now += ms;
                continue;
            }
            if let Op::Answer { order, step, attempt, .. } = op {
                let due = ledger.payments_due(usize::MAX);
                let owed = due.iter().any(|due| {
                    due.order == order_id(*order) && due.step == *step && due.attempt == *attempt
                });
                let latest = model.orders.get(order).is_some_and(|order| order.attempts == *attempt);
                let over = model.orders.get(order).is_some_and(|order| matches!(order.state, State::Closed(_)));
                if !owed || !latest || over {
                    continue;
                }
            }
            let stamp = Stamp { at: Timestamp(model.now), draw: [0; 32] };
            let outcome = ledger.apply(stamp, &command(op));
            let before = std::mem::replace(&mut model.clock, model.now);
            model.forget(&ledger);
            let expected = match op {
                Op::Open { order, buyer, seats, standing } => model.open(*order, *buyer, seats, *standing),
                Op::Close { order, buyer } => model.close(*order, *buyer),
                Op::Pay { order, buyer } => model.pay(*order, *buyer),
                Op::Answer { order, step, result, .. } => model.answer(*order, *step, *result),
                Op::Refund { order } => model.refund(*order),
                Op::Tick => { model.tick(); Ok(None) }
                Op::NewLeader => { model.new_leader(before); Ok(None) }
                Op::Time { .. } => Ok(None),
            };
            prop_assert_eq!(simple(&outcome), expected, "{:?} at {}", op, model.now);
            agree(&ledger, &model);
        }
    }
}
