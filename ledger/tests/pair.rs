//! P2 against the worst of networks. Goal: an order over several shards is whole or nothing in the
//! end, whatever is lost, doubled or reordered on the way, whoever dies in between.
//!
//! Method: three shards, a wire that keeps letters and hands out any of them any number of times,
//! doors that stop half way, a provider that forgets to answer. Each run is one seed. In the
//! middle nothing wrong may be seen; after healing everything must be right.

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::names::SHOW;
use common::plan;
use common::world::{World, restored};
use ledger::command::*;
use ledger::message::Message;
use ledger::outcome::OrderPhase;
use ledger::parts::Part;
use ledger::payment::{PaymentDue, PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::seats::LegState;
use ledger::*;

const SHARDS: u16 = 3;
const HOLD_MS: u64 = 20_000;
const BUYER_MAX: u16 = 6;

/// SplitMix64: a run is its seed.
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

#[derive(Clone)]
enum Letter {
    Messages {
        from: ShardId,
        to: ShardId,
        first: u64,
        messages: Vec<Message>,
    },
    Acknowledgement {
        from: ShardId,
        to: ShardId,
        through: u64,
    },
}

/// The money as the provider sees it, by order and attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Money {
    Reserved,
    Declined,
    Undone,
    Taken,
    Returned,
}

struct Run {
    world: World,
    chance: Chance,
    wire: Vec<Letter>,
    orders: Vec<(OrderId, BuyerId)>,
    money: BTreeMap<(OrderId, u8), Money>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut world = World::new(SHARDS);
        world.now = Timestamp(1_000);
        let mut event = plan::event(
            (1..=SHARDS)
                .map(|shard| plan::seated(shard, 2, 4, 10))
                .collect(),
        );
        event.rules.hold_ms = HOLD_MS;
        event.rules.buyer_seats_max = BUYER_MAX;
        for outcome in world.apply_everywhere(&Command::InstallEvent(Box::new(event))) {
            outcome.unwrap();
        }
        Self {
            world,
            chance: Chance(seed),
            wire: Vec::new(),
            orders: Vec::new(),
            money: BTreeMap::new(),
        }
    }

    fn any_shard(&mut self) -> ShardId {
        ShardId(1 + self.chance.below(usize::from(SHARDS)) as u16)
    }

    fn step(&mut self) {
        match self.chance.below(16) {
            0 | 1 => self.open(),
            2..=4 => self.post(),
            5..=8 => self.receive(),
            9 => self.door(),
            10 | 11 => self.pay(),
            12 => self.provider(true),
            13 => self.tick(),
            14 => self.time_passes(),
            _ => self.close_or_refund(),
        }
    }

    fn open(&mut self) {
        let home = self.any_shard();
        let buyer = BuyerId(self.chance.below(4) as u128 + 1);
        let id = OrderId::new(home, u128::from(self.chance.next()));
        let mut legs = Vec::new();
        let first = self.chance.below(usize::from(SHARDS)) as u16;
        for at in 0..1 + self.chance.below(3) as u16 {
            let section = (first + at) % SHARDS;
            let seat = SeatNo(self.chance.below(8) as u16);
            let seats = SeatList::new(&[seat]).unwrap();
            let want = if self.chance.one_in(4) {
                Want::Best {
                    sections: vec![SectionNo(section)],
                    count: 2,
                    accessible: false,
                }
            } else {
                Want::Seats {
                    section: SectionNo(section),
                    seats,
                }
            };
            legs.push(LegWant {
                shard: ShardId(section + 1),
                want,
            });
        }
        let open = Command::OpenOrder(Box::new(OpenOrder {
            order: id,
            event: SHOW,
            buyer,
            pass: None,
            legs,
        }));
        let answer = self.world.apply(home, &open);
        if answer.is_ok() {
            self.orders.push((id, buyer));
            assert_eq!(
                self.world.apply(home, &open),
                answer,
                "a repeat gets the same answer"
            );
        }
    }

    fn any_order(&mut self) -> Option<(OrderId, BuyerId)> {
        let at = self.chance.below(self.orders.len());
        self.orders.get(at).copied()
    }

    /// The door asks the legs, perhaps not all of them, and tells home, perhaps.
    fn door(&mut self) {
        let Some((id, _)) = self.any_order() else {
            return;
        };
        let Some(order) = self.world.shard(id.home()).order(id).cloned() else {
            return;
        };
        let mut legs = Vec::new();
        for (number, leg) in order.legs.iter().enumerate() {
            if self.chance.one_in(6) {
                return;
            }
            let key = LegKey {
                order: id,
                leg: number as u8,
            };
            let hold = HoldLeg {
                leg: key,
                event: SHOW,
                buyer: order.buyer,
                want: leg.want.clone(),
                until: order.until,
            };
            if let Ok(Receipt::LegHeld(held)) = self
                .world
                .apply(leg.shard, &Command::HoldLeg(Box::new(hold)))
            {
                legs.push(held);
            }
        }
        if !self.chance.one_in(4) {
            let _ = self
                .world
                .apply(id.home(), &Command::RecordHeld { order: id, legs });
        }
    }

    fn pay(&mut self) {
        let Some((order, buyer)) = self.any_order() else {
            return;
        };
        let _ = self.world.apply(
            order.home(),
            &Command::StartPayment {
                order,
                buyer,
                method: "card".into(),
            },
        );
    }

    fn close_or_refund(&mut self) {
        let Some((order, buyer)) = self.any_order() else {
            return;
        };
        let command = if self.chance.one_in(2) {
            Command::CloseOrder {
                order,
                buyer,
                why: CloseReason::Cancelled,
            }
        } else {
            Command::StartRefund { order }
        };
        let _ = self.world.apply(order.home(), &command);
    }

    /// A courier puts some of an outbox on the wire; it may do so again.
    fn post(&mut self) {
        let from = self.any_shard();
        let boxes: Vec<(ShardId, u64, Vec<Message>)> = self
            .world
            .shard(from)
            .outboxes()
            .filter(|(_, outbox)| !outbox.is_empty())
            .map(|(to, outbox)| (to, outbox.first(), outbox.messages().cloned().collect()))
            .collect();
        let at = self.chance.below(boxes.len());
        let Some((to, first, messages)) = boxes.get(at).cloned() else {
            return;
        };
        let skip = self.chance.below(messages.len().min(2));
        let take = 1 + self.chance.below(messages.len());
        let messages: Vec<Message> = messages.into_iter().skip(skip).take(take).collect();
        self.wire.push(Letter::Messages {
            from,
            to,
            first: first + skip as u64,
            messages,
        });
    }

    /// Any letter arrives: once, again, or never.
    fn receive(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.chance.below(self.wire.len());
        let letter = if self.chance.one_in(3) {
            self.wire[at].clone()
        } else {
            self.wire.swap_remove(at)
        };
        if self.chance.one_in(5) {
            return;
        }
        match letter {
            Letter::Messages {
                from,
                to,
                first,
                messages,
            } => {
                match self.world.apply(
                    to,
                    &Command::Deliver {
                        from,
                        first,
                        messages,
                    },
                ) {
                    Ok(Receipt::Delivered { through }) => {
                        self.wire
                            .push(Letter::Acknowledgement { from, to, through });
                    }
                    Err(Rejection::DeliveryGap { expected }) => assert!(first > expected),
                    other => panic!("{other:?}"),
                }
            }
            Letter::Acknowledgement { from, to, through } => {
                self.world
                    .apply(from, &Command::Acknowledge { to, through })
                    .unwrap();
            }
        }
    }

    fn tick(&mut self) {
        let shard = self.any_shard();
        self.world.apply(shard, &Command::Tick).unwrap();
    }

    fn time_passes(&mut self) {
        let ms = [10, 500, 3_000, 12_000, 20_000, 600_000];
        self.world.now.0 += ms[self.chance.below(ms.len())];
        if self.chance.one_in(4) {
            let shard = self.any_shard();
            self.world.apply(shard, &Command::ExtendHolds).unwrap();
        }
        if self.chance.one_in(8) {
            let at = self.chance.below(usize::from(SHARDS));
            self.world.shards[at] = restored(&self.world.shards[at]);
        }
    }

    /// The provider does what some shard is owed, and answers, unless `faults`.
    fn provider(&mut self, faults: bool) {
        for shard in 0..usize::from(SHARDS) {
            for due in self.world.shards[shard].payments_due(usize::MAX) {
                let unheard = faults && self.chance.one_in(4);
                let refuses = faults && self.chance.one_in(4);
                let result = if unheard && self.chance.one_in(2) {
                    PaymentResult::Unknown
                } else {
                    self.call(&due, refuses)
                };
                let result = if unheard {
                    PaymentResult::Unknown
                } else {
                    result
                };
                let PaymentDue {
                    order,
                    step,
                    attempt,
                    ..
                } = due;
                let record = Command::RecordPayment {
                    order,
                    step,
                    attempt,
                    result,
                };
                self.world.apply(order.home(), &record).unwrap();
            }
        }
    }

    /// What the provider does; asked twice, it answers the same.
    fn call(&mut self, due: &PaymentDue, refuses: bool) -> PaymentResult {
        let key = (due.order, due.attempt);
        let now = self.money.get(&key).copied();
        let next = match (due.step, now) {
            (PaymentStep::Authorize, None) if refuses => Some(Money::Declined),
            (PaymentStep::Authorize, None) => Some(Money::Reserved),
            (PaymentStep::Capture, Some(Money::Reserved)) if refuses => None,
            (PaymentStep::Capture, Some(Money::Reserved)) => Some(Money::Taken),
            (PaymentStep::Cancel, None | Some(Money::Reserved)) => Some(Money::Undone),
            (PaymentStep::Refund, Some(Money::Taken)) => Some(Money::Returned),
            _ => None,
        };
        if let Some(next) = next {
            self.money.insert(key, next);
        }
        let after = self.money.get(&key).copied();
        let done = match due.step {
            PaymentStep::Authorize => matches!(
                after,
                Some(Money::Reserved | Money::Taken | Money::Returned)
            ),
            PaymentStep::Capture => after == Some(Money::Taken) || after == Some(Money::Returned),
            PaymentStep::Cancel => matches!(after, Some(Money::Undone | Money::Declined)),
            PaymentStep::Refund => after == Some(Money::Returned),
        };
        if done {
            PaymentResult::Done {
                reference: "r".into(),
            }
        } else {
            PaymentResult::Refused {
                reason: "no".into(),
            }
        }
    }

    /// Nothing wrong in the middle: money is only taken for a committed order, once.
    fn nothing_is_wrong(&self) {
        for (id, _) in &self.orders {
            let taken = self
                .money
                .iter()
                .filter(|((order, _), money)| order == id && **money == Money::Taken);
            assert!(taken.count() <= 1, "{id} was charged twice");
        }
        for shard in &self.world.shards {
            for leg in shard.seats().legs() {
                if leg.state != LegState::Sold {
                    continue;
                }
                // A sold leg of an order that is over has its release on the way.
                let home = self.world.shard(leg.key.order.home());
                let known = home.order(leg.key.order).is_some_and(orders_sold)
                    || home.closed_order(leg.key.order).is_some();
                assert!(known, "{:?} is sold, its order is not", leg.key);
            }
        }
    }

    /// Faults end: letters arrive, clocks tick, the provider answers.
    fn heal(&mut self) {
        for _ in 0..40 {
            self.world.now.0 += 30_000;
            self.world.apply_everywhere(&Command::Tick);
            self.world.deliver_all();
            self.provider(false);
        }
        assert_eq!(self.world.deliver_all(), 0, "shards fall silent");
    }

    fn everything_is_right(&self) {
        let mut bought: BTreeMap<BuyerId, u16> = BTreeMap::new();
        let mut paid = BTreeSet::new();
        for (id, buyer) in &self.orders {
            let home = self.world.shard(id.home());
            let Some(order) = home.order(*id) else {
                assert!(
                    home.closed_order(*id).is_some() || self.world.now.0 > 3_600_000,
                    "{id} is forgotten"
                );
                continue;
            };
            match order.phase() {
                OrderPhase::Paid => {
                    paid.insert(*id);
                    *bought.entry(*buyer).or_default() += order.places();
                    for (number, part) in order.legs.iter().enumerate() {
                        let leg = self.world.shard(part.shard).seats().leg(LegKey {
                            order: *id,
                            leg: number as u8,
                        });
                        let leg = leg.expect("a paid order has all its legs");
                        assert_eq!(
                            (leg.state, leg.places.count()),
                            (LegState::Sold, part.want.count())
                        );
                    }
                    assert_eq!(
                        self.money.get(&(*id, order.attempts)),
                        Some(&Money::Taken),
                        "{id} is paid"
                    );
                }
                OrderPhase::Refunded => {}
                other => panic!("{id} never came to an end: {other:?}"),
            }
        }
        for ((order, attempt), money) in &self.money {
            let settled = !matches!(money, Money::Reserved | Money::Taken);
            assert!(
                settled || paid.contains(order),
                "{order} attempt {attempt}: money is {money:?}"
            );
        }
        for shard in &self.world.shards {
            for leg in shard.seats().legs() {
                assert!(
                    paid.contains(&leg.key.order),
                    "{:?} has seats, its order does not",
                    leg.key
                );
            }
            assert!(shard.payments_due(1).is_empty());
        }
        for buyer in (1..=4).map(BuyerId) {
            let bought = bought.get(&buyer).copied().unwrap_or(0);
            let homes = self
                .world
                .shards
                .iter()
                .map(|shard| shard.buyer(SHOW, buyer).places);
            assert_eq!(homes.sum::<u16>(), bought, "{buyer:?}'s allowance");
        }
    }
}

fn orders_sold(order: &ledger::orders::Order) -> bool {
    order.is_sold()
}

#[test]
fn an_order_over_several_shards_is_whole_or_nothing_whatever_the_network_does() {
    let runs = 10_000;
    let mut paid = 0;
    for seed in 0..runs {
        let mut run = Run::new(seed);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..80 {
                run.step();
                run.nothing_is_wrong();
            }
            run.heal();
            run.everything_is_right();
        }));
        if let Err(panic) = told {
            println!("seed {seed} fails");
            std::panic::resume_unwind(panic);
        }
        paid += run
            .orders
            .iter()
            .filter(|(id, _)| run.world.shard(id.home()).order(*id).is_some())
            .count();
    }
    assert!(
        paid > runs as usize / 10,
        "only {paid} orders were paid: the runs prove little"
    );
}

/// Everything two shards and one order can do within a few steps, in every order.
#[test]
fn every_short_history_of_one_order_over_two_shards_ends_whole_or_with_nothing() {
    let mut world = World::new(2);
    world.now = Timestamp(1_000);
    let mut event = plan::event(vec![plan::seated(1, 1, 2, 10), plan::seated(2, 1, 2, 10)]);
    event.rules.hold_ms = HOLD_MS;
    world.apply_everywhere(&Command::InstallEvent(Box::new(event)));
    let id = OrderId::new(ShardId(1), 77);
    let seats = SeatList::new(&[SeatNo(0)]).unwrap();
    let leg = |shard: u16| LegWant {
        shard: ShardId(shard),
        want: Want::Seats {
            section: SectionNo(shard - 1),
            seats,
        },
    };
    let open = OpenOrder {
        order: id,
        event: SHOW,
        buyer: BuyerId(1),
        pass: None,
        legs: vec![leg(1), leg(2)],
    };
    world
        .apply(ShardId(1), &Command::OpenOrder(Box::new(open)))
        .unwrap();
    let opened = world.shards.clone();
    let mut legs = Vec::new();
    for leg in 0..2 {
        let section = SectionNo(u16::from(leg));
        let key = LegKey { order: id, leg };
        let (want, until) = (Want::Seats { section, seats }, world.now.plus_ms(HOLD_MS));
        let hold = HoldLeg {
            leg: key,
            event: SHOW,
            buyer: BuyerId(1),
            want,
            until,
        };
        match world.apply(
            ShardId(1 + u16::from(leg)),
            &Command::HoldLeg(Box::new(hold)),
        ) {
            Ok(Receipt::LegHeld(held)) => legs.push(held),
            other => panic!("{other:?}"),
        }
    }
    world
        .apply(ShardId(1), &Command::RecordHeld { order: id, legs })
        .unwrap();

    // From the moment it is opened, and from the moment the door reported it held.
    let mut seen = BTreeSet::new();
    let mut todo = VecDeque::from([(opened, world.now, 0), (world.shards, world.now, 0)]);
    let depth = 9;
    let mut ends: BTreeMap<bool, usize> = BTreeMap::new();
    while let Some((shards, now, steps)) = todo.pop_front() {
        let states: Vec<String> = shards.iter().map(state_of).collect();
        if !seen.insert((states, now)) {
            continue;
        }
        *ends
            .entry(healed_is_paid(
                World {
                    shards: shards.clone(),
                    now,
                },
                id,
            ))
            .or_default() += 1;
        if steps == depth {
            continue;
        }
        for action in 0..8 {
            let mut world = World {
                shards: shards.clone(),
                now,
            };
            act(&mut world, id, action);
            todo.push_back((world.shards, world.now, steps + 1));
        }
    }
    assert!(
        ends.len() == 2 && seen.len() > 300,
        "{ends:?} of {}",
        seen.len()
    );
}

/// The state apart from how many commands led to it.
fn state_of(shard: &Ledger) -> String {
    let mut parts: Vec<Part> = shard.parts().collect();
    if let Some(Part::Head(head)) = parts.first_mut() {
        head.applied = 0;
    }
    format!("{parts:?}")
}

fn act(world: &mut World, id: OrderId, action: usize) {
    match action {
        // One message of one pipe arrives.
        0..=3 => {
            let (from, to) = (
                ShardId(1 + action as u16 / 2),
                ShardId(1 + action as u16 % 2),
            );
            let Some(outbox) = world
                .shard(from)
                .outbox(to)
                .filter(|outbox| !outbox.is_empty())
            else {
                return;
            };
            let first = outbox.first();
            let messages: Vec<Message> = outbox.messages().take(1).cloned().collect();
            let deliver = Command::Deliver {
                from,
                first,
                messages,
            };
            let once = world.apply(to, &deliver);
            assert_eq!(
                world.apply(to, &deliver),
                once,
                "a message that comes twice counts once"
            );
            world
                .apply(from, &Command::Acknowledge { to, through: first })
                .unwrap();
        }
        4 => {
            let pay = Command::StartPayment {
                order: id,
                buyer: BuyerId(1),
                method: "card".into(),
            };
            let _ = world.apply(ShardId(1), &pay);
        }
        5 | 6 => {
            let Some(due) = world.shard(ShardId(1)).payments_due(1).pop() else {
                return;
            };
            let result = if action == 5 || due.step == PaymentStep::Capture {
                PaymentResult::Done {
                    reference: "r".into(),
                }
            } else {
                PaymentResult::Refused {
                    reason: "no".into(),
                }
            };
            let record = Command::RecordPayment {
                order: id,
                step: due.step,
                attempt: due.attempt,
                result,
            };
            world.apply(ShardId(1), &record).unwrap();
        }
        _ => {
            // Time: enough for the courier's grace, two for the opening's end or a hold's.
            world.now.0 += 10_000;
            world.apply_everywhere(&Command::Tick);
        }
    }
}

fn healed_is_paid(mut world: World, id: OrderId) -> bool {
    for _ in 0..12 {
        world.now.0 += 30_000;
        world.apply_everywhere(&Command::Tick);
        world.deliver_all();
        for due in world.shard(ShardId(1)).payments_due(9) {
            let result = PaymentResult::Done {
                reference: "r".into(),
            };
            let record = Command::RecordPayment {
                order: id,
                step: due.step,
                attempt: due.attempt,
                result,
            };
            world.apply(ShardId(1), &record).unwrap();
        }
    }
    let sold: u32 = world
        .shards
        .iter()
        .map(|shard| shard.counts(SHOW).sold)
        .sum();
    let held: u32 = world
        .shards
        .iter()
        .map(|shard| shard.counts(SHOW).held + shard.counts(SHOW).pinned)
        .sum();
    let paid = world
        .shard(ShardId(1))
        .order(id)
        .is_some_and(|order| order.phase() == OrderPhase::Paid);
    assert_eq!((sold, held), (if paid { 2 } else { 0 }, 0));
    paid
}
