//! Raft's own safety (Ongaro 2014, §3.2): at most one leader a term; a committed entry is the same
//! on every replica, for ever; a machine applies every index once, in order, and terms only grow.

use std::collections::BTreeMap;

use super::Course;

/// What has been seen of consensus so far.
#[derive(Debug, Default)]
pub struct Safety {
    leaders: BTreeMap<(u32, u64), usize>,
    /// Where each replica's machine stands: index and term.
    at: BTreeMap<(usize, u32), (u64, u64)>,
    /// What must not have been.
    pub broken: Vec<String>,
}

impl Safety {
    /// A node leads a group in a term.
    pub fn leads(&mut self, node: usize, group: u32, term: u64) {
        let other = *self.leaders.entry((group, term)).or_insert(node);
        if other != node {
            self.broken.push(format!(
                "group {group} has two leaders of term {term}: nodes {} and {}",
                other + 1,
                node + 1
            ));
        }
    }

    /// A machine begins after `index`. Only a start may take it back.
    pub fn begins(&mut self, node: usize, group: u32, index: u64, at_start: bool) {
        let (before, term) = self.at.get(&(node, group)).copied().unwrap_or_default();
        if !at_start && index < before {
            self.broken.push(format!(
                "group {group}: node {} went back from {before} to a snapshot of {index}",
                node + 1
            ));
        }
        let term = if at_start { 0 } else { term };
        self.at.insert((node, group), (index, term));
    }

    /// A machine applies an entry.
    pub fn applies(&mut self, node: usize, group: u32, index: u64, term: u64) {
        let (before, old_term) = self
            .at
            .insert((node, group), (index, term))
            .unwrap_or_default();
        if index != before + 1 && (before, index) != (0, 0) {
            self.broken.push(format!(
                "group {group}: node {} applied {index} after {before}",
                node + 1
            ));
        }
        if term < old_term {
            self.broken.push(format!(
                "group {group}: entry {index} is of term {term}, the one before of {old_term}"
            ));
        }
    }

    /// An entry is not what another replica applied at its place.
    pub fn changed(&mut self, node: usize, group: u32, index: u64) {
        self.broken.push(format!(
            "group {group}: node {} applied another entry {index} than others did",
            node + 1
        ));
    }
}

pub(super) fn check(course: &Course) -> Vec<String> {
    course.unsafe_acts.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_may_go_back_and_nothing_else_may() {
        let mut safety = Safety::default();
        safety.begins(0, 1, 0, true);
        (1..=5).for_each(|index| safety.applies(0, 1, index, 1));
        safety.begins(0, 1, 3, true);
        safety.applies(0, 1, 4, 1);
        safety.begins(0, 1, 9, false);
        safety.applies(0, 1, 10, 2);
        safety.leads(0, 1, 1);
        safety.leads(0, 1, 1);
        assert!(safety.broken.is_empty(), "{:?}", safety.broken);

        safety.applies(0, 1, 12, 2);
        safety.applies(0, 1, 13, 1);
        safety.begins(0, 1, 4, false);
        safety.leads(1, 1, 1);
        safety.changed(1, 1, 5);
        assert_eq!(safety.broken.len(), 5, "{:?}", safety.broken);
    }
}
