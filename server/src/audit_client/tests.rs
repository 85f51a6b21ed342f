//! A sound sale passes; each planted fault is caught, under its promise.

use serde_json::json;

use super::agreement::Sightings;
use super::claims::Places;
use super::fetch::Digest;
use super::provider::Payment;
use super::replica::{Group, Order, Replica, Section, SoldSeat};
use super::*;

/// A small sale: two paid orders (one of them half standing), one cancelled.
struct Sale {
    claims: Vec<Claim>,
    replica: Replica,
    payments: Vec<Payment>,
}

fn claim(order: &str, seats: &[&str], standing: u64, amount: u64, told: Told) -> Claim {
    let standing = if standing == 0 {
        vec![]
    } else {
        vec![("floor".to_owned(), standing)]
    };
    let seats = seats.iter().map(ToString::to_string).collect();
    Claim {
        order: order.to_owned(),
        event: "e-1".to_owned(),
        places: Places { seats, standing },
        amount,
        told,
    }
}

fn order(id: &str, phase: &str, amount: u64, tickets: &[&str]) -> Order {
    let tickets = tickets.iter().map(ToString::to_string).collect();
    Order {
        order_id: id.to_owned(),
        phase: phase.to_owned(),
        amount,
        tickets,
    }
}

fn sold(seat: Option<&str>, order: &str) -> SoldSeat {
    SoldSeat {
        seat: seat.map(str::to_owned),
        order_id: order.to_owned(),
        ticket_id: None,
    }
}

fn payment(id: &str, order: &str, amount: u64, status: &str) -> Payment {
    let captured_amount = if status == "captured" { amount } else { 0 };
    let (id, order, status) = (id.to_owned(), order.to_owned(), status.to_owned());
    Payment {
        id,
        key: String::new(),
        order,
        amount,
        currency: "EUR".to_owned(),
        status,
        captured_amount,
        refunded_amount: 0,
    }
}

impl Sale {
    fn sound() -> Self {
        let paid = |tickets: &[&str]| Told::Paid {
            tickets: tickets.iter().map(ToString::to_string).collect(),
        };
        let seated = Section {
            event_id: "E1".to_owned(),
            sold: 3,
            sold_seats: vec![
                sold(Some("A-1-1"), "01"),
                sold(Some("A-1-2"), "01"),
                sold(Some("A-1-3"), "02"),
            ],
            ..Section::default()
        };
        let standing = Section {
            event_id: "E1".to_owned(),
            section: json!("floor"),
            sold: 1,
            sold_seats: vec![sold(None, "02")],
            ..Section::default()
        };
        let group = Group {
            applied: 9,
            orders: vec![
                order("0-1", "Paid", 200, &["t1", "t2"]),
                order("02", "paid", 150, &["t3", "t4"]),
                order("03", "closed", 100, &[]),
            ],
            sections: vec![seated, standing],
            ..Group::default()
        };
        Self {
            claims: vec![
                claim("01", &["A-1-1", "A-1-2"], 0, 200, paid(&["t1", "t2"])),
                claim("02", &["A-1-3"], 1, 150, paid(&["t3", "t4"])),
                claim("03", &["A-1-4"], 0, 100, Told::Cancelled),
            ],
            replica: Replica {
                node: "one".to_owned(),
                groups: vec![group],
            },
            payments: vec![
                payment("p1", "01", 200, "captured"),
                payment("p2", "02", 150, "declined"),
                payment("p3", "02", 150, "captured"),
                payment("p4", "03", 100, "cancelled"),
            ],
        }
    }

    fn judged(&self) -> Findings {
        let mut findings = Findings::default();
        let replicas = [self.replica.clone()];
        let evidence = Evidence {
            claims: &self.claims,
            replicas: &replicas,
            payments: Some(&self.payments),
        };
        judge(&evidence, &mut findings);
        findings
    }

    /// The promises that the audit finds broken after `plant`.
    fn broken_by(plant: impl FnOnce(&mut Self)) -> Vec<Promise> {
        let mut sale = Self::sound();
        plant(&mut sale);
        let findings = sale.judged();
        Promise::ALL
            .into_iter()
            .filter(|&promise| !findings.held(promise))
            .collect()
    }
}

#[test]
fn a_sound_sale_has_nothing_broken_and_is_counted() {
    let findings = Sale::sound().judged();
    assert!(findings.all_held(), "{:#?}", findings.lines());
    assert_eq!((findings.orders_paid, findings.charges), (2, 2));
    assert_eq!((findings.double_sold, findings.lost_acks), (0, 0));
}

#[test]
fn a_seat_sold_twice_is_found_in_the_replica_and_in_what_clients_were_told() {
    let broken = Sale::broken_by(|sale| {
        sale.replica.groups[0].sections[0].sold_seats[1].seat = Some("A-1-3".to_owned());
    });
    assert!(broken.contains(&Promise::P1), "{broken:?}");
    let mut sale = Sale::sound();
    sale.claims[1].places.seats[0] = "A-1-1".to_owned();
    let findings = sale.judged();
    assert_eq!(findings.double_sold, 1);
    assert!(!findings.held(Promise::P1));
}

#[test]
fn a_lost_order_a_lost_payment_and_a_revived_cancellation_are_lost_answers() {
    let lost = |plant: fn(&mut Sale)| {
        let mut sale = Sale::sound();
        plant(&mut sale);
        (sale.judged().lost_acks, sale.judged().held(Promise::P3))
    };
    assert_eq!(
        lost(|sale| drop(sale.replica.groups[0].orders.remove(1))),
        (1, false)
    );
    // Replicas need not list what ended without a sale; the door is asked after it.
    assert_eq!(
        lost(|sale| drop(sale.replica.groups[0].orders.remove(2))),
        (0, true)
    );
    assert_eq!(
        lost(|sale| sale.replica.groups[0].orders[0].phase = "closed".into()),
        (1, false)
    );
    assert_eq!(
        lost(|sale| sale.replica.groups[0].orders[2].phase = "paid".into()),
        (1, false)
    );
    let moved = |sale: &mut Sale| {
        sale.replica.groups[0].sections[0].sold_seats[0].seat = Some("A-9-9".into());
    };
    assert_eq!(lost(moved), (1, false));
}

#[test]
fn half_an_order_and_a_missing_ticket_are_found() {
    let half = |sale: &mut Sale| drop(sale.replica.groups[0].sections[1].sold_seats.pop());
    assert_eq!(Sale::broken_by(half), [Promise::P2]);
    let ticket = |sale: &mut Sale| drop(sale.replica.groups[0].orders[0].tickets.pop());
    assert_eq!(Sale::broken_by(ticket), [Promise::P2]);
    let leftover = |sale: &mut Sale| {
        sale.replica.groups[0].sections[0]
            .sold_seats
            .push(sold(Some("A-1-4"), "03"));
    };
    assert_eq!(Sale::broken_by(leftover), [Promise::P2]);
}

#[test]
fn every_way_of_charging_wrongly_is_found() {
    let plants: [fn(&mut Sale); 5] = [
        |sale| sale.payments.push(payment("p5", "01", 200, "captured")),
        |sale| sale.payments.push(payment("p5", "03", 100, "captured")),
        |sale| drop(sale.payments.remove(0)),
        |sale| sale.payments[0].captured_amount = 199,
        |sale| sale.payments[3].status = "authorized".to_owned(),
    ];
    for (index, plant) in plants.into_iter().enumerate() {
        assert_eq!(Sale::broken_by(plant), [Promise::P4], "plant {index}");
    }
}

#[test]
fn replicas_that_differ_at_one_index_are_found_and_later_ones_are_not_compared() {
    let sale = Sale::sound();
    let mut other = sale.replica.clone();
    other.groups[0].sections[0].held = 1;
    let differ = |other: Replica| {
        let mut findings = Findings::default();
        let replicas = [sale.replica.clone(), other];
        judge(
            &Evidence {
                claims: &[],
                replicas: &replicas,
                payments: None,
            },
            &mut findings,
        );
        !findings.held(Promise::P3)
    };
    assert!(differ(other.clone()));
    other.groups[0].applied += 1;
    assert!(!differ(other));
}

#[test]
fn places_without_numbers_are_not_taken_for_one_seat_sold_often() {
    let mut sale = Sale::sound();
    let floor = &mut sale.replica.groups[0].sections[1];
    floor.sold_seats = vec![sold(Some("floor"), "02")];
    floor.normalize();
    assert_eq!(floor.sold_seats, [sold(None, "02")]);
    assert!(sale.judged().all_held());
}

#[test]
fn digests_are_compared_only_at_equal_indexes() {
    let digest = |applied, digest: &str| Digest {
        group: 1,
        applied,
        digest: digest.to_owned(),
    };
    let mut sightings = Sightings::default();
    sightings.add(0, [digest(5, "aa")]);
    sightings.add(1, [digest(6, "bb")]);
    assert_eq!(sightings.not_compared(2), [1]);
    sightings.add(0, [digest(6, "bb")]);
    assert_eq!(
        (sightings.not_compared(2), sightings.differences()),
        (vec![], vec![])
    );
    sightings.add(1, [digest(5, "ff")]);
    assert_eq!(sightings.differences(), [(1, 5)]);
}
