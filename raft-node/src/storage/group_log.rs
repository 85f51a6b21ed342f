//! The shape of one group's log, without the disk: what was appended, cut off and purged.
//!
//! Three places keep one: readers (items are payloads), the writer (items say which segment an
//! entry lives in) and recovery (both). They agree because they share these rules.
//!
//! Invariants: the items are the entries `first..first + items.len()`, without holes; `last` is
//! the last of them, or the purge point when there is none; a purge point never goes back.

use std::collections::VecDeque;

use super::wal::record::{Checkpoint, EntryId, Vote};

/// One group's log. `T` is what is remembered of each entry.
#[derive(Clone, Debug)]
pub(crate) struct GroupLog<T> {
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<EntryId>,
    pub(crate) committed: Option<EntryId>,
    pub(crate) last: Option<EntryId>,
    first: u64,
    items: VecDeque<T>,
}

/// An append that would leave a hole or overwrite an entry.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("entry {found} does not follow the log, which expects {expected}")]
pub(crate) struct OutOfOrder {
    pub(crate) expected: u64,
    pub(crate) found: u64,
}

impl<T> Default for GroupLog<T> {
    fn default() -> Self {
        Self {
            vote: None,
            purged: None,
            committed: None,
            last: None,
            first: 0,
            items: VecDeque::new(),
        }
    }
}

impl<T> GroupLog<T> {
    /// A log as a checkpoint describes it; `unseen` stands for each entry it speaks of.
    pub(crate) fn from_checkpoint(checkpoint: &Checkpoint, unseen: impl Fn() -> T) -> Self {
        let held = checkpoint
            .last
            .map_or(0, |last| (last.index + 1).saturating_sub(checkpoint.first));
        Self {
            vote: checkpoint.vote,
            purged: checkpoint.purged,
            committed: checkpoint.committed,
            last: checkpoint.last,
            first: checkpoint.first,
            items: (0..held).map(|_| unseen()).collect(),
        }
    }

    /// What a new segment must know of this log to stand without the older ones.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            vote: self.vote,
            purged: self.purged,
            committed: self.committed,
            first: self.first,
            last: self.last,
        }
    }

    /// Index of the first entry held (or, when none is, of the next one).
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// One past the last entry held.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// The entries held, in order.
    pub(crate) fn items(&self) -> impl Iterator<Item = (u64, &T)> {
        (self.first..).zip(&self.items)
    }

    /// What is remembered of one entry.
    pub(crate) fn get(&self, index: u64) -> Option<&T> {
        let at = index.checked_sub(self.first)?;
        self.items.get(usize::try_from(at).ok()?)
    }

    /// What is remembered of one entry, to change it.
    pub(crate) fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        let at = index.checked_sub(self.first)?;
        self.items.get_mut(usize::try_from(at).ok()?)
    }

    /// Adds an entry behind the last one. An empty log that never held anything may begin
    /// anywhere; after that there are no holes.
    pub(crate) fn append(&mut self, id: EntryId, item: T) -> Result<(), OutOfOrder> {
        match self.last {
            Some(last) if id.index != last.index + 1 => {
                return Err(OutOfOrder {
                    expected: last.index + 1,
                    found: id.index,
                });
            }
            _ if self.items.is_empty() => self.first = id.index,
            _ => {}
        }
        self.items.push_back(item);
        self.last = Some(id);
        Ok(())
    }

    /// Cuts off everything behind `after`; answers what was cut.
    pub(crate) fn truncate_after(&mut self, after: Option<EntryId>) -> VecDeque<T> {
        let keep = after.map_or(0, |after| (after.index + 1).saturating_sub(self.first));
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        if keep >= self.items.len() {
            return VecDeque::new();
        }
        let cut = self.items.split_off(keep);
        self.last = if self.items.is_empty() {
            self.purged
        } else {
            after
        };
        cut
    }

    /// Forgets everything up to and including `upto`; answers what was forgotten.
    pub(crate) fn purge(&mut self, upto: EntryId) -> VecDeque<T> {
        if self.purged.is_some_and(|purged| purged.index >= upto.index) {
            return VecDeque::new();
        }
        let forget = (upto.index + 1).saturating_sub(self.first);
        let forget = usize::try_from(forget)
            .unwrap_or(usize::MAX)
            .min(self.items.len());
        let rest = self.items.split_off(forget);
        let gone = std::mem::replace(&mut self.items, rest);
        self.purged = Some(upto);
        self.first = upto.index + 1;
        if self.items.is_empty() {
            self.last = Some(upto);
        }
        gone
    }

    /// The same log, remembering something else of each entry.
    pub(crate) fn map<U>(&self, change: impl FnMut(&T) -> U) -> GroupLog<U> {
        GroupLog {
            vote: self.vote,
            purged: self.purged,
            committed: self.committed,
            last: self.last,
            first: self.first,
            items: self.items.iter().map(change).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(term: u64, index: u64) -> EntryId {
        EntryId { term, index }
    }

    #[test]
    fn a_log_cut_to_nothing_remembers_only_its_purge_point() {
        let mut log = GroupLog::default();
        for index in 5..10 {
            log.append(id(1, index), index).unwrap();
        }
        assert_eq!(
            log.append(id(1, 11), 11).unwrap_err().expected,
            10,
            "no holes"
        );
        assert_eq!(
            log.append(id(1, 9), 9).unwrap_err().expected,
            10,
            "no overwriting"
        );

        assert_eq!(log.purge(id(1, 6)), [5, 6]);
        assert!(
            log.purge(id(1, 5)).is_empty(),
            "a purge point never goes back"
        );
        assert_eq!((log.first(), log.end(), log.get(7)), (7, 10, Some(&7)));

        assert!(
            log.truncate_after(Some(id(1, 20))).is_empty(),
            "nothing lies behind it"
        );
        assert_eq!(log.truncate_after(Some(id(1, 7))), [8, 9]);
        assert_eq!(log.last, Some(id(1, 7)));
        assert_eq!(log.truncate_after(Some(id(1, 6))), [7]);
        assert_eq!(log.last, Some(id(1, 6)));

        log.append(id(2, 7), 70).unwrap();
        assert_eq!(
            log.purge(id(3, 40)),
            [70],
            "a snapshot may jump ahead of the log"
        );
        assert_eq!(
            (log.last, log.first(), log.end()),
            (Some(id(3, 40)), 41, 41)
        );
    }
}
