//! What a node says it holds: `GET /admin/audit?group=N`, for each of its shards.

use serde::Deserialize;

/// A node's state, group by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    /// Which node, for messages.
    pub node: String,
    /// Its groups.
    pub groups: Vec<Group>,
}

/// One shard's replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// Index of the last applied entry.
    pub applied: u64,
    /// Digest of the whole state.
    pub digest: String,
    /// Orders whose home it is.
    pub orders: Vec<Order>,
    /// Sections whose seats it owns.
    pub sections: Vec<Section>,
}

/// An order at its home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// Its id.
    pub order_id: String,
    /// The ledger's phase of it, in lower case: `paid`, `held`, `closed`...
    pub phase: String,
    /// Its price.
    #[serde(default)]
    pub amount: u64,
    /// Ids of its tickets.
    #[serde(default)]
    pub tickets: Vec<String>,
}

impl Order {
    /// Whether it is sold and stays so.
    pub fn is_paid(&self) -> bool {
        self.phase.eq_ignore_ascii_case("paid")
    }

    /// Whether something about it is still under way.
    pub fn is_under_way(&self) -> bool {
        let under_way = [
            "opening",
            "paying",
            "in_doubt",
            "indoubt",
            "committed",
            "refunding",
            "cancelling",
        ];
        under_way
            .iter()
            .any(|phase| self.phase.eq_ignore_ascii_case(phase))
    }
}

/// A section's seats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Section {
    /// The event.
    pub event_id: String,
    /// The section's name (or number).
    pub section: serde_json::Value,
    /// Free seats.
    pub available: u64,
    /// Seats on hold.
    pub held: u64,
    /// Seats in payment.
    pub pinned: u64,
    /// Sold seats.
    pub sold: u64,
    /// Seats not for sale.
    pub blocked: u64,
    /// Every sale.
    pub sold_seats: Vec<SoldSeat>,
}

impl Section {
    /// Brings sales into one order. A place without a number comes under its section's name.
    pub fn normalize(&mut self) {
        for sale in &mut self.sold_seats {
            if sale.seat.as_deref() == self.section.as_str() {
                sale.seat = None;
            }
        }
        self.sold_seats.sort();
    }
}

/// A seat (or a place without a number) that is sold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct SoldSeat {
    /// Its id; absent for a place without a number.
    #[serde(default)]
    pub seat: Option<String>,
    /// Whose it is.
    pub order_id: String,
    /// The ticket for it.
    #[serde(default)]
    pub ticket_id: Option<String>,
}
