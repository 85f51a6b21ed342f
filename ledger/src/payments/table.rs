//! All tries to pay, and an index of those that are owed a call.

use std::collections::BTreeSet;

use super::attempt::{Attempt, AttemptKey};
use crate::ids::{Halves, OrderId, Timestamp};
use crate::payment::{PaymentDue, PaymentStep};
use crate::slab::{Keyed, Slab};

/// A try as stored: 64 bytes.
#[derive(Clone, Debug)]
struct Record {
    order: Halves,
    attempt: Attempt,
}

const _: () = assert!(size_of::<Option<Record>>() <= 64);

impl Keyed for Record {
    type Key = AttemptKey;

    fn key(&self) -> AttemptKey {
        AttemptKey {
            order: OrderId(self.order.id()),
            attempt: self.attempt.number,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Payments {
    attempts: Slab<Record>,
    owed: BTreeSet<(Timestamp, AttemptKey)>,
}

impl Payments {
    pub(crate) fn get(&self, key: AttemptKey) -> Option<&Attempt> {
        self.attempts.get(&key).map(|record| &record.attempt)
    }

    pub(crate) fn len(&self) -> usize {
        self.attempts.len()
    }

    pub(crate) fn sorted(&self) -> Vec<(AttemptKey, &Attempt)> {
        let all = self.attempts.sorted().into_iter();
        all.map(|record| (record.key(), &record.attempt)).collect()
    }

    pub(crate) fn insert(&mut self, order: OrderId, attempt: Attempt) {
        let order = Halves::of(order.0);
        let record = Record { order, attempt };
        if record.attempt.owed().is_some() {
            self.owed.insert((record.attempt.since, record.key()));
        }
        self.attempts.put(record);
    }

    /// Forgets a try that is owed nothing; the others stay until they are settled.
    pub(crate) fn forget_settled(&mut self, key: AttemptKey) {
        if self
            .get(key)
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
        let attempt = &mut self.attempts.get_mut(&key)?.attempt;
        let before = attempt.owed().map(|_| attempt.since);
        let result = change(attempt);
        let after = attempt.owed().map(|_| attempt.since);
        if before != after {
            before.map(|since| self.owed.remove(&(since, key)));
            after.map(|since| self.owed.insert((since, key)));
        }
        Some(result)
    }

    /// Tries that are owed a call.
    pub(crate) fn owed_count(&self) -> usize {
        self.owed.len()
    }

    /// Calls that are owed and `wanted`, oldest first.
    pub(crate) fn due(
        &self,
        mut wanted: impl FnMut(OrderId, PaymentStep, u8) -> bool,
    ) -> impl Iterator<Item = PaymentDue> {
        self.owed.iter().filter_map(move |(_, key)| {
            let attempt = self.get(*key)?;
            let step = attempt.owed()?;
            if !wanted(key.order, step, key.attempt) {
                return None;
            }
            Some(PaymentDue {
                order: key.order,
                step,
                attempt: key.attempt,
                amount: attempt.amount,
                currency: attempt.currency,
                method: attempt.method.as_str().to_owned(),
                reference: attempt.reference.clone().into(),
                unknown: attempt.unknown,
            })
        })
    }

    /// Whether the index lists exactly the tries that are owed a call.
    pub(crate) fn index_is_true(&self) -> bool {
        let owed: BTreeSet<_> = self
            .sorted()
            .into_iter()
            .filter(|(_, attempt)| attempt.owed().is_some())
            .map(|(key, attempt)| (attempt.since, key))
            .collect();
        owed == self.owed
    }
}
