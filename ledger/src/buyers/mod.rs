//! P7: limits a person. Kept where all orders of one person for one event live (their home), so
//! they hold over all sections without asking anybody.

use crate::command::Pass;
use crate::ids::{BuyerId, EventId, Timestamp};
use crate::outcome::Rejection;
use crate::table::Table;

/// A person at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuyerKey {
    /// The show.
    pub event: EventId,
    /// Who.
    pub buyer: BuyerId,
}

/// What is remembered of a person at an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Buyer {
    /// Places of all their orders that are not over, paid ones included.
    pub places: u16,
    /// The session their pass was spent on. One place a person, so never another one.
    pub session: Option<Pass>,
}

/// All people who reserved something.
#[derive(Clone, Debug, Default)]
pub struct Buyers {
    table: Table<BuyerKey, Buyer>,
}

impl Buyers {
    /// What is remembered of a person.
    pub fn get(&self, key: BuyerKey) -> Buyer {
        self.table.get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn sorted(&self) -> Vec<(BuyerKey, &Buyer)> {
        self.table.sorted()
    }

    pub(crate) fn restore(&mut self, key: BuyerKey, buyer: Buyer) {
        self.table.insert(key, buyer);
    }

    /// The session `pass` opens or continues. A pass is worth one session: while it lasts, it may
    /// serve several orders; no second pass of the same person is taken.
    pub(crate) fn check_pass(
        &self,
        key: BuyerKey,
        pass: Option<Pass>,
        now: Timestamp,
    ) -> Result<Pass, Rejection> {
        let pass = pass.ok_or(Rejection::PassRequired)?;
        let session = self.get(key).session;
        // The session ends when its pass first said so, whatever a later copy of it says.
        let until = session.map_or(pass.until, |session| session.until.min(pass.until));
        match session {
            Some(session) if session.index != pass.index => Err(Rejection::PassSpent),
            _ if now >= until => Err(Rejection::PassExpired),
            Some(session) => Ok(session),
            None => Ok(pass),
        }
    }

    /// Whether `places` more are allowed.
    pub(crate) fn check_allowance(
        &self,
        key: BuyerKey,
        places: u16,
        max: u16,
    ) -> Result<(), Rejection> {
        let left = max.saturating_sub(self.get(key).places);
        if places > left {
            Err(Rejection::BuyerSeatsMax { left })
        } else {
            Ok(())
        }
    }

    /// Takes `places` from the allowance, and spends the pass. Checked before.
    pub(crate) fn take(&mut self, key: BuyerKey, places: u16, session: Option<Pass>) {
        let buyer = self.table.get_or_insert_with(key, Buyer::default);
        buyer.places = buyer
            .places
            .checked_add(places)
            .expect("the allowance has 16 bits and was checked");
        buyer.session = session.or(buyer.session);
    }

    /// Gives `places` back.
    pub(crate) fn give_back(&mut self, key: BuyerKey, places: u16) {
        let Some(buyer) = self.table.get_mut(&key) else {
            return;
        };
        buyer.places = buyer
            .places
            .checked_sub(places)
            .expect("what is given back was taken before");
        if *buyer == Buyer::default() {
            self.table.remove(&key);
        }
    }
}
