//! What clients were told. A truth table over every order that was ever acknowledged.

use serde::Serialize;

/// Places of one order, as its 201 named them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Places {
    /// Numbered seats, by id.
    pub seats: Vec<String>,
    /// Places without numbers, per section.
    pub standing: Vec<(String, u64)>,
}

impl Places {
    /// How many people they are for.
    pub fn count(&self) -> u64 {
        self.seats.len() as u64 + self.standing.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// The last thing a client surely knows of its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Held, and left alone: by now expired.
    Held,
    /// Cancelled at its buyer's wish.
    Cancelled,
    /// Paid, with these tickets.
    Paid {
        /// Their ids.
        tickets: Vec<String>,
    },
    /// Over without a charge: declined, expired, given up.
    Over,
    /// Nobody could tell: the payment was asked for, and no answer was final.
    Unknown,
}

/// An order that a client was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Its id.
    pub order: String,
    /// The event; seat ids are unique within one.
    pub event: String,
    /// What it is for.
    pub places: Places,
    /// Its price, in minor units.
    pub amount: u64,
    /// What became of it.
    pub told: Told,
}

impl Claim {
    /// Its numbered seats, as [`seat_key`] writes them.
    pub fn seat_keys(&self) -> impl Iterator<Item = String> {
        self.places
            .seats
            .iter()
            .map(|seat| seat_key(&self.event, seat))
    }
}

/// A seat's name among the seats of all events.
pub fn seat_key(event: &str, seat: &str) -> String {
    format!("{seat} of {}", plain_id(event))
}

/// Ids are compared without regard to hyphens and case.
pub fn plain_id(id: &str) -> String {
    id.chars()
        .filter(|&sign| sign != '-')
        .map(|sign| sign.to_ascii_lowercase())
        .collect()
}
