//! All tries to pay, and an index of those that are owed a call.

use std::collections::BTreeSet;

use super::attempt::{Attempt, AttemptKey};
use crate::ids::Timestamp;
use crate::payment::PaymentDue;
use crate::table::Table;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Payments {
    attempts: Table<AttemptKey, Attempt>,
    owed: BTreeSet<(Timestamp, AttemptKey)>,
}

impl Payments {
    pub(crate) fn get(&self, key: AttemptKey) -> Option<&Attempt> {
        self.attempts.get(&key)
    }

    pub(crate) fn len(&self) -> usize {
        self.attempts.len()
    }

    pub(crate) fn sorted(&self) -> Vec<(AttemptKey, &Attempt)> {
        self.attempts.sorted()
    }

    pub(crate) fn insert(&mut self, key: AttemptKey, attempt: Attempt) {
        if attempt.owed().is_some() {
            self.owed.insert((attempt.since, key));
        }
        self.attempts.insert(key, attempt);
    }

    /// Forgets a try that is owed nothing; the others stay until they are settled.
    pub(crate) fn forget_settled(&mut self, key: AttemptKey) {
        if self
            .attempts
            .get(&key)
            .is_some_and(|attempt| attempt.owed().is_none())
        {
            self.attempts.remove(&key);
        }
    }

    /// Changes a try, and keeps the index true to it.
    pub(super) fn change<R>(
        &mut self,
        key: AttemptKey,
        change: impl FnOnce(&mut Attempt) -> R,
    ) -> Option<R> {
        let attempt = self.attempts.get_mut(&key)?;
        let before = attempt.owed().map(|_| attempt.since);
        let result = change(attempt);
        let after = attempt.owed().map(|_| attempt.since);
        if before != after {
            before.map(|since| self.owed.remove(&(since, key)));
            after.map(|since| self.owed.insert((since, key)));
        }
        Some(result)
    }

    /// Calls that are owed, oldest first.
    pub(crate) fn due(&self) -> impl Iterator<Item = PaymentDue> + '_ {
        self.owed.iter().filter_map(|(_, key)| {
            let attempt = self.attempts.get(key)?;
            Some(PaymentDue {
                order: key.order,
                step: attempt.owed()?,
                attempt: key.attempt,
                amount: attempt.amount,
                currency: attempt.currency,
                method: attempt.method.clone(),
                reference: attempt.reference.clone(),
                unknown: attempt.unknown,
            })
        })
    }

    /// Whether the index lists exactly the tries that are owed a call.
    pub(crate) fn index_is_true(&self) -> bool {
        let owed: BTreeSet<_> = self
            .attempts
            .sorted()
            .into_iter()
            .filter(|(_, attempt)| attempt.owed().is_some())
            .map(|(key, attempt)| (attempt.since, key))
            .collect();
        owed == self.owed
    }
}
