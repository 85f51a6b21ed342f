//! The life of a leg, and what must hold whatever happens to many of them.

use std::collections::BTreeMap;

use super::*;
use crate::command::{HoldLeg, Want};
use crate::digest::Digest;
use crate::due::{Due, DueIndex};
use crate::event::{Layout, QueueRules, Sale, SectionPlan};
use crate::outcome::Rejection;
use crate::seat_list::SeatList;
use crate::tickets::{TicketState, TicketTable, Tickets};

const EVENT: EventId = EventId(1);
const HERE: ShardId = ShardId(1);

fn plan(layouts: Vec<Layout>) -> EventPlan {
    let queue = QueueRules {
        admit_per_minute: 60,
        secret: [1; 32],
        beacon: Vec::new(),
    };
    let section = |layout| SectionPlan {
        shard: HERE,
        layout,
        price: 500,
        tier: 1,
    };
    EventPlan {
        event: EVENT,
        version: 1,
        rules: EventRules {
            sale: Sale::Open,
            opens_at: Timestamp(0),
            hold_ms: 600_000,
            order_seats_max: 8,
            buyer_seats_max: 8,
            currency: *b"EUR",
            queue: Some(queue),
            room_shard: HERE,
        },
        sections: layouts.into_iter().map(section).collect(),
    }
}

fn seated(rows: u16, seats_per_row: u16) -> Layout {
    let blocked = vec![SeatNo(3), SeatNo(4)];
    Layout::Seated {
        rows,
        seats_per_row,
        blocked,
        accessible: vec![SeatNo(7)],
    }
}

struct Desk {
    seats: SeatTable,
    tickets: TicketTable,
    due: DueIndex,
}

fn desk(layouts: Vec<Layout>) -> Desk {
    let mut seats = SeatTable::default();
    seats.install(&plan(layouts), HERE);
    Desk {
        seats,
        tickets: TicketTable::default(),
        due: DueIndex::default(),
    }
}

fn tickets(desk: &Desk) -> Tickets<'_> {
    Tickets {
        table: &desk.tickets,
        seats: &desk.seats,
    }
}

fn key(order: u128) -> LegKey {
    LegKey {
        order: OrderId::new(ShardId(9), order),
        leg: 0,
    }
}

fn exact(order: u128, seats: &[u16], until: u64) -> HoldLeg {
    let seats: Vec<SeatNo> = seats.iter().map(|seat| SeatNo(*seat)).collect();
    let seats = SeatList::new(&seats).expect("few seats");
    let want = Want::Seats {
        section: SectionNo(0),
        seats,
    };
    HoldLeg {
        leg: key(order),
        event: EVENT,
        buyer: BuyerId(order),
        want,
        until: Timestamp(until),
    }
}

impl Desk {
    fn hold(&mut self, hold: &HoldLeg, now: u64) -> Result<HeldLeg, Rejection> {
        self.seats.hold(hold, Timestamp(now), &mut self.due, true)
    }

    /// For an order of this very shard, whose deadline ends it.
    fn hold_for_home(&mut self, hold: &HoldLeg, now: u64) -> Result<HeldLeg, Rejection> {
        self.seats.hold(hold, Timestamp(now), &mut self.due, false)
    }

    fn status(&self, seat: u16) -> SeatStatus {
        let key = SectionKey {
            event: EVENT,
            section: SectionNo(0),
        };
        let section = self.seats.section(key).expect("section 0 is here");
        section.state_of(SeatNo(seat)).expect("the seat is there")
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Digest::new();
        self.seats.digest(&mut digest);
        tickets(self).digest(&mut digest);
        digest.finish()
    }
}

#[test]
fn a_leg_is_held_pinned_sold_and_refunded_and_every_step_may_be_repeated() {
    let mut desk = desk(vec![seated(2, 10)]);
    let hold = exact(1, &[0, 1], 1_000);
    let held = desk.hold(&hold, 10).expect("the seats are free");
    assert_eq!(desk.hold(&hold, 20), Ok(held));
    assert!(desk.due.contains(Timestamp(1_000), Due::Leg(key(1))));
    let other = exact(1, &[0, 2], 1_000);
    assert_eq!(
        desk.hold(&other, 20),
        Err(Rejection::OrderExistsWithDifferentContent)
    );

    let (seats, due) = (&mut desk.seats, &mut desk.due);
    let late = Generation(held.generation.0 + 1);
    assert_eq!(
        seats.pin(key(1), late, Timestamp(30), due),
        Err(Rejection::LegOver)
    );
    for _ in 0..2 {
        assert_eq!(
            seats.pin(key(1), held.generation, Timestamp(30), due),
            Ok(())
        );
    }
    assert!(!due.contains(Timestamp(1_000), Due::Leg(key(1))));
    assert!(
        !seats.expire(key(1), Timestamp(5_000), due),
        "no clock ends a pin"
    );

    let issued = seats
        .sell(key(1), Timestamp(40), &mut desk.tickets, due)
        .expect("it is pinned");
    assert_eq!(
        seats.sell(key(1), Timestamp(50), &mut desk.tickets, due),
        Ok(issued.clone())
    );
    assert_eq!(issued.len(), 2);
    let ticket = tickets(&desk).get(issued[1]).expect("it was issued");
    assert_eq!(
        (ticket.seat, ticket.state),
        (Some(SeatNo(1)), TicketState::Valid)
    );
    assert_eq!(ticket.id.shard(), HERE);
    assert_eq!(
        desk.hold(&hold, 60),
        Ok(held),
        "the door's late repeat is answered the same"
    );

    let (seats, due) = (&mut desk.seats, &mut desk.due);
    assert!(seats.release(key(1), Timestamp(70), &mut desk.tickets, due));
    assert!(!seats.release(key(1), Timestamp(70), &mut desk.tickets, due));
    assert_eq!(desk.status(0), SeatStatus::Available);
    assert_eq!(
        tickets(&desk).get(issued[0]).map(|t| t.state),
        Some(TicketState::Void)
    );
    assert_eq!(desk.hold(&hold, 80), Err(Rejection::LegOver));
}

#[test]
fn a_hold_ends_at_its_deadline_and_not_a_moment_before() {
    let mut desk = desk(vec![seated(2, 10)]);
    let held = desk
        .hold(&exact(1, &[0], 1_000), 10)
        .expect("the seat is free");
    let (seats, due) = (&mut desk.seats, &mut desk.due);
    assert!(!seats.expire(key(1), Timestamp(999), due));
    seats.extend(key(1), Timestamp(2_000), due);
    seats.extend(key(1), Timestamp(1_500), due);
    assert!(!seats.expire(key(1), Timestamp(1_999), due));
    assert_eq!(
        desk.status(0),
        SeatStatus::Held,
        "a late sweep is never wrong"
    );
    assert_eq!(
        desk.hold(&exact(1, &[0], 1_000), 2_000).as_ref(),
        Ok(&held),
        "home says when it is over; this is not home"
    );
    assert!(desk.seats.expire(key(1), Timestamp(2_000), &mut desk.due));
    assert_eq!(desk.status(0), SeatStatus::Available);
    let again = desk
        .hold(&exact(2, &[0], 9_000), 2_000)
        .expect("the seat is free again");
    assert!(again.generation > held.generation);
}

#[test]
fn a_hold_of_its_own_order_is_over_at_its_deadline_swept_or_not() {
    let mut desk = desk(vec![seated(2, 10)]);
    let hold = exact(1, &[0], 1_000);
    let held = desk.hold_for_home(&hold, 10).expect("the seat is free");
    assert_eq!(desk.hold_for_home(&hold, 999), Ok(held));
    let over = Err(Rejection::HoldExpired);
    assert_eq!(desk.hold_for_home(&hold, 1_000), over);
    let (seats, due) = (&mut desk.seats, &mut desk.due);
    let pinned = seats.pin(key(1), held.generation, Timestamp(1_000), due);
    assert_eq!(pinned, Err(Rejection::HoldExpired));
}

#[test]
fn a_hold_that_is_refused_changes_nothing_and_says_why() {
    let mut desk = desk(vec![seated(2, 10), Layout::Standing { capacity: 5 }]);
    desk.hold(&exact(1, &[5, 6], 1_000), 10)
        .expect("the seats are free");
    let before = desk.digest();
    let refuse = |desk: &mut Desk, want: Want| {
        let hold = HoldLeg {
            want,
            ..exact(2, &[0], 1_000)
        };
        desk.hold(&hold, 20).expect_err("it cannot be held")
    };
    let seats = |seats: &[u16]| exact(2, seats, 1_000).want;
    let section = SectionNo(0);
    let taken = |seat| Rejection::SeatNotAvailable {
        section,
        seat: SeatNo(seat),
    };
    assert_eq!(refuse(&mut desk, seats(&[0, 6, 5])), taken(6));
    assert_eq!(refuse(&mut desk, seats(&[0, 3])), taken(3));
    assert_eq!(refuse(&mut desk, seats(&[0, 0])), Rejection::OrderInvalid);
    assert_eq!(refuse(&mut desk, seats(&[])), Rejection::OrderInvalid);
    let unknown = Rejection::SeatUnknown {
        section,
        seat: SeatNo(20),
    };
    assert_eq!(refuse(&mut desk, seats(&[20])), unknown);
    let standing = |section, count| Want::Standing {
        section: SectionNo(section),
        count,
    };
    assert_eq!(
        refuse(&mut desk, standing(1, 6)),
        Rejection::NotEnoughSeats { left: 5 }
    );
    assert_eq!(refuse(&mut desk, standing(1, 0)), Rejection::OrderInvalid);
    assert!(matches!(
        refuse(&mut desk, standing(0, 1)),
        Rejection::SeatUnknown { .. }
    ));
    let nowhere = Rejection::SectionUnknown {
        section: SectionNo(2),
    };
    assert_eq!(refuse(&mut desk, standing(2, 1)), nowhere);
    let sections = vec![SectionNo(0), SectionNo(2)];
    let best = |count| Want::Best {
        sections: sections.clone(),
        count,
        accessible: false,
    };
    assert_eq!(refuse(&mut desk, best(1)), nowhere);
    assert_eq!(refuse(&mut desk, best(17)), Rejection::OrderInvalid);
    assert_eq!(
        desk.hold(&exact(2, &[0], 20), 20),
        Err(Rejection::HoldExpired)
    );
    let elsewhere = HoldLeg {
        event: EventId(2),
        ..exact(2, &[0], 1_000)
    };
    assert_eq!(desk.hold(&elsewhere, 20), Err(Rejection::EventUnknown));
    assert_eq!(desk.digest(), before);
}

#[test]
fn a_release_that_overtakes_its_hold_keeps_the_hold_from_coming_until_it_could_not_run() {
    let mut desk = desk(vec![seated(2, 10)]);
    desk.seats
        .release(key(1), Timestamp(10), &mut desk.tickets, &mut desk.due);
    assert_eq!(
        desk.hold(&exact(1, &[0], 600_010), 20),
        Err(Rejection::LegOver)
    );
    let ended = desk.seats.ended().next().expect("it is remembered");
    assert!(ended.until > Timestamp(600_010));
    // Later endings sweep what is over.
    desk.seats.release(
        key(2),
        Timestamp(5_000_000),
        &mut desk.tickets,
        &mut desk.due,
    );
    assert_eq!(desk.seats.ended().count(), 1);
}

#[test]
fn the_waiting_room_is_told_of_stock_once_a_second_and_only_of_news() {
    let mut desk = desk(vec![seated(2, 10)]);
    desk.hold(&exact(1, &[0, 1], 90_000), 5_000)
        .expect("the seats are free");
    assert_eq!(desk.seats.stock_due(EVENT), Some(Timestamp(5_000)));
    let told = desk.seats.tell_stock(EVENT, Timestamp(5_000));
    assert_eq!(
        told,
        Some(Stock {
            available: 16,
            held: 2
        })
    );
    desk.hold(&exact(2, &[2], 90_000), 5_100)
        .expect("the seat is free");
    assert_eq!(desk.seats.stock_due(EVENT), Some(Timestamp(6_000)));
    desk.seats
        .release(key(2), Timestamp(5_200), &mut desk.tickets, &mut desk.due);
    assert_eq!(
        desk.seats.tell_stock(EVENT, Timestamp(6_000)),
        None,
        "it is as it was"
    );
    assert_eq!(desk.seats.stock_due(EVENT), None);
}

/// Goal: whatever happens in whatever order, places are conserved, each seat belongs to the leg
/// that lists it, and a snapshot brings all of it back. Method: random commands against a small
/// house, everything recounted from the legs.
#[test]
fn places_are_conserved_under_random_commands_and_survive_a_snapshot() {
    for seed in 0..6u64 {
        let mut random = seed;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695);
            (random >> 33) % below
        };
        let layouts = vec![
            seated(4, 12),
            Layout::Standing { capacity: 20 },
            seated(1, 70),
        ];
        let mut desk = desk(layouts.clone());
        let mut now = 1_000;
        for step in 0..4_000 {
            now += next(40);
            let order = u128::from(next(60));
            let generation = desk
                .seats
                .leg(key(order))
                .map_or(Generation(0), |leg| leg.generation);
            let section = SectionNo(next(3) as u16);
            let count = 1 + next(5) as u8;
            let until = now + 1 + next(900);
            match next(10) {
                0..=2 => {
                    let first = next(60) as u16;
                    let list: Vec<SeatNo> = (first..first + u16::from(count)).map(SeatNo).collect();
                    let seats = SeatList::new(&list).expect("few seats");
                    let want = match next(3) {
                        0 => Want::Seats { section, seats },
                        1 => Want::Standing { section, count },
                        _ => {
                            let sections = vec![section, SectionNo(next(3) as u16)];
                            Want::Best {
                                sections,
                                count,
                                accessible: next(4) == 0,
                            }
                        }
                    };
                    let _ = desk.hold(
                        &HoldLeg {
                            want,
                            ..exact(order, &[], until)
                        },
                        now,
                    );
                }
                3 => {
                    _ = desk
                        .seats
                        .pin(key(order), generation, Timestamp(now), &mut desk.due)
                }
                4 => desk
                    .seats
                    .unpin(key(order), Timestamp(until), Timestamp(now), &mut desk.due),
                5 => desk
                    .seats
                    .extend(key(order), Timestamp(until), &mut desk.due),
                6 => {
                    let (tickets, due) = (&mut desk.tickets, &mut desk.due);
                    _ = desk.seats.sell(key(order), Timestamp(now), tickets, due);
                }
                7 if next(3) == 0 => {
                    let (tickets, due) = (&mut desk.tickets, &mut desk.due);
                    desk.seats.release(key(order), Timestamp(now), tickets, due);
                }
                8 => _ = desk.seats.undo(key(order), Timestamp(now), &mut desk.due),
                _ => {
                    while let Some((_, due)) = desk.due.pop_due(Timestamp(now)) {
                        match due {
                            Due::Leg(leg) => {
                                assert!(desk.seats.expire(leg, Timestamp(now), &mut desk.due));
                            }
                            _ => _ = desk.seats.tell_stock(EVENT, Timestamp(now)),
                        }
                    }
                }
            }
            recount(&desk);
            if step % 500 == 499 {
                let (restored, due) = restore(&desk, &plan(layouts.clone()));
                assert_eq!((restored.digest(), &due), (desk.digest(), &desk.due));
                desk = restored;
            }
        }
    }
}

fn recount(desk: &Desk) {
    let mut owners: BTreeMap<(SectionNo, SeatNo), LegKey> = BTreeMap::new();
    let mut total = Counts::default();
    for section in desk.seats.sections(EVENT) {
        let key = section.key();
        let mut counts = Counts {
            blocked: section.counts().blocked,
            ..Counts::default()
        };
        for leg in desk
            .seats
            .legs()
            .into_iter()
            .filter(|leg| leg.section == key.section)
        {
            let places = u32::from(leg.places.count());
            let status = match leg.state {
                LegState::Held => SeatStatus::Held,
                LegState::Pinned => SeatStatus::Pinned,
                LegState::Sold => SeatStatus::Sold,
            };
            match status {
                SeatStatus::Held => counts.held += places,
                SeatStatus::Pinned => counts.pinned += places,
                _ => counts.sold += places,
            }
            let due = leg.state == LegState::Held;
            assert_eq!(desk.due.contains(leg.until, Due::Leg(leg.key)), due);
            if let Places::Seats(seats) = &leg.places {
                for seat in seats.as_slice() {
                    assert_eq!(owners.insert((key.section, *seat), leg.key), None);
                    assert_eq!(section.state_of(*seat), Some(status));
                    assert_eq!(desk.seats.leg_of_seat(key, *seat), Some(leg));
                }
            }
        }
        let taken = counts.capacity();
        counts.available = section.counts().capacity() - taken;
        assert_eq!(section.counts(), counts);
        let free = section
            .states()
            .filter(|status| *status == SeatStatus::Available)
            .count();
        assert!(section.seated().is_none_or(|seated| {
            let rows = 0..seated.free.rows();
            let bits: usize = rows.map(|row| seated.free.row(row).columns().count()).sum();
            free == counts.available as usize && bits == free
        }));
        total.add(&counts);
    }
    assert_eq!(desk.seats.counts(EVENT), total);
}

fn restore(desk: &Desk, plan: &EventPlan) -> (Desk, DueIndex) {
    let mut seats = SeatTable::default();
    let mut due = DueIndex::default();
    seats.restore_plan(plan, HERE);
    for leg in desk.seats.legs() {
        seats
            .restore_leg(&leg, &mut due)
            .expect("its places are free");
    }
    let saved = desk.seats.save_event(EVENT).expect("the event is known");
    seats.restore_event(&saved, &mut due);
    desk.seats
        .ended()
        .for_each(|ended| seats.restore_ended(ended));
    let (generation, hold_ms) = desk.seats.marks();
    seats.restore_marks(generation, hold_ms);
    let mut table = TicketTable::default();
    for ticket in tickets(desk).sorted() {
        table.restore(ticket, seats.leg_of_ticket(&ticket));
    }
    let tickets = table;
    (
        Desk {
            seats,
            tickets,
            due: due.clone(),
        },
        due,
    )
}

#[test]
fn seventy_thousand_seats_all_held_one_by_one_fit_in_eight_mebibytes() {
    let layouts = (0..70).map(|_| Layout::Seated {
        rows: 25,
        seats_per_row: 40,
        blocked: Vec::new(),
        accessible: Vec::new(),
    });
    let mut desk = desk(layouts.collect());
    for section in 0..70u16 {
        for seat in 0..1_000 {
            let mut hold = exact(u128::from(section) * 1_000 + u128::from(seat), &[], 99_000);
            let seats = SeatList::new(&[SeatNo(seat)]).expect("one seat");
            hold.want = Want::Seats {
                section: SectionNo(section),
                seats,
            };
            desk.hold(&hold, 10).expect("the seat is free");
        }
    }
    assert_eq!(desk.seats.counts(EVENT).held, 70_000);
    assert!(
        desk.seats.heap_bytes() <= 8 << 20,
        "{}",
        desk.seats.heap_bytes()
    );
}
