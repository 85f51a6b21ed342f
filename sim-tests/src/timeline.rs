//! What happened to the orders that a violation names: who asked what, and what the log made of it.

use std::collections::BTreeSet;
use std::time::Duration;

use api::text;
use ledger::OrderId;

use crate::checker::Course;
use crate::checker::course::Entry;
use crate::history::Op;

/// Lines of one order, at most; the last ones are kept, for that is where it went wrong.
const LINES_MAX: usize = 40;

/// Orders, at most.
const ORDERS_MAX: usize = 3;

/// The lives of the orders that are named in `found`, line by line, in order of time.
pub fn of(found: &str, course: &Course) -> Vec<String> {
    let orders = named(found).into_iter().take(ORDERS_MAX);
    let lives = orders.map(|order| life(order, course));
    lives.flatten().collect()
}

/// Orders written as a UUID or as plain hex.
fn named(found: &str) -> BTreeSet<OrderId> {
    let words = found.split(|at: char| !at.is_ascii_hexdigit() && at != '-');
    words.filter_map(text::parse_order).collect()
}

fn life(order: OrderId, course: &Course) -> Vec<String> {
    let id = text::id(order.0);
    let about = |op: &&Op| op.path.contains(&id) || op.reply.says(&id);
    let asked = course.ops.iter().filter(about);
    let mut lines: Vec<_> = asked.map(|op| (op.returned, request(op))).collect();
    lines.extend(course.trail.iter().flat_map(|entry| acts(order, entry)));
    lines.sort();
    let skipped = lines.len().saturating_sub(LINES_MAX);
    let kept = lines.into_iter().skip(skipped);
    std::iter::once(format!("the life of {id} ({skipped} lines before)"))
        .chain(kept.map(|(at, line)| format!("  {:>10.3} {line}", at.as_secs_f64())))
        .collect()
}

fn request(op: &Op) -> String {
    let asked = op.invoked.as_secs_f64();
    let told = op.reply.code();
    format!(
        "{} {} {} (asked at {asked:.3}): {told}",
        op.who, op.method, op.path
    )
}

/// What an entry did to an order: the commands that name it, and what changed.
fn acts(order: OrderId, entry: &Entry) -> Vec<(Duration, String)> {
    let name = format!("{order:?}");
    let place = format!(
        "shard {} entry {} term {} stamp {}",
        entry.shard, entry.index, entry.term, entry.at.0
    );
    let mut lines = Vec::new();
    for act in &entry.acts {
        let command = format!("{:?}", act.command);
        let facts = act.facts.iter().map(|fact| format!("{fact:?}"));
        let facts: Vec<_> = facts.filter(|fact| fact.contains(&name)).collect();
        if command.contains(&name) || !facts.is_empty() {
            lines.push((
                entry.applied_at,
                format!("{place}: {command} -> {:?} {facts:?}", act.outcome),
            ));
        }
    }
    lines
}
