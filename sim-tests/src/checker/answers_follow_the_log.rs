//! P3 and linearizability of writes: what an answer claims was in the log, applied, when it was
//! given, and not before it was asked for. So whatever was answered before another request was
//! sent stands before it in the log: the log's order is a linearization.

use std::collections::BTreeMap;
use std::time::Duration;

use api::text::parse_order;
use ledger::OrderId;
use ledger::change::Change;

use super::Course;
use super::course::order_in;
use crate::client::Reply;
use crate::history::Op;

/// When things happened to an order.
#[derive(Default)]
struct Life {
    opened: Option<Duration>,
    held: Vec<(Duration, u16)>,
    paid: Option<Duration>,
    closed: Option<Duration>,
    refunding: Option<Duration>,
}

pub(super) fn check(course: &Course) -> Vec<String> {
    if course.trail.is_empty() {
        return Vec::new();
    }
    let lives = lives(course);
    let mut wrong = Vec::new();
    for op in &course.ops {
        let Some((order, claim)) = claim(op) else {
            continue;
        };
        let life = lives.get(&order);
        let happened = life.and_then(|life| match claim {
            Claim::Held(places) => {
                let before = life.held.iter().filter(|(at, _)| *at <= op.returned);
                let all: u16 = before.map(|(_, places)| *places).sum();
                life.opened.filter(|_| all >= places)
            }
            Claim::Paid => life.paid,
            Claim::Closed => life.closed,
            Claim::Refunding => life.refunding,
        });
        if happened.is_none_or(|at| at > op.returned) {
            wrong.push(format!(
                "{} {} was told {claim:?} of {order} and the log says {happened:?}",
                op.who, op.path
            ));
        }
    }
    for requests in course
        .requests(|op| op.path == "/api/v1/seats/reserve" && op.key.is_some())
        .values()
    {
        let first = requests.iter().map(|op| op.invoked).min();
        let told = requests.iter().find_map(|op| match claim(op) {
            Some((order, Claim::Held(_))) => Some(order),
            _ => None,
        });
        let opened = told.and_then(|order| lives.get(&order)?.opened);
        if opened < first && opened.is_some() {
            wrong.push(format!("{told:?} was opened before anybody asked for it"));
        }
    }
    wrong
}

#[derive(Debug)]
enum Claim {
    Held(u16),
    Paid,
    Closed,
    Refunding,
}

fn claim(op: &Op) -> Option<(OrderId, Claim)> {
    let Reply::Answered(status, body) = &op.reply else {
        return None;
    };
    let path = op.path.as_str();
    match (op.method.as_str(), status) {
        ("POST", 201) if path == "/api/v1/seats/reserve" => {
            let count = |seat: &serde_json::Value| seat["count"].as_u64().unwrap_or(1);
            let places: u64 = body["seats"].as_array()?.iter().map(count).sum();
            Some((
                parse_order(body["order_id"].as_str()?)?,
                Claim::Held(places as u16),
            ))
        }
        ("POST", 200) if path.ends_with("/pay") => Some((order_in(path)?, Claim::Paid)),
        ("DELETE", 200) if path.ends_with("/hold") => Some((order_in(path)?, Claim::Closed)),
        ("POST", 202) if path.ends_with("/refund") => Some((order_in(path)?, Claim::Refunding)),
        _ => None,
    }
}

fn lives(course: &Course) -> BTreeMap<OrderId, Life> {
    let mut lives: BTreeMap<OrderId, Life> = BTreeMap::new();
    for (entry, fact) in course.facts() {
        let at = entry.applied_at;
        if let Change::SeatsHeld(moved) = fact {
            let life = lives.entry(moved.leg.order).or_default();
            life.held.push((at, moved.places.count()));
        }
        let Some(order) = fact.order() else { continue };
        let life = lives.entry(order.order).or_default();
        match fact {
            Change::OrderOpened { .. } => life.opened = life.opened.or(Some(at)),
            Change::OrderPaid { .. } => life.paid = life.paid.or(Some(at)),
            Change::OrderClosed { .. } => life.closed = life.closed.or(Some(at)),
            Change::RefundStarted { .. } => life.refunding = life.refunding.or(Some(at)),
            _ => {}
        }
    }
    lives
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checker::hand::{entry, op, order, seat, text, with};

    #[test]
    fn a_yes_that_the_log_does_not_know_yet_is_a_lie() {
        let of = order(1, 1);
        let run = |opened: u64, paid: u64| {
            let open = vec![
                Change::OrderOpened { order: of },
                Change::SeatsHeld(seat(of, 1)),
            ];
            let pay = vec![Change::OrderPaid {
                order: of,
                amount: 5,
            }];
            let mut course = with(vec![entry(1, 1, opened, open), entry(1, 2, paid, pay)]);
            let held = json!({"order_id": text(of), "seats": [{"seat_id": "A-1-2"}]});
            let mut reserve = op(
                "ann",
                100,
                200,
                "POST",
                "/api/v1/seats/reserve",
                Some((201, held)),
            );
            reserve.key = Some("k".to_owned());
            let path = format!("/api/v1/orders/{}/pay", text(of));
            course.ops = vec![
                reserve,
                op("ann", 300, 400, "POST", &path, Some((200, json!({})))),
            ];
            check(&course).len()
        };
        assert_eq!(run(150, 350), 0);
        assert_eq!(run(250, 350), 1, "answered before it was applied");
        assert_eq!(run(150, 450), 1);
        assert_eq!(run(50, 350), 1, "opened before it was asked for");
    }
}
