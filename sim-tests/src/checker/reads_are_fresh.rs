//! Reads: a linearizable one shows the state of some moment between its question and its answer; a
//! local one shows a past, never a future, and no older one than it says.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::change::Change;
use ledger::command::CloseReason;
use ledger::{OrderId, SectionKey};

use super::Course;
use super::course::order_in;
use crate::client::Reply;
use crate::history::Op;

/// What an order looks like from outside: words that mean the same are one.
type Look = &'static str;

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut wrong = acknowledged(course);
    if !course.trail.is_empty() {
        wrong.extend(orders(course));
        wrong.extend(maps(course));
    }
    wrong
}

fn is_linearizable(op: &Op) -> bool {
    op.path.contains("consistency=linearizable")
}

fn look(status: &str) -> Look {
    match status {
        "pending" | "processing" => "open",
        "paid" => "paid",
        "refunded" => "refunded",
        "cancelled" => "cancelled",
        "expired" => "expired",
        "failed" => "failed",
        _ => "?",
    }
}

/// From answers alone: what was acknowledged before a linearizable read began is in it.
fn acknowledged(course: &Course) -> Vec<String> {
    let mut known: BTreeMap<OrderId, (Option<Duration>, Option<Duration>)> = BTreeMap::new();
    for op in &course.ops {
        let (Reply::Answered(200, _), Some(order)) = (&op.reply, order_in(&op.path)) else {
            continue;
        };
        let known = known.entry(order).or_default();
        let slot = match (op.method.as_str(), op.path.rsplit('/').next()) {
            ("POST", Some("pay")) => &mut known.0,
            ("DELETE", Some("hold")) => &mut known.1,
            _ => continue,
        };
        *slot = Some(slot.map_or(op.returned, |before| before.min(op.returned)));
    }
    let mut wrong = Vec::new();
    for op in course
        .ops
        .iter()
        .filter(|op| op.method == "GET" && is_linearizable(op))
    {
        let (Reply::Answered(200, body), Some(order)) = (&op.reply, order_in(&op.path)) else {
            continue;
        };
        let status = body["status"].as_str().unwrap_or_default();
        let (paid, closed) = known.get(&order).copied().unwrap_or_default();
        let was = |at: Option<Duration>| at.is_some_and(|at| at < op.invoked);
        // A refund reads as processing, then as refunded.
        let unpaid = was(paid) && matches!(status, "pending" | "cancelled" | "expired" | "failed");
        let unclosed = was(closed) && matches!(status, "pending" | "processing" | "paid");
        if unpaid || unclosed {
            wrong.push(format!(
                "{}: {order} reads as {status} after it was answered otherwise",
                op.who
            ));
        }
    }
    wrong
}

/// Reads of orders against what the log made of them.
fn orders(course: &Course) -> Vec<String> {
    let mut looks: BTreeMap<OrderId, Vec<(Duration, Look)>> = BTreeMap::new();
    for (entry, fact) in course.facts() {
        let Some(order) = fact.order() else { continue };
        let look = match fact {
            Change::OrderPaid { .. } => "paid",
            Change::OrderClosed { why, .. } => match why {
                CloseReason::Cancelled => "cancelled",
                CloseReason::Expired => "expired",
                _ => "failed",
            },
            Change::OrderRefunded { .. } => "refunded",
            _ => "open",
        };
        looks
            .entry(order.order)
            .or_default()
            .push((entry.applied_at, look));
    }
    let mut wrong = Vec::new();
    for op in course.ops.iter().filter(|op| op.method == "GET") {
        let (Reply::Answered(200, body), Some(order)) = (&op.reply, order_in(&op.path)) else {
            continue;
        };
        let seen = look(body["status"].as_str().unwrap_or_default());
        let past = looks.get(&order).map_or(&[][..], Vec::as_slice);
        let known = past.partition_point(|(at, _)| *at <= op.returned);
        let from = match is_linearizable(op) {
            true => past
                .partition_point(|(at, _)| *at <= op.invoked)
                .saturating_sub(1),
            false => 0,
        };
        if !past[from..known].iter().any(|(_, look)| *look == seen) {
            wrong.push(format!(
                "{} read {order} as {seen} between {:?} and {:?}; it was {:?}",
                op.who,
                op.invoked,
                op.returned,
                &past[from..]
            ));
        }
    }
    wrong
}

/// Seat maps of one section, by its revision.
fn maps(course: &Course) -> Vec<String> {
    let mut revisions: BTreeMap<SectionKey, Vec<(Duration, u64)>> = BTreeMap::new();
    for entry in &course.trail {
        for section in &entry.sections {
            let known = revisions.entry(section.key).or_default();
            known.push((entry.applied_at, section.revision));
        }
    }
    let mut wrong = Vec::new();
    for op in course
        .ops
        .iter()
        .filter(|op| op.method == "GET" && op.path.contains("/seats?section="))
    {
        let Reply::Answered(200, body) = &op.reply else {
            continue;
        };
        let section = &body["sections"][0];
        let number = course
            .sections
            .iter()
            .position(|name| section["name"] == name.as_str());
        let event = body["event_id"]
            .as_str()
            .and_then(|id| id.parse::<uuid::Uuid>().ok());
        let known = number.zip(event).and_then(|(number, event)| {
            revisions.iter().find(|(key, _)| {
                usize::from(key.section.0) == number && key.event.0 == event.as_u128()
            })
        });
        let (Some((_, past)), Some(told)) = (known, section["revision"].as_u64()) else {
            continue;
        };
        let age = Duration::from_millis(body["age_ms"].as_u64().unwrap_or(0));
        let since = match is_linearizable(op) {
            true => op.invoked,
            false => op.invoked.saturating_sub(age),
        };
        let floor = past
            .iter()
            .filter(|(at, _)| *at <= since)
            .map(|(_, revision)| *revision)
            .max();
        let ceiling = past
            .iter()
            .filter(|(at, _)| *at <= op.returned)
            .map(|(_, revision)| *revision)
            .max();
        if floor.is_some_and(|floor| told < floor) || ceiling.is_none_or(|ceiling| told > ceiling) {
            wrong.push(format!(
                "{} {} at {:?} was shown revision {told}, said to be {age:?} old; then it was {floor:?}, at the answer {ceiling:?}",
                op.who, op.path, op.invoked
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checker::hand::{entry, op, order, text, with};

    fn run(path: &str, status: &str, from: u64) -> usize {
        let of = order(1, 1);
        let opened = entry(1, 1, 100, vec![Change::OrderOpened { order: of }]);
        let paid = entry(
            1,
            2,
            500,
            vec![Change::OrderPaid {
                order: of,
                amount: 1,
            }],
        );
        let mut course = with(vec![opened, paid]);
        let path = format!("/api/v1/orders/{}{path}", text(of));
        course.ops.push(op(
            "ann",
            from,
            from + 50,
            "GET",
            &path,
            Some((200, json!({"status": status}))),
        ));
        check(&course).len()
    }

    #[test]
    fn a_linearizable_read_shows_a_moment_between_question_and_answer() {
        let fresh = "?consistency=linearizable";
        assert_eq!(run(fresh, "pending", 200), 0);
        assert_eq!(run(fresh, "paid", 600), 0);
        assert_eq!(run(fresh, "paid", 480), 0, "it changed in between");
        assert_eq!(run(fresh, "pending", 480), 0);
        assert_eq!(run(fresh, "pending", 600), 1, "stale");
        assert_eq!(run(fresh, "paid", 200), 1, "the future");
    }

    #[test]
    fn a_local_read_may_be_stale_and_never_early() {
        assert_eq!(run("", "pending", 600), 0);
        assert_eq!(run("", "paid", 200), 1);
    }

    #[test]
    fn an_answer_given_before_the_question_is_in_the_answer() {
        let path = format!("/api/v1/orders/{}", text(order(1, 1)));
        let mut course = with(Vec::new());
        course.ops.push(op(
            "ann",
            0,
            100,
            "POST",
            &format!("{path}/pay"),
            Some((200, json!({}))),
        ));
        let read = format!("{path}?consistency=linearizable");
        let reads = |at, status: &str| {
            op(
                "bob",
                at,
                at + 9,
                "GET",
                &read,
                Some((200, json!({"status": status}))),
            )
        };
        course.ops.push(reads(50, "pending"));
        course.ops.push(reads(150, "paid"));
        assert_eq!(check(&course).len(), 0);
        course.ops.push(reads(150, "pending"));
        assert_eq!(check(&course).len(), 1);
    }
}
