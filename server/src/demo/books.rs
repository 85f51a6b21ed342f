//! The clients' own record: every grant, what became of it, and what was seen to be wrong on the
//! spot. The audit compares it with what the cluster and the provider say.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::audit_client::claims::Places;
use crate::audit_client::{Claim, Findings, Promise, Told};

/// A grant, and whatever its client needs to ask about it later.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the client was told.
    pub claim: Claim,
    /// Its bearer token's header line.
    pub headers: String,
    /// Milliseconds since 1970 until which the seats were promised.
    pub held_until_ms: i64,
}

/// Who was promised a seat, and until when.
#[derive(Clone, Copy, Debug)]
struct Holding {
    entry: usize,
    until_ms: i64,
    /// Its buyer did something that may have ended the hold early.
    given_up: bool,
    paid: bool,
}

/// The record.
#[derive(Debug)]
pub struct Books {
    entries: Vec<Entry>,
    holdings: HashMap<String, Holding>,
    positions: HashSet<u64>,
    /// Seen wrong by the clients themselves.
    pub seen: Findings,
    /// Tickets that verified.
    pub tickets_verified: u64,
    /// Answers that refused something, by code.
    pub refusals: BTreeMap<String, u64>,
    /// Reservations that nobody ever answered.
    pub reserves_unanswered: u64,
    /// When each person joined, in order.
    pub joins: Vec<Instant>,
    /// Microseconds of every answered reservation.
    pub reserve_micros: Histogram<u64>,
    /// When each reservation was granted, in order.
    pub grants: Vec<Instant>,
    /// When each reservation was answered, and after how many microseconds, in order.
    pub reserves: Vec<(Instant, u32)>,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            holdings: HashMap::new(),
            positions: HashSet::new(),
            seen: Findings::default(),
            tickets_verified: 0,
            refusals: BTreeMap::new(),
            reserves_unanswered: 0,
            joins: Vec::new(),
            reserve_micros: Histogram::new_with_max(120_000_000, 3)
                .expect("two minutes at three digits are valid bounds"),
            grants: Vec::new(),
            reserves: Vec::new(),
        }
    }
}

/// A new grant.
pub struct Grant {
    /// Its order.
    pub order: String,
    /// The event.
    pub event: String,
    /// What it holds.
    pub places: Places,
    /// Its price.
    pub amount: u64,
    /// The buyer's header line.
    pub headers: String,
    /// Until when, in ms since 1970.
    pub held_until_ms: i64,
    /// When the answer was there, in ms since 1970.
    pub answered_ms: i64,
}

impl Books {
    /// Someone joined.
    pub fn joined(&mut self) {
        self.joins.push(Instant::now());
    }

    /// Someone learned their place for the first time: nobody else may have it (P6).
    pub fn place_learned(&mut self, position: u64) {
        if !self.positions.insert(position) {
            self.seen
                .broken(Promise::P6, format!("two people have place {position}"));
        }
    }

    /// A place was `before` and is `now`: never further back (P6).
    pub fn place_moved(&mut self, before: u64, now: u64) {
        if now > before {
            self.seen
                .broken(Promise::P6, format!("a place went from {before} to {now}"));
        }
    }

    /// A reservation was answered.
    pub fn reserve_answered(&mut self, waited: Duration) {
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.reserve_micros.saturating_record(micros);
        let micros = u32::try_from(micros).unwrap_or(u32::MAX);
        self.reserves.push((Instant::now(), micros));
    }

    /// A reservation was granted. Its index.
    pub fn granted(&mut self, grant: Grant) -> usize {
        let entry = self.entries.len();
        for seat in &grant.places.seats {
            let holding = Holding {
                entry,
                until_ms: grant.held_until_ms,
                given_up: false,
                paid: false,
            };
            let Some(before) = self.holdings.insert(seat.clone(), holding) else {
                continue;
            };
            let other = &self.entries[before.entry].claim.order;
            if before.paid {
                let what = format!("seat {seat} of paid order {other} was granted again");
                self.seen.broken(Promise::P1, what);
            } else if !before.given_up && grant.answered_ms < before.until_ms {
                let early = before.until_ms - grant.answered_ms;
                let what =
                    format!("seat {seat}, held for {other}, was granted {early} ms too early");
                self.seen.broken(Promise::P5, what);
            }
        }
        self.grants.push(Instant::now());
        let Grant {
            order,
            event,
            places,
            amount,
            headers,
            held_until_ms,
            ..
        } = grant;
        let claim = Claim {
            order,
            event,
            places,
            amount,
            told: Told::Held,
        };
        self.entries.push(Entry {
            claim,
            headers,
            held_until_ms,
        });
        entry
    }

    /// The buyer is about to do what may end the hold before its time.
    pub fn may_end(&mut self, entry: usize) {
        self.mark(entry, |holding| holding.given_up = true);
    }

    /// What the buyer was told last.
    pub fn told(&mut self, entry: usize, told: Told) {
        match told {
            Told::Paid { .. } => self.mark(entry, |holding| holding.paid = true),
            Told::Cancelled | Told::Over => self.mark(entry, |holding| holding.given_up = true),
            Told::Held | Told::Unknown => {}
        }
        self.entries[entry].claim.told = told;
    }

    /// Something was refused.
    pub fn refused(&mut self, what: &str, status: u16, code: &str) {
        *self
            .refusals
            .entry(format!("{what} {status} {code}"))
            .or_default() += 1;
    }

    /// All grants.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All claims, for the audit.
    pub fn claims(&self) -> Vec<Claim> {
        self.entries
            .iter()
            .map(|entry| entry.claim.clone())
            .collect()
    }

    fn mark(&mut self, entry: usize, change: impl Fn(&mut Holding)) {
        for seat in &self.entries[entry].claim.places.seats {
            if let Some(holding) = self.holdings.get_mut(seat)
                && holding.entry == entry
            {
                change(holding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(order: &str, until: i64, answered: i64) -> Grant {
        Grant {
            order: order.to_owned(),
            event: "e".to_owned(),
            places: Places {
                seats: vec!["A-1-1".to_owned()],
                standing: vec![],
            },
            amount: 1,
            headers: String::new(),
            held_until_ms: until,
            answered_ms: answered,
        }
    }

    #[test]
    fn a_seat_granted_again_before_its_deadline_breaks_p5_unless_it_was_given_up() {
        let mut books = Books::default();
        books.granted(grant("o1", 1_000, 0));
        let second = books.granted(grant("o2", 2_000, 1_000));
        assert!(books.seen.all_held(), "at its deadline a hold is over");
        books.may_end(second);
        books.granted(grant("o3", 3_000, 1_500));
        assert!(books.seen.all_held());
        books.granted(grant("o4", 4_000, 2_999));
        assert_eq!(books.seen.count(Promise::P5), 1);
    }

    #[test]
    fn a_paid_seat_granted_again_breaks_p1_however_late() {
        let mut books = Books::default();
        let first = books.granted(grant("o1", 1_000, 0));
        books.told(first, Told::Paid { tickets: vec![] });
        books.granted(grant("o2", 9_000, 8_000));
        assert_eq!(books.seen.count(Promise::P1), 1);
    }

    #[test]
    fn places_are_nobody_elses_and_only_get_better() {
        let mut books = Books::default();
        books.place_learned(4);
        books.place_moved(4, 4);
        books.place_moved(4, 3);
        assert!(books.seen.held(Promise::P6));
        books.place_learned(4);
        books.place_moved(3, 4);
        assert_eq!(books.seen.count(Promise::P6), 2);
    }
}
