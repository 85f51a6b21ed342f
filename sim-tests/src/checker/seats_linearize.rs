//! P1 seen from outside: for every seat that several people wanted there is one order of all that
//! was answered which explains it, in real time; from answers alone, without looking at any log
//! ([`wgl`](super::wgl)).

use std::collections::{BTreeMap, BTreeSet};

use api::text::parse_order;
use ledger::OrderId;
use serde_json::Value;

use super::Course;
use super::course::order_in;
use super::wgl::{OPS_MAX, Operation, Verdict, What, search};
use crate::client::Reply;
use crate::history::Op;

/// Seats looked at, at most.
const SEATS_MAX: usize = 60;
/// Looks at a seat map that are used for one seat.
const LOOKS_MAX: usize = 16;
/// A courier, or a sweep, ends a hold that nobody answers for; its clock may differ.
const SLACK_MS: u64 = 1_000;

pub(super) fn check(course: &Course) -> Vec<String> {
    let seats = gather(course);
    let contended = seats.into_iter().filter(|(_, operations)| {
        let takes = |operation: &&Operation| matches!(operation.what, What::Hold(..));
        operations.iter().filter(takes).count() > 1
    });
    let slack_ms = SLACK_MS + 2 * course.clock_error_ms;
    let (mut wrong, mut looked, mut undecided) = (Vec::new(), 0, 0);
    for (seat, operations) in contended.take(SEATS_MAX) {
        looked += 1;
        match search(&operations, slack_ms) {
            Verdict::Explained => {}
            Verdict::Undecided => undecided += 1,
            Verdict::Impossible => {
                wrong.push(format!(
                    "{seat}: no order of these explains all: {operations:?}"
                ));
            }
        }
    }
    if undecided * 20 > looked {
        wrong.push(format!(
            "{undecided} of {looked} seats could not be decided"
        ));
    }
    wrong
}

/// A request with all its repeats.
struct Request<'a> {
    first: &'a Op,
    from: u64,
    to: Option<u64>,
    answer: Option<&'a Value>,
}

fn merged<'a>(course: &Course, ops: &[&'a Op], yes: u16) -> Option<Request<'a>> {
    let first = ops.iter().min_by_key(|op| op.invoked)?;
    let mut to = None;
    let (mut answer, mut open) = (None, false);
    for op in ops {
        match &op.reply {
            Reply::Answered(status, body) if *status == yes => {
                let returned = course.wall_ms(op.returned);
                if to.is_none_or(|known| returned < known) {
                    (to, answer) = (Some(returned), Some(body));
                }
            }
            Reply::Answered(202 | 429 | 500.., _) | Reply::Unknown => open = true,
            Reply::Answered(..) => {}
        }
    }
    (to.is_some() || open).then(|| Request {
        first,
        from: course.wall_ms(first.invoked),
        to,
        answer,
    })
}

fn gather(course: &Course) -> BTreeMap<String, Vec<Operation>> {
    let mut seats: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    let mut numbers: BTreeMap<OrderId, usize> = BTreeMap::new();
    let mut of_order: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut strangers = usize::MAX;
    for ops in course
        .requests(|op| op.path == "/api/v1/seats/reserve")
        .values()
    {
        let Some(request) = merged(course, ops, 201) else {
            continue;
        };
        let told = request.answer.and_then(|answer| {
            let id = parse_order(answer["order_id"].as_str()?)?;
            let until = answer["held_until"]
                .as_str()?
                .parse::<jiff::Timestamp>()
                .ok()?;
            Some((id, until.as_millisecond() as u64, ids(&answer["seats"])))
        });
        // An order without an answer has a number of its own: no other answer names it.
        let (order, until, names) = match told {
            Some((id, until, names)) => {
                let next = numbers.len();
                (*numbers.entry(id).or_insert(next), until, names)
            }
            None => {
                strangers -= 1;
                (strangers, 0, named(&request.first.body))
            }
        };
        for seat in names {
            of_order.entry(order).or_default().insert(seat.clone());
            let what = What::Hold(order, until);
            let (from, to) = (request.from, request.to);
            seats
                .entry(seat)
                .or_default()
                .push(Operation { what, from, to });
        }
    }
    for op in &course.ops {
        let Some((order, id)) = order_in(&op.path).and_then(|id| Some((numbers.get(&id)?, id)))
        else {
            continue;
        };
        let Some(turn) = turn(course, op, *order, id) else {
            continue;
        };
        for seat in of_order.get(order).into_iter().flatten() {
            seats.entry(seat.clone()).or_default().extend(turn.clone());
        }
    }
    looks(course, &mut seats);
    for operations in seats.values_mut() {
        tidy(operations);
    }
    seats
}

/// What a request about an order does to its seats.
fn turn(course: &Course, op: &Op, order: usize, _: OrderId) -> Option<Vec<Operation>> {
    let from = course.wall_ms(op.invoked);
    let returned = course.wall_ms(op.returned);
    let at = |what, to| Operation { what, from, to };
    let end = op.path.rsplit('/').next()?;
    Some(match (op.method.as_str(), end, &op.reply) {
        ("POST", "pay", Reply::Answered(200, _)) => vec![at(What::Sell(order), Some(returned))],
        // It may be sold later; or declined, and then the order ends some time.
        ("POST", "pay", _) => vec![at(What::Sell(order), None), at(What::Free(order), None)],
        ("DELETE", "hold", Reply::Answered(200, _)) => vec![at(What::Free(order), Some(returned))],
        ("DELETE", "hold", Reply::Answered(429 | 500.., _) | Reply::Unknown) => {
            vec![at(What::Free(order), None)]
        }
        ("POST", "refund", Reply::Answered(202 | 429 | 500.., _) | Reply::Unknown) => {
            vec![at(What::Free(order), None)]
        }
        _ => return None,
    })
}

/// Linearizable seat maps.
fn looks(course: &Course, seats: &mut BTreeMap<String, Vec<Operation>>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let fresh = |op: &&Op| op.path.contains("/seats?") && op.path.contains("linearizable");
    for op in course.ops.iter().filter(fresh) {
        let Reply::Answered(200, body) = &op.reply else {
            continue;
        };
        for section in body["sections"].as_array().into_iter().flatten() {
            let (Some(name), Some(width), Some(states)) = (
                section["name"].as_str(),
                section["seats_per_row"].as_u64().filter(|width| *width > 0),
                section["states"].as_str(),
            ) else {
                continue;
            };
            for (at, letter) in states.chars().enumerate() {
                let (row, number) = (at as u64 / width + 1, at as u64 % width + 1);
                let seat = format!("{name}-{row}-{number}");
                let what = match letter {
                    'A' => What::SeenFree,
                    'H' => What::SeenHeld,
                    'S' => What::SeenSold,
                    _ => continue,
                };
                let (Some(operations), count) =
                    (seats.get_mut(&seat), counts.entry(seat).or_default())
                else {
                    continue;
                };
                if *count < LOOKS_MAX {
                    *count += 1;
                    let (from, to) = (
                        course.wall_ms(op.invoked),
                        Some(course.wall_ms(op.returned)),
                    );
                    operations.push(Operation { what, from, to });
                }
            }
        }
    }
}

/// Of operations that say the same of an order, the one that says most; not too many of all.
fn tidy(operations: &mut Vec<Operation>) {
    let mut firm: Vec<(What, u64)> = Vec::new();
    let mut open: Vec<What> = Vec::new();
    operations.sort_by_key(|operation| (operation.from, operation.to.is_none()));
    // A request and its repeats are one operation, which began with the first of them.
    let began: Vec<(What, u64)> = operations.iter().map(|one| (one.what, one.from)).collect();
    let answered = operations.iter().filter(|one| one.to.is_some());
    let sold: Vec<_> = answered.map(|one| one.what).collect();
    for operation in operations.iter_mut() {
        if let What::Sell(_) | What::Free(_) = operation.what {
            let first = began.iter().find(|(what, _)| *what == operation.what);
            operation.from = first.map_or(operation.from, |(_, from)| *from);
        }
    }
    operations.retain(|operation| match (operation.what, operation.to) {
        (What::SeenFree | What::SeenHeld | What::SeenSold, _) => true,
        (what @ What::Free(_), None) => {
            let new = !open.contains(&what);
            open.push(what);
            new
        }
        (what, None) => {
            let new = !open.contains(&what) && !sold.contains(&what);
            open.push(what);
            new
        }
        (what, Some(to)) => {
            let new = !firm.iter().any(|(known, _)| *known == what);
            firm.push((what, to));
            new
        }
    });
    operations.truncate(OPS_MAX);
}

/// Seats in an answer.
fn ids(seats: &Value) -> Vec<String> {
    let seats = seats.as_array().into_iter().flatten();
    seats
        .filter_map(|seat| seat["seat_id"].as_str())
        .map(str::to_owned)
        .collect()
}

/// Seats asked for by name.
fn named(body: &Value) -> Vec<String> {
    let seats = body["seat_ids"].as_array().into_iter().flatten();
    seats.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checker::hand::{op, order, text};

    fn reserve(who: &str, n: u128, from: u64) -> Op {
        let answer = json!({
            "order_id": text(order(1, n)), "held_until": "1970-01-01T00:01:00Z",
            "seats": [{"seat_id": "A-1-2"}],
        });
        op(
            who,
            from,
            from + 100,
            "POST",
            "/api/v1/seats/reserve",
            Some((201, answer)),
        )
    }

    fn about(n: u128, method: &str, what: &str, from: u64, status: u16) -> Op {
        let path = format!("/api/v1/orders/{}/{what}", text(order(1, n)));
        op(
            "x",
            from,
            from + 100,
            method,
            &path,
            Some((status, Value::Null)),
        )
    }

    fn run(ops: Vec<Op>) -> usize {
        check(&Course {
            ops,
            ..Course::default()
        })
        .len()
    }

    #[test]
    fn one_seat_for_two_needs_a_reason() {
        let (ann, bob) = (reserve("ann", 1, 1_000), reserve("bob", 2, 5_000));
        assert_eq!(run(vec![ann.clone(), bob.clone()]), 1, "ann still has it");
        assert_eq!(
            run(vec![
                ann.clone(),
                about(1, "DELETE", "hold", 2_000, 200),
                bob.clone()
            ]),
            0
        );
        assert_eq!(
            run(vec![
                ann.clone(),
                about(1, "DELETE", "hold", 2_000, 503),
                bob.clone()
            ]),
            0
        );
        assert_eq!(
            run(vec![
                ann.clone(),
                about(1, "POST", "pay", 2_000, 200),
                bob.clone()
            ]),
            1
        );
        assert_eq!(
            run(vec![ann.clone(), reserve("bob", 2, 61_000)]),
            0,
            "ann's time was over"
        );
        let refunded = about(1, "POST", "refund", 3_000, 202);
        assert_eq!(
            run(vec![
                ann,
                about(1, "POST", "pay", 2_000, 200),
                refunded,
                bob
            ]),
            0
        );
    }
}
