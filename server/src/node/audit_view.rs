//! What an auditor needs to know of one replica: every order, and who sits on every sold seat.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::catalogue::EventRecord;
use cluster::names::seat_id;
use ledger::seats::{Section, Shape};
use ledger::tickets::{Ticket, TicketState};
use ledger::{EventId, Ledger, SectionKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `GET /admin/audit?group=N`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AuditView {
    /// Index of the last entry applied.
    pub applied: u64,
    /// The ledger's clock after it, in ms since the epoch: holds end by this one.
    #[serde(default)]
    pub now_ms: u64,
    /// SHA-256 of the state, hex.
    pub digest: String,
    /// Orders at home here, those that ended unpaid and were forgotten excepted.
    pub orders: Vec<OrderView>,
    /// Sections owned here.
    pub sections: Vec<SectionView>,
    /// Shards that have not taken all messages sent to them, and payments that are not over.
    #[serde(default)]
    pub owed: usize,
    /// An invariant that does not hold in here.
    #[serde(default)]
    pub broken: Option<String>,
}

/// One order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OrderView {
    /// Its id.
    pub order_id: Uuid,
    /// Hash of its buyer, hex.
    pub buyer: String,
    /// The show.
    pub event_id: Uuid,
    /// Its phase, in a word.
    pub phase: String,
    /// Minor units.
    pub amount: u64,
    /// Tickets, once sold.
    pub tickets: Vec<Uuid>,
}

/// One section.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SectionView {
    /// The show.
    pub event_id: Uuid,
    /// Its name.
    pub section: String,
    /// Places for sale.
    pub available: u32,
    /// Places held.
    pub held: u32,
    /// Places pinned.
    pub pinned: u32,
    /// Places sold.
    pub sold: u32,
    /// Places not for sale.
    pub blocked: u32,
    /// Who has each sold place.
    pub sold_seats: Vec<SoldView>,
}

/// One sold place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SoldView {
    /// Its id; the section's name for a place without a number.
    pub seat: String,
    /// The order it was sold to.
    pub order_id: Uuid,
    /// The ticket for it.
    pub ticket_id: Uuid,
}

/// The view of one replica. `record` finds an event in the catalogue.
pub fn view(
    ledger: &Ledger,
    applied: u64,
    record: &dyn Fn(EventId) -> Option<Arc<EventRecord>>,
) -> AuditView {
    let orders = ledger.orders().into_iter().map(|order| OrderView {
        order_id: Uuid::from_u128(order.id.0),
        buyer: format!("{:032x}", order.buyer.0),
        event_id: Uuid::from_u128(order.event.0),
        phase: format!("{:?}", order.phase()).to_lowercase(),
        amount: order.amount(),
        tickets: order
            .tickets()
            .map(|ticket| Uuid::from_u128(ticket.0))
            .collect(),
    });
    let mut sold: BTreeMap<SectionKey, Vec<Ticket>> = BTreeMap::new();
    for ticket in ledger.tickets().sorted() {
        if ticket.state == TicketState::Valid {
            sold.entry(ticket.section).or_default().push(ticket);
        }
    }
    let mut sections = Vec::new();
    for event in ledger.seats().events() {
        let record = record(event);
        for section in ledger.seats().sections(event) {
            let tickets = sold.remove(&section.key()).unwrap_or_default();
            sections.push(section_view(section, &tickets, record.as_deref()));
        }
    }
    let outboxes = ledger.outboxes();
    let silent = outboxes.filter(|(_, outbox)| !outbox.is_empty()).count();
    let digest = ledger
        .digest()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    AuditView {
        applied,
        now_ms: ledger.now().0,
        digest,
        orders: orders.collect(),
        sections,
        owed: silent + ledger.payments_due_count().min(1),
        broken: ledger
            .check_invariants()
            .err()
            .map(|violation| format!("{violation:?}")),
    }
}

fn section_view(
    section: &Section,
    tickets: &[Ticket],
    record: Option<&EventRecord>,
) -> SectionView {
    let (key, counts) = (section.key(), section.counts());
    let name = record.map_or_else(
        || format!("#{}", key.section.0),
        |record| record.section_name(key.section).to_owned(),
    );
    let sold = tickets.iter().map(|ticket| SoldView {
        seat: match (ticket.seat, section.shape()) {
            (Some(seat), Shape::Seated { seats_per_row, .. }) => {
                seat_id(&name, seats_per_row, seat)
            }
            _ => name.clone(),
        },
        order_id: Uuid::from_u128(ticket.order.0),
        ticket_id: Uuid::from_u128(ticket.id.0),
    });
    SectionView {
        event_id: Uuid::from_u128(key.event.0),
        sold_seats: sold.collect(),
        section: name,
        available: counts.available,
        held: counts.held,
        pinned: counts.pinned,
        sold: counts.sold,
        blocked: counts.blocked,
    }
}
