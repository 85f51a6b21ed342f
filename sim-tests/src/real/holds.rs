//! P3, P5: a hold that was told is there until the moment that was told, whoever died meanwhile.
//!
//! When the evidence is gathered all holds have ended, so this is judged from what buyers heard
//! when they came to pay: "unknown" or "expired" before the deadline they had been told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::Reply;
use crate::history::{History, Op, Told};

const RESERVE: &str = "/api/v1/seats/reserve";

/// Answers to a buyer who pays in time that deny the hold.
const DENIALS: [&str; 2] = ["ORDER_UNKNOWN", "HOLD_EXPIRED"];

/// What is wrong with a sale that began, by its history's clock, at this wall clock's time.
pub fn check(history: &History, began_ms: u64) -> Vec<String> {
    let held: BTreeMap<String, u64> = history
        .all_yes()
        .into_iter()
        .filter(|yes| yes.told == Told::Held)
        .map(|yes| (yes.order, yes.held_until_ms))
        .collect();
    let ops = history.ops();
    let buyers = buyers(&ops);
    let given_back = given_back(&ops);
    let mut wrong = Vec::new();
    for op in &ops {
        let (Some(order), Reply::Answered(..)) = (order_of(&op.path, "/pay"), &op.reply) else {
            continue;
        };
        // To everybody else the order is unknown as long as it lives: see `abuse_is_refused`.
        if buyers.get(order) != Some(&op.token.as_str()) {
            continue;
        }
        if given_back.get(order).is_some_and(|at| *at <= op.returned) {
            continue;
        }
        let (code, until) = (op.reply.code(), held.get(order).copied().unwrap_or(0));
        let heard_ms = began_ms + op.returned.as_millis() as u64;
        if DENIALS.contains(&code.as_str()) && heard_ms < until {
            let early = until - heard_ms;
            wrong.push(format!(
                "{order} was told {code} {early} ms before its hold was to end"
            ));
        }
    }
    wrong
}

/// Who reserved each order: the token they showed.
fn buyers(ops: &[Op]) -> BTreeMap<String, &str> {
    let granted = ops.iter().filter_map(|op| match &op.reply {
        Reply::Answered(201, answer) if op.path == RESERVE => {
            Some((answer["order_id"].as_str()?.to_owned(), op.token.as_str()))
        }
        _ => None,
    });
    granted.collect()
}

/// When each order's seats were first asked to be given back, by anybody who might.
fn given_back(ops: &[Op]) -> BTreeMap<&str, Duration> {
    let mut first = BTreeMap::new();
    let buyers = buyers(ops);
    for op in ops.iter().filter(|op| op.method == "DELETE") {
        if let Some(order) = order_of(&op.path, "/hold")
            && buyers.get(order) == Some(&op.token.as_str())
        {
            let at = first.entry(order).or_insert(op.invoked);
            *at = op.invoked.min(*at);
        }
    }
    first
}

/// The order whose part with this name is asked for.
fn order_of<'a>(path: &'a str, part: &str) -> Option<&'a str> {
    path.strip_prefix("/api/v1/orders/")?.strip_suffix(part)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::history::Yes;

    const BEGAN_MS: u64 = 10_000;
    const UNTIL_MS: u64 = 10_500;

    /// A sale in which ann has an order that was told as held until `UNTIL_MS`.
    fn told() -> History {
        let history = History::new(|| Duration::ZERO);
        history.yes(Yes {
            told: Told::Held,
            order: "a".to_owned(),
            seats: Vec::new(),
            amount: 1,
            held_until_ms: UNTIL_MS,
            tickets: Vec::new(),
        });
        let reply = Reply::Answered(201, json!({ "order_id": "a" }));
        history.op(asked("ann", "POST", RESERVE, 0, reply));
        history
    }

    fn asked(who: &str, method: &str, path: &str, at: u64, reply: Reply) -> Op {
        Op {
            who: who.to_owned(),
            token: format!("token of {who}"),
            invoked: Duration::from_millis(at),
            returned: Duration::from_millis(at),
            method: method.to_owned(),
            path: path.to_owned(),
            key: None,
            body: Value::Null,
            reply,
        }
    }

    fn pay(who: &str, at: u64, code: &str) -> Op {
        let reply = Reply::Answered(409, json!({ "error": code }));
        asked(who, "POST", "/api/v1/orders/a/pay", at, reply)
    }

    #[test]
    fn a_hold_denied_before_its_deadline_is_found_and_one_denied_after_it_is_not() {
        let history = told();
        history.op(pay("ann", 500, "HOLD_EXPIRED"));
        history.op(pay("ann", 499, "PAYMENT_DECLINED"));
        assert!(check(&history, BEGAN_MS).is_empty());
        history.op(pay("ann", 499, "ORDER_UNKNOWN"));
        assert_eq!(check(&history, BEGAN_MS).len(), 1);
    }

    #[test]
    fn who_pays_for_somebody_elses_order_is_told_that_there_is_none() {
        let history = told();
        history.op(pay("bob", 100, "ORDER_UNKNOWN"));
        assert!(check(&history, BEGAN_MS).is_empty());
    }

    #[test]
    fn a_hold_that_its_buyer_gave_back_may_be_denied_from_then_on_and_not_by_a_strangers_wish() {
        let give_back = |who: &str, at| {
            let reply = Reply::Unknown;
            asked(who, "DELETE", "/api/v1/orders/a/hold", at, reply)
        };
        let history = told();
        history.op(give_back("bob", 50));
        history.op(give_back("ann", 200));
        history.op(pay("ann", 300, "ORDER_UNKNOWN"));
        assert!(check(&history, BEGAN_MS).is_empty());
        history.op(pay("ann", 100, "ORDER_UNKNOWN"));
        assert_eq!(check(&history, BEGAN_MS).len(), 1);
    }
}
