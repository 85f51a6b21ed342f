//! The API's answers, as far as buyers read them.

use serde::Deserialize;

/// `POST /dev/token`.
#[derive(Clone, Debug, Deserialize)]
pub struct Token {
    /// A JWT.
    pub token: String,
}

/// `POST /api/v1/events`.
#[derive(Clone, Debug, Deserialize)]
pub struct Created {
    /// The event's id.
    pub event_id: String,
}

/// `POST /api/v1/queue/join`.
#[derive(Clone, Debug, Deserialize)]
pub struct Joined {
    /// What proves the place.
    pub queue_token: String,
    /// The place, once drawn.
    pub queue_position: Option<u64>,
}

/// `GET /api/v1/queue/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct QueueStatus {
    /// `waiting`, `admitted`, `sold_out`, `expired`, `closed`.
    pub status: String,
    /// The place, once drawn.
    pub queue_position: Option<u64>,
}

/// `GET /api/v1/events/{id}/queue`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct QueueDocument {
    /// `lobby`, `open`, `paused`, `sold_out`, `closed`.
    pub state: String,
    /// People who ever joined.
    #[serde(default)]
    pub joined: u64,
    /// The admission cursor: places up to this one were reached.
    #[serde(default)]
    pub admitted: u64,
}

/// Seats of an event or a section, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// All.
    pub capacity: u64,
    /// Free.
    pub available: u64,
    /// Held, in payment included.
    pub held: u64,
    /// Sold.
    pub sold: u64,
    /// Not for sale.
    pub blocked: u64,
}

/// `GET /api/v1/events/{id}`.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// By state.
    pub counts: Counts,
}

/// `GET /api/v1/events/{id}/seats`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SeatMap {
    /// Section by section.
    pub sections: Vec<SectionMap>,
}

/// One section of a seat map.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SectionMap {
    /// Its name.
    pub name: String,
    /// Rows; 0 when standing.
    #[serde(default)]
    pub rows: u32,
    /// A letter a seat, row by row; absent when standing.
    #[serde(default)]
    pub states: Option<String>,
    /// Free places, when standing.
    #[serde(default)]
    pub available: u64,
}

impl SectionMap {
    /// Seats in each row; 0 when standing.
    pub fn seats_per_row(&self) -> usize {
        let seats = self.states.as_ref().map_or(0, String::len);
        seats.checked_div(self.rows as usize).unwrap_or_default()
    }

    /// A seat's id by its index, row by row.
    pub fn seat_id(&self, index: usize) -> String {
        let width = self.seats_per_row().max(1);
        format!("{}-{}-{}", self.name, index / width + 1, index % width + 1)
    }
}

/// What a reservation got: a numbered seat, or so many places without numbers.
#[derive(Clone, Debug, Deserialize)]
pub struct GrantedPlace {
    /// The seat, if it has a number.
    #[serde(default)]
    pub seat_id: Option<String>,
    /// Its section.
    pub section: String,
    /// How many, without numbers.
    #[serde(default)]
    pub count: Option<u64>,
}

/// An amount of money.
#[derive(Clone, Debug, Deserialize)]
pub struct Price {
    /// Minor units.
    pub amount: u64,
}

/// `POST /api/v1/seats/reserve`, 201.
#[derive(Clone, Debug, Deserialize)]
pub struct Reserved {
    /// The order.
    pub order_id: String,
    /// When the hold ends.
    pub held_until: String,
    /// What it holds.
    pub seats: Vec<GrantedPlace>,
    /// What it costs.
    pub price: Price,
}

/// A refused reservation, 409.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Refused {
    /// Why.
    #[serde(default)]
    pub error: String,
    /// Free seats nearby.
    #[serde(default)]
    pub available_alternatives: Vec<String>,
}

/// `POST /api/v1/orders/{id}/pay`, 200 and 202.
#[derive(Clone, Debug, Deserialize)]
pub struct PayAnswer {
    /// `paid` or `processing`.
    pub status: String,
    /// Tickets, once paid.
    #[serde(default)]
    pub ticket_ids: Vec<String>,
}

/// `GET /api/v1/orders/{id}`.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    /// `pending`, `processing`, `paid`, `failed`, `expired`, `cancelled`, `refunded`.
    pub status: String,
    /// Tickets, once paid.
    #[serde(default)]
    pub ticket_ids: Vec<String>,
}

/// `GET /api/v1/tickets/{id}`.
#[derive(Clone, Debug, Deserialize)]
pub struct Ticket {
    /// Its id.
    pub ticket_id: String,
    /// The order it was sold in.
    pub order_id: String,
    /// The seat, if it has a number.
    pub seat_id: Option<String>,
    /// The signed text.
    pub token: String,
}
