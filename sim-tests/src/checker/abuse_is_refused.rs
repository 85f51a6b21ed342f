//! §12: what must not be granted is refused, by name: tokens that are forged, over, somebody
//! else's or for another event, orders of others, keys used for something else, more than one may
//! have. An answer that never came, or that asks to come again, proves nothing.

use super::Course;
use crate::client::Reply;

pub(super) fn check(course: &Course) -> Vec<String> {
    let granted = course.trespasses.iter().filter_map(|trespass| {
        let Reply::Answered(status, _) = &trespass.reply else {
            return None;
        };
        let code = trespass.reply.code();
        // A node that has just come to the cluster may not have heard of anything yet.
        let behind = code == "EVENT_UNKNOWN";
        // Whose token is over, perhaps because a clock leapt, is a stranger and gets nothing either.
        let stranger = code == "UNAUTHENTICATED";
        let later = *status >= 500 || *status == 429 || behind || stranger;
        let refused = trespass.allowed.contains(&code.as_str());
        (!later && !refused).then(|| {
            format!(
                "{} tried {} and was told {code}, not {:?}",
                trespass.who, trespass.what, trespass.allowed
            )
        })
    });
    granted.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::history::Trespass;

    #[test]
    fn a_refusal_by_another_name_is_none() {
        let run = |status, body| {
            let mut course = Course::default();
            course.trespasses.push(Trespass {
                who: "eve".to_owned(),
                what: "another's order".to_owned(),
                reply: Reply::Answered(status, body),
                allowed: &["ORDER_UNKNOWN"],
            });
            check(&course).len()
        };
        assert_eq!(run(404, json!({"error": "ORDER_UNKNOWN"})), 0);
        assert_eq!(run(503, json!({"error": "OVERLOADED"})), 0);
        assert_eq!(run(200, json!({"status": "paid"})), 1);
        assert_eq!(run(409, json!({"error": "SEAT_TAKEN"})), 1);
    }
}
