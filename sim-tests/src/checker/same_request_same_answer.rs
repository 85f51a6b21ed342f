//! P8: the same request gets the same answer: one key is one order with the same seats, one order
//! has the same tickets, however often and through whichever door it is asked for.

use std::collections::BTreeMap;

use super::Course;
use crate::client::Reply;

pub(super) fn check(course: &Course) -> Vec<String> {
    let posts = |op: &crate::history::Op| op.method == "POST" && op.path != "/dev/token";
    let mut wrong = Vec::new();
    for ((who, key, path), ops) in course.requests(posts) {
        let mut said: BTreeMap<(String, String), u64> = BTreeMap::new();
        for op in ops {
            let Reply::Answered(200 | 201, body) = &op.reply else {
                continue;
            };
            let facts = ["event_id", "order_id", "seats", "price", "ticket_ids"];
            let facts = facts.map(|field| body[field].to_string());
            *said
                .entry((op.body.to_string(), facts.join(" ")))
                .or_default() += 1;
        }
        let keyed = !key.is_empty() || path.contains("/orders/");
        let mut bodies: Vec<_> = said.keys().map(|(body, _)| body).collect();
        bodies.dedup();
        if keyed && said.len() > bodies.len() {
            wrong.push(format!(
                "{who} {path} {key}: {:?}",
                said.keys().collect::<Vec<_>>()
            ));
        }
        if path == "/api/v1/seats/reserve" && keyed && bodies.len() > 1 {
            wrong.push(format!("{who} reserved {bodies:?} with one key"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::checker::hand::op;
    use crate::history::Op;

    fn reserve(key: &str, wish: Value, order: &str) -> Op {
        let answer = Some((201, json!({"order_id": order})));
        Op {
            key: Some(key.to_owned()),
            body: wish,
            ..op("ann", 0, 1, "POST", "/api/v1/seats/reserve", answer)
        }
    }

    #[test]
    fn a_key_is_one_order() {
        let run = |ops| {
            check(&Course {
                ops,
                ..Course::default()
            })
            .len()
        };
        assert_eq!(
            run(vec![
                reserve("k", json!(1), "a"),
                reserve("k", json!(1), "a")
            ]),
            0
        );
        assert_eq!(
            run(vec![
                reserve("k", json!(1), "a"),
                reserve("l", json!(1), "b")
            ]),
            0
        );
        assert_eq!(
            run(vec![
                reserve("k", json!(1), "a"),
                reserve("k", json!(1), "b")
            ]),
            1
        );
        assert_eq!(
            run(vec![
                reserve("k", json!(1), "a"),
                reserve("k", json!(2), "a")
            ]),
            1
        );
    }
}
