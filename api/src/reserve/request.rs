//! What a reservation asks for and what it gets, in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::orders::{Price, SeatView};

/// A reservation: either `best_available`, or `seat_ids` and/or `general_admission`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveRequest {
    /// The event.
    #[schema(format = "uuid")]
    pub event_id: String,
    /// Exactly these seats, `<section>-<row>-<number>`.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub seat_ids: Vec<String>,
    /// Places of standing sections.
    #[serde(default)]
    #[schema(max_items = 8)]
    pub general_admission: Vec<StandingWant>,
    /// The best seats together.
    pub best_available: Option<BestAvailable>,
    /// From the waiting room, when the event has one.
    pub queue_token: Option<String>,
}

/// Places of one standing section.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingWant {
    /// The section's name.
    pub section: String,
    /// How many.
    #[schema(minimum = 1, maximum = 16)]
    pub count: u8,
}

/// The best seats together, in one section.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BestAvailable {
    /// How many.
    #[schema(minimum = 1, maximum = 16)]
    pub count: u8,
    /// Only in these sections; all when absent.
    #[serde(default)]
    pub sections: Vec<String>,
    /// Only sections whose price of one place is at most this.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub max_price: Option<u64>,
    /// One of them for a wheelchair user, the others beside it.
    #[serde(default)]
    pub accessible: bool,
}

/// Seats that are held.
#[derive(Serialize, ToSchema)]
pub struct ReserveAnswer {
    /// The order.
    pub order_id: String,
    /// When the hold ends.
    pub held_until: String,
    /// What is held.
    pub seats: Vec<SeatView>,
    /// What it costs.
    pub price: Price,
}
