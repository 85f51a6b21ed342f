//! Two shards, a courier, a payment provider and an impatient crowd, all from one seed. It offers
//! one command at a time and applies nothing itself beyond what it is told.

use ledger::command::*;
use ledger::event::Sale;
use ledger::outcome::OrderPhase;
use ledger::payment::PaymentResult;
use ledger::seat_list::SeatList;
use ledger::*;

use super::dice::Dice;
use super::shows::*;

pub struct World {
    pub dice: Dice,
    pub shards: [Ledger; 2],
    now_ms: u64,
    orders_made: u64,
}

impl World {
    /// Both shards know all shows.
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            dice: Dice(seed),
            shards: [Ledger::new(ShardId(1)), Ledger::new(ShardId(2))],
            now_ms: START_MS,
            orders_made: 0,
        };
        for show in 1..=SHOWS {
            let install = Command::InstallEvent(Box::new(plan(show)));
            for at in 0..2 {
                let stamp = world.stamp();
                let outcome = world.shards[at].apply(stamp, &install);
                assert_eq!(outcome, Ok(Receipt::EventInstalled));
            }
        }
        world
    }

    /// Runs `steps` commands.
    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let (at, stamp, command) = self.next();
            let _ = self.shards[at].apply(stamp, &command);
        }
    }

    /// What happens next, and in which shard.
    pub fn next(&mut self) -> (usize, Stamp, Command) {
        self.now_ms += self.dice.roll() % 400;
        if self.dice.one_in(150) {
            self.now_ms += 20_000;
        }
        let stamp = self.stamp();
        loop {
            let at = self.dice.below(2);
            if let Some(command) = self.offer(at) {
                return (at, stamp, command);
            }
        }
    }

    fn stamp(&mut self) -> Stamp {
        let mut draw = [0; 32];
        draw[..8].copy_from_slice(&self.dice.roll().to_be_bytes());
        Stamp {
            at: Timestamp(self.now_ms),
            draw,
        }
    }

    fn offer(&mut self, at: usize) -> Option<Command> {
        match self.dice.below(100) {
            0..24 => Some(self.open_order(at)),
            24..32 => self.hold_leg(at),
            32..36 => self.record_held(at),
            36..39 => self.close_order(at),
            39..51 => self.start_payment(at),
            51..65 => self.record_payment(at),
            65..67 => self.start_refund(at),
            67..80 => self.deliver(at),
            80..86 => self.acknowledge(at),
            86..95 => Some(Command::Tick),
            95..96 => Some(Command::ExtendHolds),
            96..97 => self.set_rules(at),
            _ => Some(self.join_queue()),
        }
    }

    fn buyer(&mut self) -> BuyerId {
        BuyerId(1_000 + self.dice.below(60) as u128)
    }

    fn open_order(&mut self, at: usize) -> Command {
        self.orders_made += 1;
        let event = EventId(1 + self.dice.below(SHOWS) as u128);
        let buyer = self.buyer();
        let pass = (event == QUEUED).then_some(Pass {
            index: buyer.0 as u64,
            until: Timestamp(self.now_ms + 600_000),
        });
        let legs = match self.dice.below(4) {
            0 => vec![self.want(0), self.want(1)],
            1 => vec![self.want(at)],
            _ => vec![self.want(1 - at)],
        };
        Command::OpenOrder(Box::new(OpenOrder {
            order: OrderId::new(ShardId(at as u16 + 1), u128::from(self.orders_made)),
            event,
            buyer,
            pass,
            legs,
        }))
    }

    fn want(&mut self, at: usize) -> LegWant {
        let seated = SectionNo(2 * at as u16);
        let standing = SectionNo(2 * at as u16 + 1);
        let count = 1 + self.dice.below(3) as u8;
        let want = match self.dice.below(3) {
            0 => {
                let first = self.dice.below(150) as u16;
                let seats: Vec<_> = (first..first + u16::from(count)).map(SeatNo).collect();
                Want::Seats {
                    section: seated,
                    seats: SeatList::new(&seats).expect("three seats fit"),
                }
            }
            1 => Want::Standing {
                section: standing,
                count,
            },
            _ => Want::Best {
                sections: vec![seated],
                count,
                accessible: self.dice.one_in(9),
            },
        };
        LegWant {
            shard: ShardId(at as u16 + 1),
            want,
        }
    }

    /// An order at home in `at` that stands at `phase`.
    fn order(&mut self, at: usize, phase: OrderPhase) -> Option<orders::Order> {
        let orders = self.shards[at].orders();
        let orders: Vec<_> = orders
            .into_iter()
            .filter(|order| order.phase() == phase)
            .collect();
        self.dice.pick(orders).cloned()
    }

    /// The door drives one leg of an order whose home is the other shard.
    fn hold_leg(&mut self, at: usize) -> Option<Command> {
        let order = self.order(1 - at, OrderPhase::Opening)?;
        let shard = ShardId(at as u16 + 1);
        let leg = order.legs.iter().position(|leg| leg.shard == shard)?;
        Some(Command::HoldLeg(Box::new(HoldLeg {
            leg: LegKey {
                order: order.id,
                leg: leg as u8,
            },
            event: order.event,
            buyer: order.buyer,
            want: order.legs[leg].want()?,
            until: order.until,
        })))
    }

    /// The door tells home that every leg holds.
    fn record_held(&mut self, at: usize) -> Option<Command> {
        let order = self.order(at, OrderPhase::Opening)?;
        let held = |(leg, part): (usize, &orders::OrderLeg)| {
            let key = LegKey {
                order: order.id,
                leg: leg as u8,
            };
            let leg = self.shards[usize::from(part.shard.0) - 1]
                .seats()
                .leg(key)?;
            Some(leg.held())
        };
        let legs = order
            .legs
            .iter()
            .enumerate()
            .map(held)
            .collect::<Option<_>>()?;
        Some(Command::RecordHeld {
            order: order.id,
            legs,
        })
    }

    fn close_order(&mut self, at: usize) -> Option<Command> {
        let order = self.order(at, OrderPhase::Held)?;
        Some(Command::CloseOrder {
            order: order.id,
            buyer: order.buyer,
            why: CloseReason::Cancelled,
        })
    }

    fn start_payment(&mut self, at: usize) -> Option<Command> {
        let order = self.order(at, OrderPhase::Held)?;
        Some(Command::StartPayment {
            order: order.id,
            buyer: order.buyer,
            method: format!("card {}", self.dice.below(1_000)),
        })
    }

    fn record_payment(&mut self, at: usize) -> Option<Command> {
        let due = self.dice.pick(self.shards[at].payments_due(20))?;
        let result = match self.dice.below(10) {
            0 => PaymentResult::Unknown,
            1 | 2 => PaymentResult::Refused {
                reason: "no money".into(),
            },
            _ => PaymentResult::Done {
                reference: format!("payment {}", due.order),
            },
        };
        Some(Command::RecordPayment {
            order: due.order,
            step: due.step,
            attempt: due.attempt,
            result,
        })
    }

    fn start_refund(&mut self, at: usize) -> Option<Command> {
        let order = self.order(at, OrderPhase::Paid)?;
        Some(Command::StartRefund { order: order.id })
    }

    fn deliver(&mut self, at: usize) -> Option<Command> {
        let to = ShardId(at as u16 + 1);
        let from = self.dice.below(2);
        let number = self.shards[at].received_through(ShardId(from as u16 + 1)) + 1;
        let (first, messages) = self.shards[from].outbox(to)?.from(number, 6);
        let messages: Vec<_> = messages.cloned().collect();
        (!messages.is_empty()).then_some(Command::Deliver {
            from: ShardId(from as u16 + 1),
            first,
            messages,
        })
    }

    fn acknowledge(&mut self, at: usize) -> Option<Command> {
        let to = self.dice.below(2);
        let through = self.shards[to].received_through(ShardId(at as u16 + 1));
        (through > 0).then_some(Command::Acknowledge {
            to: ShardId(to as u16 + 1),
            through,
        })
    }

    /// A pause, or its end. Each shard hears of it in its own time.
    fn set_rules(&mut self, at: usize) -> Option<Command> {
        let show = self.dice.below(SHOWS);
        let installed = self.shards[at].event(EventId(show as u128 + 1))?;
        let version = installed.plan.version + 1;
        let mut rules = rules(show + 1);
        rules.sale = match version % 4 {
            0 => Sale::Paused,
            _ => Sale::Open,
        };
        Some(Command::SetRules {
            event: EventId(show as u128 + 1),
            version,
            rules: Box::new(rules),
        })
    }

    fn join_queue(&mut self) -> Command {
        let count = 1 + self.dice.below(40);
        Command::JoinQueue {
            event: QUEUED,
            buyers: (0..count).map(|_| self.buyer_in_lobby()).collect(),
        }
    }

    fn buyer_in_lobby(&mut self) -> BuyerId {
        BuyerId(self.dice.below(5_000) as u128)
    }
}
