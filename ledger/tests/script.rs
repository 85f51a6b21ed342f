//! Goal: the business rules, readable by somebody who sells tickets. Method: every file of
//! `scripts/` is a story, a command a line with the expected answer behind `->`; after each line
//! every shard also goes through a snapshot, which must change nothing.
//!
//! Say `LEDGER_SCRIPTS=write` to write the answers that were given into the files; then read them.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::names::{SHOW, buyer, order};
use common::world::World;
use ledger::command::*;
use ledger::event::*;
use ledger::outcome::{HeldLeg, OrderPhase, Places};
use ledger::payment::{PaymentResult, PaymentStep};
use ledger::seat_list::SeatList;
use ledger::tickets::TicketState;
use ledger::*;

#[test]
fn every_script_tells_the_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "the scripts are in {}", folder.display());
    let mut wrong = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let told = tell(
            &text,
            &mut wrong,
            &file.file_name().unwrap().to_string_lossy(),
        );
        if std::env::var("LEDGER_SCRIPTS").as_deref() == Ok("write") {
            std::fs::write(&file, told).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Runs a script; returns it with the answers that were given.
fn tell(text: &str, wrong: &mut String, file: &str) -> String {
    let mut story = Story::default();
    let mut told = String::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split('#').next().unwrap_or("");
        if code.trim().is_empty() {
            writeln!(told, "{line}").unwrap();
            continue;
        }
        let (command, expected) = code.split_once("->").unwrap_or((code, ""));
        let answer = story.run(command);
        story.world.through_a_snapshot();
        if answer != expected.trim() {
            writeln!(
                wrong,
                "{file}:{}: {}\n   expected: {}\n   answered: {answer}",
                number + 1,
                command.trim(),
                expected.trim()
            )
            .unwrap();
        }
        match answer.as_str() {
            "" => writeln!(told, "{}", line.trim_end()).unwrap(),
            _ => writeln!(told, "{:<46} -> {answer}", command.trim_end()).unwrap(),
        }
    }
    told
}

struct Story {
    world: World,
    plan: EventPlan,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            world: World::new(1),
            plan: common::plan::event(Vec::new()),
        }
    }
}

impl Story {
    fn run(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let rest = &words[1..];
        match words[0] {
            // The scene.
            "shards" => {
                self.world = World::new(rest[0].parse().unwrap());
                String::new()
            }
            "section" => {
                let number = |at: usize| rest[at].parse::<u32>().unwrap();
                let section = match rest[1] {
                    "seated" => common::plan::seated(
                        number(0) as u16,
                        number(2) as u16,
                        number(3) as u16,
                        number(4).into(),
                    ),
                    _ => common::plan::standing(number(0) as u16, number(2), number(3).into()),
                };
                self.plan.sections.push(section);
                String::new()
            }
            "event" => {
                self.set_rules(rest);
                let install = Command::InstallEvent(Box::new(self.plan.clone()));
                all_the_same(self.world.apply_everywhere(&install))
            }
            "rules" => {
                self.set_rules(rest);
                self.plan.version += 1;
                let rules = Box::new(self.plan.rules.clone());
                all_the_same(self.world.apply_everywhere(&Command::SetRules {
                    event: SHOW,
                    version: self.plan.version,
                    rules,
                }))
            }
            "at" => {
                self.world.now = Timestamp(ms(rest[0]));
                String::new()
            }
            // What the clock and the couriers do. With a shard: only that one's.
            "tick" => {
                let outcomes = match rest.first() {
                    Some(shard) => {
                        let shard = ShardId(shard.parse().unwrap());
                        vec![self.world.apply(shard, &Command::Tick)]
                    }
                    None => self.world.apply_everywhere(&Command::Tick),
                };
                let swept = |outcome: &Outcome| match outcome {
                    Ok(Receipt::Ticked { swept }) => *swept,
                    other => panic!("{other:?}"),
                };
                format!("{} due", outcomes.iter().map(swept).sum::<u32>())
            }
            "deliver" => format!("{} messages", self.world.deliver_all()),
            "deliver-once" => format!("{} messages", self.world.deliver_once()),
            "carry" => {
                let (from, to) = rest[0].split_once('>').unwrap();
                let shard = |text: &str| ShardId(text.parse().unwrap());
                let limit = rest
                    .get(1)
                    .map_or(usize::MAX, |limit| limit.parse().unwrap());
                format!(
                    "{} messages",
                    self.world.carry(shard(from), shard(to), limit)
                )
            }
            "new-leader" => {
                let shard = ShardId(rest[0].parse().unwrap());
                self.say(shard, Command::ExtendHolds)
            }
            // What people do.
            "open" => self.open(rest),
            "hold" => {
                let (leg, name) = (rest[1].parse().unwrap(), rest[0]);
                let leg_want = self.leg(rest[3]);
                let hold = HoldLeg {
                    leg: LegKey {
                        order: order(name),
                        leg,
                    },
                    event: SHOW,
                    buyer: buyer(rest[2]),
                    want: leg_want.want,
                    until: Timestamp(ms(rest[5])),
                };
                self.say(leg_want.shard, Command::HoldLeg(Box::new(hold)))
            }
            "report" => self.report(rest[0]),
            "close" => {
                let close = Command::CloseOrder {
                    order: order(rest[0]),
                    buyer: buyer(rest[1]),
                    why: CloseReason::Cancelled,
                };
                self.say_home(rest[0], close)
            }
            "pay" => {
                let method = rest.get(2).copied().unwrap_or("card").to_owned();
                self.say_home(
                    rest[0],
                    Command::StartPayment {
                        order: order(rest[0]),
                        buyer: buyer(rest[1]),
                        method,
                    },
                )
            }
            "answer" => {
                let result = match rest[3] {
                    "done" => PaymentResult::Done {
                        reference: "pay-1".into(),
                    },
                    "refused" => PaymentResult::Refused {
                        reason: "no".into(),
                    },
                    _ => PaymentResult::Unknown,
                };
                let attempt = rest[2].parse().unwrap();
                self.say_home(
                    rest[0],
                    Command::RecordPayment {
                        order: order(rest[0]),
                        step: step(rest[1]),
                        attempt,
                        result,
                    },
                )
            }
            "refund" => self.say_home(
                rest[0],
                Command::StartRefund {
                    order: order(rest[0]),
                },
            ),
            "join" => {
                let buyers = rest.iter().map(|name| buyer(name)).collect();
                let room = self.plan.rules.room_shard;
                self.say(
                    room,
                    Command::JoinQueue {
                        event: SHOW,
                        buyers,
                    },
                )
            }
            // Looking.
            "order" => self.show_order(rest[0]),
            "seats" => self.show_seats(rest[0]),
            "tickets" => self.show_tickets(rest[0]),
            "buyer" => {
                let places = self
                    .world
                    .shards
                    .iter()
                    .map(|shard| shard.buyer(SHOW, buyer(rest[0])).places);
                format!("{} places", places.sum::<u16>())
            }
            "room" => self.show_room(),
            "owed" => self.show_owed(rest[0]),
            "next" => match self
                .world
                .shard(ShardId(rest[0].parse().unwrap()))
                .next_due()
            {
                Some(at) => time(at),
                None => "never".into(),
            },
            other => panic!("no such command: {other}"),
        }
    }

    fn set_rules(&mut self, words: &[&str]) {
        let rules = &mut self.plan.rules;
        for pair in words.chunks(2) {
            match pair[0] {
                "hold" => rules.hold_ms = ms(pair[1]),
                "opens" => rules.opens_at = Timestamp(ms(pair[1])),
                "order-max" => rules.order_seats_max = pair[1].parse().unwrap(),
                "buyer-max" => rules.buyer_seats_max = pair[1].parse().unwrap(),
                "queue" => {
                    let admit_per_minute = pair[1].parse().unwrap();
                    rules.queue = Some(QueueRules {
                        admit_per_minute,
                        secret: [3; 32],
                        beacon: Vec::new(),
                    });
                }
                "sale" => {
                    rules.sale = match pair[1] {
                        "scheduled" => Sale::Scheduled,
                        "open" => Sale::Open,
                        "paused" => Sale::Paused,
                        _ => Sale::Closed,
                    }
                }
                other => panic!("no such rule: {other}"),
            }
        }
    }

    fn open(&mut self, words: &[&str]) -> String {
        let mut legs = Vec::new();
        let mut pass = None;
        let mut words_left = words[2..].iter();
        while let Some(word) = words_left.next() {
            if *word == "pass" {
                let index = words_left.next().unwrap().parse().unwrap();
                words_left.next();
                pass = Some(Pass {
                    index,
                    until: Timestamp(ms(words_left.next().unwrap())),
                });
            } else {
                legs.push(self.leg(word));
            }
        }
        let open = OpenOrder {
            order: order(words[0]),
            event: SHOW,
            buyer: buyer(words[1]),
            pass,
            legs,
        };
        self.say_home(words[0], Command::OpenOrder(Box::new(open)))
    }

    /// `s0:1,2` seats, `s1*3` places without numbers, `best:s0,s2*3`, `access:s0*2`.
    fn leg(&self, text: &str) -> LegWant {
        let section = |text: &str| SectionNo(text.trim_start_matches('s').parse().unwrap());
        let (want, any) = if let Some((kind @ ("best" | "access"), rest)) = text.split_once(':') {
            let (sections, count) = rest.split_once('*').unwrap();
            let sections: Vec<SectionNo> = sections.split(',').map(section).collect();
            let any = sections[0];
            (
                Want::Best {
                    sections,
                    count: count.parse().unwrap(),
                    accessible: kind == "access",
                },
                any,
            )
        } else if let Some((name, count)) = text.split_once('*') {
            let section = section(name);
            (
                Want::Standing {
                    section,
                    count: count.parse().unwrap(),
                },
                section,
            )
        } else {
            let (name, seats) = text.split_once(':').unwrap();
            let seats: Vec<SeatNo> = seats
                .split(',')
                .map(|seat| SeatNo(seat.parse().unwrap()))
                .collect();
            let section = section(name);
            (
                Want::Seats {
                    section,
                    seats: SeatList::new(&seats).unwrap(),
                },
                section,
            )
        };
        let shard = self
            .plan
            .section(any)
            .map_or(ShardId(1), |section| section.shard);
        LegWant { shard, want }
    }

    /// The door does what it does after `open`: asks each leg's shard, then tells home.
    fn report(&mut self, name: &str) -> String {
        let home = order(name).home();
        let Some(found) = self.world.shard(home).order(order(name)).cloned() else {
            return "nothing to report".into();
        };
        let mut legs = Vec::new();
        for (number, leg) in found.legs.iter().enumerate() {
            let key = LegKey {
                order: found.id,
                leg: number as u8,
            };
            let (event, buyer, until) = (found.event, found.buyer, found.until);
            let hold = HoldLeg {
                leg: key,
                event,
                buyer,
                want: leg
                    .want()
                    .expect("it is not held, or holds just what it wanted"),
                until,
            };
            match self
                .world
                .apply(leg.shard, &Command::HoldLeg(Box::new(hold)))
            {
                Ok(Receipt::LegHeld(held)) => legs.push(held),
                other => return answer(other),
            }
        }
        self.say(
            home,
            Command::RecordHeld {
                order: found.id,
                legs,
            },
        )
    }

    fn say(&mut self, shard: ShardId, command: Command) -> String {
        let first = self.world.apply(shard, &command);
        answer(first)
    }

    fn say_home(&mut self, name: &str, command: Command) -> String {
        self.say(order(name).home(), command)
    }

    fn show_order(&self, name: &str) -> String {
        let home = self.world.shard(order(name).home());
        match (home.order(order(name)), home.closed_order(order(name))) {
            (Some(order), _) => match order.phase() {
                OrderPhase::Opening | OrderPhase::Held => {
                    format!("{:?} until {}", order.phase(), time(order.until))
                }
                phase => format!("{phase:?}"),
            },
            (None, Some(closed)) => format!("{:?}", OrderPhase::Closed(closed.why)),
            (None, None) => "unknown".into(),
        }
    }

    fn show_seats(&self, name: &str) -> String {
        let section = SectionNo(name.trim_start_matches('s').parse().unwrap());
        let shard = self.plan.section(section).unwrap().shard;
        let seats = self.world.shard(shard).seats();
        let counts = seats
            .section(SectionKey {
                event: SHOW,
                section,
            })
            .unwrap()
            .counts();
        format!(
            "{} available, {} held, {} pinned, {} sold",
            counts.available, counts.held, counts.pinned, counts.sold
        )
    }

    fn show_tickets(&self, name: &str) -> String {
        let tickets = self
            .world
            .shards
            .iter()
            .flat_map(|shard| shard.tickets().sorted());
        let mine: Vec<_> = tickets
            .filter(|ticket| ticket.order == order(name))
            .collect();
        let valid = mine
            .iter()
            .filter(|ticket| ticket.state == TicketState::Valid)
            .count();
        format!("{valid} valid, {} void", mine.len() - valid)
    }

    fn show_room(&self) -> String {
        let rules = &self.plan.rules;
        let room = self
            .world
            .shard(rules.room_shard)
            .room(SHOW)
            .expect("the event has a waiting room");
        let status = room.status(rules);
        let left = format!("{} available, {} held", status.available, status.held);
        format!(
            "{:?}: {} joined, {} admitted; {left}",
            status.state, status.joined, status.cursor
        )
    }

    fn show_owed(&self, name: &str) -> String {
        let owed = self.world.shard(order(name).home()).payments_due(100);
        let mut calls = Vec::new();
        for due in owed.iter().filter(|due| due.order == order(name)) {
            let unknown = if due.unknown { " again" } else { "" };
            calls.push(format!(
                "{:?} {} of {}{unknown}",
                due.step, due.attempt, due.amount
            ));
        }
        if calls.is_empty() {
            "nothing".into()
        } else {
            calls.join("; ")
        }
    }
}

fn step(name: &str) -> PaymentStep {
    match name {
        "authorize" => PaymentStep::Authorize,
        "capture" => PaymentStep::Capture,
        "cancel" => PaymentStep::Cancel,
        "refund" => PaymentStep::Refund,
        other => panic!("no such step: {other}"),
    }
}

/// `12s` or `1.5s`.
fn ms(text: &str) -> u64 {
    let (whole, part) = text
        .trim_end_matches('s')
        .split_once('.')
        .unwrap_or((text.trim_end_matches('s'), ""));
    whole.parse::<u64>().unwrap() * 1_000 + format!("{part:0<3}").parse::<u64>().unwrap()
}

fn time(at: Timestamp) -> String {
    match at.0 % 1_000 {
        0 => format!("{}s", at.0 / 1_000),
        part => format!("{}.{:03}s", at.0 / 1_000, part),
    }
}

fn all_the_same(outcomes: Vec<Outcome>) -> String {
    assert!(
        outcomes.windows(2).all(|pair| pair[0] == pair[1]),
        "{outcomes:?}"
    );
    answer(outcomes[0].clone())
}

fn places(leg: &HeldLeg) -> String {
    match &leg.places {
        Places::Seats(seats) => {
            let seats: Vec<String> = seats
                .as_slice()
                .iter()
                .map(|seat| seat.0.to_string())
                .collect();
            format!("s{}:{}", leg.section.0, seats.join(","))
        }
        Places::Standing(count) => format!("s{}*{count}", leg.section.0),
    }
}

fn answer(outcome: Outcome) -> String {
    match outcome {
        Ok(Receipt::EventInstalled) => "installed".into(),
        Ok(Receipt::QueueJoined { indexes }) => {
            let indexes: Vec<String> = indexes.iter().map(u64::to_string).collect();
            format!("index {}", indexes.join(" "))
        }
        Ok(Receipt::OrderOpened { until }) => format!("opened until {}", time(until)),
        Ok(Receipt::OrderHeld { until, legs }) => {
            let legs: Vec<String> = legs.iter().map(places).collect();
            format!("held until {} {}", time(until), legs.join(" "))
        }
        Ok(Receipt::LegHeld(leg)) => format!("leg holds {}", places(&leg)),
        Ok(Receipt::LegRefused(why)) => answer(Err(why)),
        Ok(Receipt::OrderClosed) => "closed".into(),
        Ok(Receipt::Payment { phase }) => format!("{phase:?}"),
        Ok(Receipt::HoldsExtended { holds, by_ms }) => {
            format!("{holds} holds by {}", time(Timestamp(by_ms)))
        }
        Ok(other) => format!("{other:?}"),
        Err(Rejection::OrderOver { why }) => format!("no: the order is over ({why:?})"),
        Err(Rejection::SeatNotAvailable { section, seat }) => {
            format!("no: seat s{}:{} is taken", section.0, seat.0)
        }
        Err(Rejection::NotEnoughSeats { left }) => format!("no: only {left} seats are left"),
        Err(why) => format!("no: {why}"),
    }
}
