//! What really happened, fact by fact: the journal that read models and event feeds are made of.
//!
//! Facts are noted where seats and orders move, and nowhere else: every move of places in
//! `seats/`, every turn of an order at its home. A rejected command notes nothing. How many facts
//! a shard has ever noted is part of its state, so facts are numbered without gaps, alike on all
//! replicas and through snapshots; the facts themselves are not state, and are kept only where
//! somebody asked for them ([`Ledger::keep_changes`]).

use crate::command::CloseReason;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::outcome::Places;
use crate::seats::SeatTable;

/// An order, its show and its buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderRef {
    /// The order.
    pub order: OrderId,
    /// The show.
    pub event: EventId,
    /// Who buys.
    pub buyer: BuyerId,
}

/// Places of one leg that moved together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moved {
    /// The order and which leg of it.
    pub leg: LegKey,
    /// Whose they are, or were.
    pub buyer: BuyerId,
    /// The section.
    pub section: SectionKey,
    /// The places.
    pub places: Places,
}

/// A fact. Past tense; numbered for ever by [`Change::number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// An event became known to this shard.
    EventInstalled {
        /// The show.
        event: EventId,
        /// Version of its rules.
        version: u64,
    },
    /// An event's rules changed.
    RulesChanged {
        /// The show.
        event: EventId,
        /// Their new version.
        version: u64,
    },
    /// People joined the waiting room.
    QueueJoined {
        /// The show.
        event: EventId,
        /// How many are in it now.
        joined: u64,
    },
    /// The draw took place.
    QueueDrawn {
        /// The show.
        event: EventId,
        /// Among how many.
        people: u64,
    },
    /// People were let in.
    QueueAdmitted {
        /// The show.
        event: EventId,
        /// Positions before this one have been.
        cursor: u64,
    },
    /// An order was opened at its home, which is this shard.
    OrderOpened {
        /// Which.
        order: OrderRef,
    },
    /// All its legs hold, or hold again after a payment that came to nothing.
    OrderHeld {
        /// Which.
        order: OrderRef,
        /// When the hold ends.
        until: Timestamp,
    },
    /// An outage was given back.
    OrderExtended {
        /// Which.
        order: OrderRef,
        /// When the hold ends now.
        until: Timestamp,
    },
    /// All legs are pinned; the money was asked for.
    PaymentStarted {
        /// Which.
        order: OrderRef,
        /// Which try, from 1.
        attempt: u8,
        /// Minor units.
        amount: u64,
    },
    /// The provider declined.
    PaymentDeclined {
        /// Which.
        order: OrderRef,
        /// Which try.
        attempt: u8,
    },
    /// The payment's outcome became unknown.
    PaymentInDoubt {
        /// Which.
        order: OrderRef,
        /// Which try.
        attempt: u8,
    },
    /// The commit point: the order is sold, all of it.
    OrderCommitted {
        /// Which.
        order: OrderRef,
    },
    /// Sold, captured, every ticket issued.
    OrderPaid {
        /// Which.
        order: OrderRef,
        /// What it cost, minor units.
        amount: u64,
    },
    /// It ended unpaid.
    OrderClosed {
        /// Which.
        order: OrderRef,
        /// Why.
        why: CloseReason,
    },
    /// Its money is on the way back.
    RefundStarted {
        /// Which.
        order: OrderRef,
    },
    /// Its money is back.
    OrderRefunded {
        /// Which.
        order: OrderRef,
    },
    /// Available places are held.
    SeatsHeld(Moved),
    /// Held places are pinned.
    SeatsPinned(Moved),
    /// Pinned places are held again.
    SeatsUnpinned(Moved),
    /// Pinned places are sold, and have tickets.
    SeatsSold(Moved),
    /// Held or pinned places are available again.
    SeatsFreed(Moved),
    /// Sold places are available again, their tickets void.
    SaleRevoked(Moved),
}

impl Change {
    /// Its number for ever, on disk and in feeds. Never reused.
    pub fn number(&self) -> u8 {
        match self {
            Self::EventInstalled { .. } => 1,
            Self::RulesChanged { .. } => 2,
            Self::QueueJoined { .. } => 3,
            Self::QueueDrawn { .. } => 4,
            Self::QueueAdmitted { .. } => 5,
            Self::OrderOpened { .. } => 6,
            Self::OrderHeld { .. } => 7,
            Self::OrderExtended { .. } => 8,
            Self::PaymentStarted { .. } => 9,
            Self::PaymentDeclined { .. } => 10,
            Self::PaymentInDoubt { .. } => 11,
            Self::OrderCommitted { .. } => 12,
            Self::OrderPaid { .. } => 13,
            Self::OrderClosed { .. } => 14,
            Self::RefundStarted { .. } => 15,
            Self::OrderRefunded { .. } => 16,
            Self::SeatsHeld(_) => 17,
            Self::SeatsPinned(_) => 18,
            Self::SeatsUnpinned(_) => 19,
            Self::SeatsSold(_) => 20,
            Self::SeatsFreed(_) => 21,
            Self::SaleRevoked(_) => 22,
        }
    }

    /// The show it is about.
    pub fn event(&self) -> EventId {
        match self {
            Self::EventInstalled { event, .. }
            | Self::RulesChanged { event, .. }
            | Self::QueueJoined { event, .. }
            | Self::QueueDrawn { event, .. }
            | Self::QueueAdmitted { event, .. } => *event,
            _ => match (self.order(), self.moved()) {
                (Some(order), _) => order.event,
                (_, Some(moved)) => moved.section.event,
                (None, None) => unreachable!("a fact is about an event, an order or places"),
            },
        }
    }

    /// The order it is about, when an order took a turn.
    pub fn order(&self) -> Option<&OrderRef> {
        match self {
            Self::OrderOpened { order }
            | Self::OrderHeld { order, .. }
            | Self::OrderExtended { order, .. }
            | Self::PaymentStarted { order, .. }
            | Self::PaymentDeclined { order, .. }
            | Self::PaymentInDoubt { order, .. }
            | Self::OrderCommitted { order }
            | Self::OrderPaid { order, .. }
            | Self::OrderClosed { order, .. }
            | Self::RefundStarted { order }
            | Self::OrderRefunded { order } => Some(order),
            _ => None,
        }
    }

    /// The places it is about, when places moved.
    pub fn moved(&self) -> Option<&Moved> {
        match self {
            Self::SeatsHeld(moved)
            | Self::SeatsPinned(moved)
            | Self::SeatsUnpinned(moved)
            | Self::SeatsSold(moved)
            | Self::SeatsFreed(moved)
            | Self::SaleRevoked(moved) => Some(moved),
            _ => None,
        }
    }
}

/// Facts not yet taken, and how many there ever were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    /// Part of the state.
    noted: u64,
    /// Facts from `noted - changes.len() + 1` on; empty unless `kept`.
    changes: Vec<Change>,
    kept: bool,
}

/// A point to go back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    noted: u64,
    kept: usize,
}

impl Journal {
    pub(crate) fn restored(noted: u64) -> Self {
        Self {
            noted,
            ..Self::default()
        }
    }

    /// Takes over the moves that `seats` made since, then notes `change`: facts stay in order.
    pub(crate) fn note(&mut self, seats: &mut SeatTable, change: Change) {
        self.settle(seats);
        self.noted += 1;
        if self.kept {
            self.changes.push(change);
        }
    }

    /// Takes over the moves that `seats` made since.
    pub(crate) fn settle(&mut self, seats: &mut SeatTable) {
        self.noted += seats.moved.len() as u64;
        if self.kept {
            self.changes.append(&mut seats.moved);
        } else {
            seats.moved.clear();
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            noted: self.noted,
            kept: self.changes.len(),
        }
    }

    /// Forgets what was noted since: it was undone.
    pub(crate) fn rewind(&mut self, mark: Mark, seats: &mut SeatTable) {
        seats.moved.clear();
        self.noted = mark.noted;
        self.changes.truncate(mark.kept);
    }
}

impl Ledger {
    /// Whether facts are kept until they are taken. Off at first, and after a restore.
    pub fn keep_changes(&mut self, keep: bool) {
        self.journal.kept = keep;
        if !keep {
            self.journal.changes = Vec::new();
        }
    }

    /// Facts noted since they were last taken, oldest first; the last one has the number
    /// [`Ledger::feed_sequence`].
    pub fn take_changes(&mut self) -> std::vec::Drain<'_, Change> {
        self.journal.changes.drain(..)
    }

    /// How many facts this shard ever noted: the number of the last one.
    pub fn feed_sequence(&self) -> u64 {
        self.journal.noted
    }

    pub(crate) fn note(&mut self, change: Change) {
        self.journal.note(&mut self.seats, change);
    }
}
