//! P7: limits a person. Kept where all orders of one person for one event live (their home), so
//! they hold over all sections without asking anybody.

use std::collections::BTreeMap;

use probes::Bug;

use crate::command::Pass;
use crate::ids::{BuyerId, EventId, Halves, Timestamp};
use crate::outcome::Rejection;
use crate::slab::{Keyed, Slab};

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

/// All people who reserved something, event by event.
#[derive(Clone, Debug, Default)]
pub struct Buyers {
    events: BTreeMap<EventId, Slab<Person>>,
}

/// A person as stored: 40 bytes.
#[derive(Clone, Copy, Debug)]
struct Person {
    buyer: Halves,
    /// The pass's two numbers; of no meaning without a `session`.
    index: u64,
    until: Timestamp,
    places: u16,
    session: bool,
}

const _: () = assert!(size_of::<Option<Person>>() <= 40);

impl Keyed for Person {
    type Key = BuyerId;

    fn key(&self) -> BuyerId {
        BuyerId(self.buyer.id())
    }
}

impl Person {
    fn new(BuyerId(id): BuyerId, what: Buyer) -> Self {
        let (index, until) = match what.session {
            Some(Pass { index, until }) => (index, until),
            None => (0, Timestamp::default()),
        };
        Self {
            buyer: Halves::of(id),
            index,
            until,
            places: what.places,
            session: what.session.is_some(),
        }
    }

    fn what(&self) -> Buyer {
        let (index, until) = (self.index, self.until);
        Buyer {
            places: self.places,
            session: self.session.then_some(Pass { index, until }),
        }
    }
}

impl Buyers {
    /// What is remembered of a person.
    pub fn get(&self, key: BuyerKey) -> Buyer {
        let person = self
            .events
            .get(&key.event)
            .and_then(|people| people.get(&key.buyer));
        person.map(Person::what).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.events.values().map(Slab::len).sum()
    }

    /// Everybody, by event and person. Costs a sort.
    pub(crate) fn sorted(&self) -> Vec<(BuyerKey, Buyer)> {
        let mut all = Vec::with_capacity(self.len());
        for (event, people) in &self.events {
            all.extend(people.sorted().into_iter().map(|person| {
                let (event, buyer) = (*event, person.key());
                (BuyerKey { event, buyer }, person.what())
            }));
        }
        all
    }

    pub(crate) fn restore(&mut self, key: BuyerKey, buyer: Buyer) {
        let people = self.events.entry(key.event).or_default();
        people.put(Person::new(key.buyer, buyer));
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
            Some(session) => {
                probes::reached(probes::Mark::PassUsedAgain);
                Ok(session)
            }
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
        if places > left && !(places == left + 1 && probes::planted(Bug::AllowanceOffByOne)) {
            probes::reached(probes::Mark::AllowanceRefused);
            Err(Rejection::BuyerSeatsMax { left })
        } else {
            Ok(())
        }
    }

    /// Takes `places` from the allowance, and spends the pass. Checked before.
    pub(crate) fn take(&mut self, key: BuyerKey, places: u16, session: Option<Pass>) {
        let people = self.events.entry(key.event).or_default();
        let (no, mut buyer) = match people.find(&key.buyer) {
            Some(no) => (Some(no), people.at(no).what()),
            None => (None, Buyer::default()),
        };
        buyer.places = buyer
            .places
            .checked_add(places)
            .expect("the allowance has 16 bits and was checked");
        buyer.session = session.or(buyer.session);
        let person = Person::new(key.buyer, buyer);
        match no {
            Some(no) => *people.at_mut(no) = person,
            None => drop(people.insert(person)),
        }
    }

    /// Gives `places` back.
    pub(crate) fn give_back(&mut self, key: BuyerKey, places: u16) {
        let Some(people) = self.events.get_mut(&key.event) else {
            return;
        };
        let Some(no) = people.find(&key.buyer) else {
            return;
        };
        let person = people.at_mut(no);
        person.places = person
            .places
            .checked_sub(places)
            .expect("what is given back was taken before");
        if person.what() == Buyer::default() {
            people.take(no);
        }
    }
}
