//! A random run: three shards, a wire that keeps letters and hands out any of them any number of
//! times, doors that stop half way, a provider that forgets to answer. One seed is the run.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Chance;
use super::names::SHOW;
use super::plan;
use super::world::{World, restored};
use ledger::command::*;
use ledger::message::Message;
use ledger::orders::Order;
use ledger::outcome::OrderPhase;
use ledger::payment::{PaymentDue, PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::seats::LegState;
use ledger::*;

pub const SHARDS: u16 = 3;
pub const HOLD_MS: u64 = 20_000;
pub const BUYER_MAX: u16 = 6;

#[derive(Clone)]
pub enum Letter {
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
pub enum Money {
    Reserved,
    Declined,
    Undone,
    Taken,
    Returned,
}

pub struct Run {
    pub world: World,
    pub chance: Chance,
    pub wire: Vec<Letter>,
    pub orders: Vec<(OrderId, BuyerId)>,
    pub money: BTreeMap<(OrderId, u8), Money>,
}

impl Run {
    pub fn new(seed: u64) -> Self {
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

    pub fn any_shard(&mut self) -> ShardId {
        ShardId(1 + self.chance.below(usize::from(SHARDS)) as u16)
    }

    pub fn step(&mut self) {
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

    pub fn open(&mut self) {
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

    pub fn any_order(&mut self) -> Option<(OrderId, BuyerId)> {
        let at = self.chance.below(self.orders.len());
        self.orders.get(at).copied()
    }

    /// The door asks the legs, perhaps not all of them, and tells home, perhaps.
    pub fn door(&mut self) {
        let Some((id, _)) = self.any_order() else {
            return;
        };
        let Some(order) = self.world.shard(id.home()).order(id).cloned() else {
            return;
        };
        let mut legs = Vec::new();
        for (number, leg) in order.legs.iter().enumerate() {
            let Some(want) = leg.want().filter(|_| !self.chance.one_in(6)) else {
                return;
            };
            let key = LegKey {
                order: id,
                leg: number as u8,
            };
            let hold = HoldLeg {
                leg: key,
                event: SHOW,
                buyer: order.buyer,
                want,
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

    pub fn pay(&mut self) {
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

    pub fn close_or_refund(&mut self) {
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
    pub fn post(&mut self) {
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
    pub fn receive(&mut self) {
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

    pub fn tick(&mut self) {
        let shard = self.any_shard();
        self.world.apply(shard, &Command::Tick).unwrap();
    }

    pub fn time_passes(&mut self) {
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
    pub fn provider(&mut self, faults: bool) {
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
    pub fn call(&mut self, due: &PaymentDue, refuses: bool) -> PaymentResult {
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
    pub fn nothing_is_wrong(&self) {
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
                let known = home.order(leg.key.order).is_some_and(Order::is_sold)
                    || home.closed_order(leg.key.order).is_some();
                assert!(known, "{:?} is sold, its order is not", leg.key);
            }
        }
    }

    /// Faults end: letters arrive, clocks tick, the provider answers.
    pub fn heal(&mut self) {
        for _ in 0..40 {
            self.world.now.0 += 30_000;
            self.world.apply_everywhere(&Command::Tick);
            self.world.deliver_all();
            self.provider(false);
        }
        assert_eq!(self.world.deliver_all(), 0, "shards fall silent");
    }

    pub fn everything_is_right(&self) {
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
                            (LegState::Sold, part.count())
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
