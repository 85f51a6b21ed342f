//! What the waiting room is told of this shard's stock, at most once a second.
//!
//! A change notes `Due::Stock`; when that comes, [`SeatTable::tell_stock`] gives the figures, or
//! nothing when they are again what was told last. The room starts from the event's plan, so
//! silence means "all as planned".

use super::SeatTable;
use super::section::Counts;
use crate::due::{Due, DueIndex};
use crate::ids::*;
use crate::limits::STOCK_STEP_MS;

/// What is left of an event in one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Places for sale.
    pub available: u32,
    /// Places held or pinned, which may come back.
    pub held: u32,
}

impl From<&Counts> for Stock {
    fn from(counts: &Counts) -> Self {
        Self {
            available: counts.available,
            held: counts.held + counts.pinned,
        }
    }
}

/// What was told, and when the next telling is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StockWatch {
    pub(super) watched: bool,
    pub(super) told: Stock,
    pub(super) told_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
}

impl StockWatch {
    pub(super) fn new(watched: bool, planned: &Counts) -> Self {
        Self {
            watched,
            told: planned.into(),
            told_at: Timestamp(0),
            due_at: None,
        }
    }

    /// Notes that the stock changed.
    pub(super) fn changed(&mut self, event: EventId, now: Timestamp, due: &mut DueIndex) {
        if self.watched && self.due_at.is_none() {
            let at = now.max(self.told_at.plus_ms(STOCK_STEP_MS));
            self.due_at = Some(at);
            due.set(at, Due::Stock(event));
        }
    }
}

impl SeatTable {
    /// `Due::Stock` has come: what the waiting room must be told, if it does not know.
    pub fn tell_stock(&mut self, event: EventId, now: Timestamp) -> Option<Stock> {
        let show = self.show_of.get(&event).copied()?;
        let show = &mut self.shows[show as usize];
        show.stock.due_at = None;
        let stock = Stock::from(&show.counts);
        if !show.stock.watched || stock == show.stock.told {
            return None;
        }
        show.stock.told = stock;
        show.stock.told_at = now;
        Some(stock)
    }

    /// When this event's stock is due to be told.
    pub fn stock_due(&self, event: EventId) -> Option<Timestamp> {
        self.show(event)?.stock.due_at
    }
}
