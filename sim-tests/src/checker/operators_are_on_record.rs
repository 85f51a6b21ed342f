//! Issue 4: every change that an operator was granted stands in the trail, once, under its request; the
//! trail is the same on every replica, and its numbers have no gaps and its times never go back.

use super::Evidence;

/// A line of a replica's trail: number, time, request, action.
pub type Line = (u64, u64, String, String);

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some((first, others)) = evidence.trails.split_first() else {
        return wrong;
    };
    if others.iter().any(|other| other != first) {
        wrong.push("replicas tell different trails".to_owned());
    }
    for pair in first.windows(2) {
        if pair[1].0 != pair[0].0 + 1 || pair[1].1 < pair[0].1 {
            wrong.push(format!("{:?} is followed by {:?}", pair[0], pair[1]));
        }
    }
    for (request, action) in &evidence.granted {
        let lines = first.iter().filter(|line| line.2 == *request);
        let actions: Vec<_> = lines.map(|line| line.3.as_str()).collect();
        if actions != [action.as_str()] {
            wrong.push(format!(
                "{action} was granted to {request}, and the trail says {actions:?}"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, at: u64, request: &str) -> Line {
        (number, at, request.to_owned(), "key.create".to_owned())
    }

    #[test]
    fn what_was_granted_stands_there_once_and_in_order_everywhere() {
        let judged = |trails: Vec<Vec<Line>>| {
            let granted = vec![("r1".to_owned(), "key.create".to_owned())];
            check(&Evidence {
                granted,
                trails,
                ..Evidence::default()
            })
            .len()
        };
        let good = vec![line(7, 1, "r0"), line(8, 1, "r1")];
        assert_eq!(judged(vec![good.clone(), good.clone()]), 0);
        assert_eq!(judged(vec![good.clone(), Vec::new()]), 1);
        assert_eq!(judged(vec![vec![line(1, 1, "r0")]]), 1, "forgotten");
        assert_eq!(
            judged(vec![vec![line(1, 1, "r1"), line(2, 1, "r1")]]),
            1,
            "twice"
        );
        assert_eq!(
            judged(vec![vec![line(1, 1, "r1"), line(3, 1, "r2")]]),
            1,
            "a gap"
        );
        assert_eq!(
            judged(vec![vec![line(1, 2, "r1"), line(2, 1, "r2")]]),
            1,
            "back in time"
        );
    }
}
