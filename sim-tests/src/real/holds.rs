//! P3, P5: a hold that was told is there until the moment that was told, whoever died meanwhile.
//!
//! When the evidence is gathered all holds have ended, so this is judged from what buyers heard
//! when they came to pay: "unknown" or "expired" before the deadline they had been told.

use std::collections::BTreeMap;

use crate::client::Reply;
use crate::history::{History, Told};

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
    let mut wrong = Vec::new();
    for op in history.ops() {
        let order = op.path.strip_prefix("/api/v1/orders/");
        let order = order.and_then(|rest| rest.strip_suffix("/pay"));
        let (Some(order), Reply::Answered(..)) = (order, &op.reply) else {
            continue;
        };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::history::{Op, Yes};

    #[test]
    fn a_hold_denied_before_its_deadline_is_found_and_one_denied_after_it_is_not() {
        let history = History::new(|| Duration::ZERO);
        let hold = |order: &str| Yes {
            told: Told::Held,
            order: order.to_owned(),
            seats: Vec::new(),
            amount: 1,
            held_until_ms: 10_500,
            tickets: Vec::new(),
        };
        let pay = |order: &str, at: u64, code: &str| Op {
            who: "somebody".to_owned(),
            token: String::new(),
            invoked: Duration::from_millis(at),
            returned: Duration::from_millis(at),
            method: "POST".to_owned(),
            path: format!("/api/v1/orders/{order}/pay"),
            key: None,
            body: Value::Null,
            reply: Reply::Answered(409, json!({ "error": code })),
        };
        history.yes(hold("a"));
        history.yes(hold("b"));
        history.op(pay("a", 500, "HOLD_EXPIRED"));
        history.op(pay("a", 499, "PAYMENT_DECLINED"));
        assert!(check(&history, 10_000).is_empty());
        history.op(pay("b", 499, "ORDER_UNKNOWN"));
        assert_eq!(check(&history, 10_000).len(), 1);
    }
}
