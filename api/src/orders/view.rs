//! An order as its buyer sees it.

use cluster::catalogue::EventRecord;
use cluster::names;
use ledger::command::CloseReason;
use ledger::event::Layout;
use ledger::outcome::{HeldLeg, OrderPhase, Places};
use serde::Serialize;
use utoipa::ToSchema;

use super::find::Known;
use crate::text;

/// An amount of money.
#[derive(Clone, Serialize, ToSchema)]
pub struct Price {
    /// Minor units.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
}

impl Price {
    /// So much of the event's currency.
    pub fn of(record: &EventRecord, amount: u64) -> Self {
        Self {
            amount,
            currency: currency(record),
        }
    }
}

/// An event's currency, as text.
pub fn currency(record: &EventRecord) -> String {
    record
        .plan
        .rules
        .currency
        .iter()
        .copied()
        .map(char::from)
        .collect()
}

/// A reserved seat, or places of a standing section.
#[derive(Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SeatView {
    /// A numbered seat.
    Seat {
        /// `<section>-<row>-<number>`.
        seat_id: String,
        /// The section's name.
        section: String,
        /// From 1, from the front.
        #[schema(minimum = 1, maximum = 65535)]
        row: u16,
        /// From 1.
        #[schema(minimum = 1, maximum = 65535)]
        number: u16,
        /// Minor units.
        #[schema(minimum = 0, maximum = 9007199254740991i64)]
        price: u64,
    },
    /// Places without numbers.
    Standing {
        /// The section's name.
        section: String,
        /// How many.
        #[schema(minimum = 1, maximum = 64)]
        count: u8,
        /// Minor units, each.
        #[schema(minimum = 0, maximum = 9007199254740991i64)]
        price: u64,
    },
}

impl SeatView {
    /// The seats of these legs and what they cost together.
    pub fn of_legs(record: &EventRecord, legs: &[HeldLeg]) -> (Vec<Self>, u64) {
        let mut seats =
            Vec::with_capacity(legs.iter().map(|leg| usize::from(leg.places.count())).sum());
        let mut amount = 0u64;
        for leg in legs {
            amount =
                amount.saturating_add(leg.price_each.saturating_mul(u64::from(leg.places.count())));
            let section = record.section_name(leg.section);
            let price = leg.price_each;
            match &leg.places {
                Places::Standing(count) => {
                    seats.push(Self::Standing {
                        section: section.to_owned(),
                        count: *count,
                        price,
                    });
                }
                Places::Seats(list) => {
                    let width = seats_per_row(record, leg);
                    seats.extend(list.as_slice().iter().map(|seat| {
                        let (row, number) = names::row_and_number(width, *seat);
                        let seat_id = names::seat_id(section, width, *seat);
                        Self::Seat {
                            seat_id,
                            section: section.to_owned(),
                            row,
                            number,
                            price,
                        }
                    }));
                }
            }
        }
        (seats, amount)
    }
}

fn seats_per_row(record: &EventRecord, leg: &HeldLeg) -> u16 {
    match record.plan.section(leg.section).map(|plan| &plan.layout) {
        Some(Layout::Seated { seats_per_row, .. }) => *seats_per_row,
        _ => 1,
    }
}

/// An order.
#[derive(Serialize, ToSchema)]
pub struct OrderView {
    /// Its id.
    pub order_id: String,
    /// The event.
    pub event_id: String,
    /// `pending`, `processing`, `paid`, `failed`, `expired`, `cancelled` or `refunded`.
    pub status: &'static str,
    /// When its hold ends; absent when it is over.
    pub held_until: Option<String>,
    /// Its seats; empty when it is over.
    pub seats: Vec<SeatView>,
    /// What it costs.
    pub price: Price,
    /// Its tickets, once paid.
    pub ticket_ids: Vec<String>,
    /// How often its buyer may still try to pay.
    #[schema(minimum = 0, maximum = 255)]
    pub attempts_left: u8,
}

impl OrderView {
    /// The view of an order.
    pub fn of(record: &EventRecord, known: &Known) -> Self {
        let (seats, amount) = match known {
            Known::Live(order) => SeatView::of_legs(record, &order.held_legs()),
            Known::Closed(_) => (Vec::new(), 0),
        };
        Self {
            order_id: text::id(known.id().0),
            event_id: text::id(record.plan.event.0),
            status: status(known.phase()),
            held_until: match known {
                Known::Live(order) => Some(text::time(order.until)),
                Known::Closed(_) => None,
            },
            seats,
            price: Price::of(record, amount),
            ticket_ids: known.tickets(),
            attempts_left: known.attempts_left(),
        }
    }
}

/// Only a status.
#[derive(Serialize, ToSchema)]
pub struct StatusAnswer {
    /// As in the order.
    pub status: &'static str,
}

/// A phase in the contract's words.
pub fn status(phase: OrderPhase) -> &'static str {
    match phase {
        OrderPhase::Opening | OrderPhase::Held => "pending",
        OrderPhase::Paying
        | OrderPhase::InDoubt
        | OrderPhase::Committed
        | OrderPhase::Refunding => "processing",
        OrderPhase::Paid => "paid",
        OrderPhase::Refunded => "refunded",
        OrderPhase::Closed(CloseReason::Cancelled) => "cancelled",
        OrderPhase::Closed(CloseReason::Expired) => "expired",
        OrderPhase::Closed(
            CloseReason::Refused
            | CloseReason::Declined
            | CloseReason::PaymentCancelled
            | CloseReason::LegLost
            | CloseReason::CaptureRefused,
        ) => "failed",
    }
}
