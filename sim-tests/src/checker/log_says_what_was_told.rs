//! P8: what a leader answered is what the log says: told again, it gives every outcome byte for
//! byte. Together with [`answers_follow_the_log`](super::answers_follow_the_log) the log is the
//! witness of a linearization: answers are the log's, and the log's order is real time's.

use super::Course;

pub(super) fn check(course: &Course) -> Vec<String> {
    course.retold.clone()
}
