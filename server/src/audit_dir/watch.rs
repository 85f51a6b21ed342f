//! The naive account: who has which seat, fact by fact, and whether each fact was allowed to
//! follow the one before.

use std::collections::{BTreeMap, BTreeSet};

use ledger::change::{Change, Moved};
use ledger::command::CloseReason;
use ledger::limits::EXTENSION_MS_MAX;
use ledger::outcome::Places;
use ledger::seats::SeatStatus;
use ledger::{EventId, Ledger, LegKey, OrderId, SeatNo, SectionKey, Timestamp};

/// A hold may end this much after its deadline (P5).
const LATE_MS: u64 = 1_000;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seats: BTreeMap<(SectionKey, SeatNo), (LegKey, SeatStatus)>,
    until: BTreeMap<OrderId, Timestamp>,
    cursors: BTreeMap<EventId, u64>,
    paid: BTreeSet<OrderId>,
    /// The stamp before this one: a longer gap was an outage.
    clock: Timestamp,
    pub(super) facts: u64,
    /// Holds whose time ran out.
    pub(super) expired: u64,
    /// The longest any of them outlived its deadline, in ms.
    pub(super) late_ms_max: u64,
    pub(super) broken: BTreeSet<(&'static str, String)>,
}

impl Watch {
    /// Goes on from a snapshot.
    pub(super) fn starting_from(ledger: &Ledger) -> Self {
        let mut watch = Self {
            clock: ledger.now(),
            ..Self::default()
        };
        for event in ledger.seats().events() {
            for section in ledger.seats().sections(event) {
                for (number, status) in section.states().enumerate() {
                    let seat = SeatNo(number as u16);
                    if let Some(leg) = ledger.seats().leg_of_seat(section.key(), seat) {
                        watch.seats.insert((section.key(), seat), (leg.key, status));
                    }
                }
            }
        }
        for order in ledger.orders() {
            watch.until.insert(order.id, order.until);
            if order.is_sold() {
                watch.paid.insert(order.id);
            }
        }
        watch
    }

    /// Checks what one command did.
    pub(super) fn see(&mut self, facts: &[Change], now: Timestamp) {
        let gap = now.since_ms(self.clock);
        for fact in facts {
            self.facts += 1;
            self.check(fact, now, gap);
        }
        self.clock = now;
    }

    fn check(&mut self, fact: &Change, now: Timestamp, gap: u64) {
        match fact {
            Change::SeatsHeld(moved) => self.moved(moved, None, Some(SeatStatus::Held)),
            Change::SeatsPinned(moved) => {
                self.moved(moved, Some(SeatStatus::Held), Some(SeatStatus::Pinned));
            }
            Change::SeatsUnpinned(moved) => {
                self.moved(moved, Some(SeatStatus::Pinned), Some(SeatStatus::Held));
            }
            Change::SeatsSold(moved) => {
                self.moved(moved, Some(SeatStatus::Pinned), Some(SeatStatus::Sold));
            }
            Change::SeatsFreed(moved) => self.freed(moved, &[SeatStatus::Held, SeatStatus::Pinned]),
            Change::SaleRevoked(moved) => self.freed(moved, &[SeatStatus::Sold]),
            Change::OrderHeld { order, until } | Change::OrderExtended { order, until } => {
                self.until.insert(order.order, *until);
            }
            Change::OrderClosed {
                order,
                why: CloseReason::Expired,
            } => {
                let until = self.until.remove(&order.order).unwrap_or(now);
                self.expired += 1;
                self.late_ms_max = self.late_ms_max.max(now.since_ms(until));
                if now < until {
                    self.breaks(
                        "P5",
                        format!(
                            "order {} ended {} ms early",
                            order.order,
                            until.since_ms(now)
                        ),
                    );
                }
                // What an outage gave back, or the outage itself, explains a later end.
                if now.since_ms(until) > LATE_MS + gap.min(EXTENSION_MS_MAX) {
                    self.breaks(
                        "P5",
                        format!(
                            "order {} ended {} ms late",
                            order.order,
                            now.since_ms(until)
                        ),
                    );
                }
            }
            Change::OrderClosed { order, .. } => {
                self.until.remove(&order.order);
                if self.paid.contains(&order.order) {
                    self.breaks("P2", format!("order {} was paid and is over", order.order));
                }
            }
            Change::OrderCommitted { order } => {
                let first = self.paid.insert(order.order);
                if !first {
                    self.breaks("P4", format!("order {} was committed twice", order.order));
                }
            }
            Change::RefundStarted { order } => {
                self.paid.remove(&order.order);
            }
            Change::QueueAdmitted { event, cursor } => {
                let before = self.cursors.insert(*event, *cursor);
                if before.is_some_and(|before| before > *cursor) {
                    self.breaks("P6", format!("the cursor of {:032x} went back", event.0));
                }
            }
            _ => {}
        }
    }

    fn moved(&mut self, moved: &Moved, from: Option<SeatStatus>, to: Option<SeatStatus>) {
        let Places::Seats(seats) = &moved.places else {
            return;
        };
        for &seat in seats.as_slice() {
            let before = self.seats.get(&(moved.section, seat)).copied();
            let fits = match (before, from) {
                (None, None) => true,
                (Some((leg, status)), Some(from)) => leg == moved.leg && status == from,
                _ => false,
            };
            if !fits {
                let found = format!(
                    "seat {seat:?} of {:?}: {to:?} for {:?}, was {before:?}",
                    moved.section, moved.leg
                );
                self.breaks("P1", found);
            }
            if let Some(to) = to {
                self.seats.insert((moved.section, seat), (moved.leg, to));
            }
        }
    }

    fn freed(&mut self, moved: &Moved, from: &[SeatStatus]) {
        let Places::Seats(seats) = &moved.places else {
            return;
        };
        for &seat in seats.as_slice() {
            let before = self.seats.remove(&(moved.section, seat));
            if !before.is_some_and(|(leg, status)| leg == moved.leg && from.contains(&status)) {
                let found = format!(
                    "seat {seat:?} of {:?}: freed by {:?}, was {before:?}",
                    moved.section, moved.leg
                );
                self.breaks("P1", found);
            }
        }
    }

    fn breaks(&mut self, promise: &'static str, found: String) {
        self.broken.insert((promise, found));
    }
}
