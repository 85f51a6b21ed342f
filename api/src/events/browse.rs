//! `GET /api/v1/events` and `/events/{id}`: from the local replica, counts included.

use std::collections::HashMap;

use axum::extract::State;
use cluster::catalogue::EventRecord;
use ledger::event::{EventRules, Layout, Sale, SectionPlan};
use ledger::seats::Counts;
use ledger::{EventId, SectionNo, ShardId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::PathText;
use crate::orders::currency;
use crate::problem::Problem;
use crate::state::AppState;
use crate::text;

/// Places by state. `held` includes those being paid.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct CountsView {
    /// All.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub capacity: u64,
    /// For sale now.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub available: u64,
    /// Reserved or being paid.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub held: u64,
    /// Sold.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub sold: u64,
    /// Not for sale.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub blocked: u64,
}

impl CountsView {
    fn of(counts: Counts) -> Self {
        Self {
            capacity: u64::from(counts.capacity()),
            available: counts.available.into(),
            held: u64::from(counts.held) + u64::from(counts.pinned),
            sold: counts.sold.into(),
            blocked: counts.blocked.into(),
        }
    }

    fn add(&mut self, other: Self) {
        self.capacity += other.capacity;
        self.available += other.available;
        self.held += other.held;
        self.sold += other.sold;
        self.blocked += other.blocked;
    }
}

/// An event in the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventSummary {
    /// Its id.
    pub event_id: String,
    /// Title.
    pub name: String,
    /// Where.
    pub venue: String,
    /// When its sale opens.
    pub opens_at: String,
    /// ISO 4217.
    pub currency: String,
    /// `scheduled`, `open`, `paused`, `closed` or `sold_out`.
    pub sale: &'static str,
    /// Its places.
    pub counts: CountsView,
}

/// All events.
#[derive(Serialize, ToSchema)]
pub struct EventList {
    /// By id.
    pub events: Vec<EventSummary>,
}

/// A waiting room's public rules.
#[derive(Serialize, ToSchema)]
pub struct QueueView {
    /// People admitted a minute.
    #[schema(minimum = 0, maximum = 4294967295i64)]
    pub admit_per_minute: u32,
}

/// A section.
#[derive(Serialize, ToSchema)]
pub struct SectionView {
    /// Its name.
    pub name: String,
    /// `seated` or `standing`.
    pub kind: &'static str,
    /// Rows of a seated section.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 65535)]
    pub rows: Option<u16>,
    /// Seats in each row of a seated section.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 65535)]
    pub seats_per_row: Option<u16>,
    /// Minor units, each.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub price: u64,
    /// Zone; smaller is better.
    #[schema(minimum = 0, maximum = 65535)]
    pub tier: u16,
    /// Its places.
    #[serde(flatten)]
    pub counts: CountsView,
}

/// An event.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    /// Its id.
    pub event_id: String,
    /// Title.
    pub name: String,
    /// Where.
    pub venue: String,
    /// When its sale opens.
    pub opens_at: String,
    /// ISO 4217.
    pub currency: String,
    /// How long a hold lasts.
    #[schema(minimum = 0, maximum = 86400)]
    pub hold_seconds: u64,
    /// Seats in one order.
    #[schema(minimum = 1, maximum = 64)]
    pub max_per_order: u16,
    /// Seats one person may have.
    #[schema(minimum = 1, maximum = 65535)]
    pub max_per_buyer: u16,
    /// `scheduled`, `open`, `paused`, `closed` or `sold_out`.
    pub sale: &'static str,
    /// Its waiting room; null for none.
    pub queue: Option<QueueView>,
    /// Its places.
    pub counts: CountsView,
    /// Its sections.
    pub sections: Vec<SectionView>,
}

/// All events.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", responses((status = 200, body = EventList)))]
pub async fn list(State(state): State<AppState>) -> Result<axum::Json<EventList>, Problem> {
    let records = state.backend.events();
    let mut counts: HashMap<EventId, CountsView> = HashMap::with_capacity(records.len());
    if !records.is_empty() {
        for shard in state.router()?.shards() {
            state.read(shard, |ledger, _| {
                for record in &records {
                    let event = record.plan.event;
                    counts
                        .entry(event)
                        .or_default()
                        .add(CountsView::of(ledger.seats().counts(event)));
                }
            })?;
        }
    }
    let now = state.backend.now();
    let summary = |record: &std::sync::Arc<EventRecord>| {
        let counts = counts.get(&record.plan.event).copied().unwrap_or_default();
        EventSummary {
            event_id: text::id(record.plan.event.0),
            name: record.name.clone(),
            venue: record.venue.clone(),
            opens_at: text::time(record.plan.rules.opens_at),
            currency: currency(record),
            sale: sale(&record.plan.rules, now, &counts),
            counts,
        }
    };
    Ok(axum::Json(EventList {
        events: records.iter().map(summary).collect(),
    }))
}

/// An event with its sections.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "events", params(("id" = String, Path)),
    responses((status = 200, body = EventView), (status = "4XX", body = crate::openapi::ProblemBody)))]
pub async fn show(
    State(state): State<AppState>,
    path: PathText,
) -> Result<axum::Json<EventView>, Problem> {
    let record = state.event(super::in_path(&path)?)?;
    let places = by_section(&state, &record)?;
    let mut counts = CountsView::default();
    places.iter().for_each(|section| counts.add(*section));
    let rules = &record.plan.rules;
    let numbered = record.plan.sections.iter().zip(places).enumerate();
    let sections = numbered
        .map(|(number, (plan, counts))| {
            section_view(record.section_name(SectionNo(number as u16)), plan, counts)
        })
        .collect();
    Ok(axum::Json(EventView {
        event_id: text::id(record.plan.event.0),
        name: record.name.clone(),
        venue: record.venue.clone(),
        opens_at: text::time(rules.opens_at),
        currency: currency(&record),
        hold_seconds: rules.hold_ms / 1_000,
        max_per_order: rules.order_seats_max,
        max_per_buyer: rules.buyer_seats_max,
        sale: sale(rules, state.backend.now(), &counts),
        queue: rules.queue.as_ref().map(|queue| QueueView {
            admit_per_minute: queue.admit_per_minute,
        }),
        counts,
        sections,
    }))
}

fn section_view(name: &str, plan: &SectionPlan, counts: CountsView) -> SectionView {
    let (kind, rows, seats_per_row) = match &plan.layout {
        Layout::Seated {
            rows,
            seats_per_row,
            ..
        } => ("seated", Some(*rows), Some(*seats_per_row)),
        Layout::Standing { .. } => ("standing", None, None),
    };
    SectionView {
        name: name.to_owned(),
        kind,
        rows,
        seats_per_row,
        price: plan.price,
        tier: plan.tier,
        counts,
    }
}

/// Places of each section. A section whose shard has not heard of the event yet is as planned.
fn by_section(state: &AppState, record: &EventRecord) -> Result<Vec<CountsView>, Problem> {
    let mut places: Vec<CountsView> = record.plan.sections.iter().map(planned).collect();
    for shard in shards(record) {
        state.read(shard, |ledger, _| {
            for section in ledger.seats().sections(record.plan.event) {
                if let Some(place) = places.get_mut(usize::from(section.key().section.0)) {
                    *place = CountsView::of(section.counts());
                }
            }
        })?;
    }
    Ok(places)
}

fn planned(plan: &SectionPlan) -> CountsView {
    let capacity = u64::from(plan.layout.capacity());
    let blocked = match &plan.layout {
        Layout::Seated { blocked, .. } => blocked.len() as u64,
        Layout::Standing { .. } => 0,
    };
    CountsView {
        capacity,
        available: capacity - blocked.min(capacity),
        blocked,
        held: 0,
        sold: 0,
    }
}

/// The shards that own an event's sections, each once.
pub(super) fn shards(record: &EventRecord) -> Vec<ShardId> {
    let mut shards: Vec<ShardId> = record
        .plan
        .sections
        .iter()
        .map(|section| section.shard)
        .collect();
    shards.sort_unstable();
    shards.dedup();
    shards
}

/// A sale's state in a word.
pub(super) fn sale(rules: &EventRules, now: Timestamp, counts: &CountsView) -> &'static str {
    match rules.sale {
        Sale::Closed => "closed",
        Sale::Paused => "paused",
        Sale::Scheduled if now < rules.opens_at => "scheduled",
        Sale::Scheduled | Sale::Open
            if counts.available == 0 && counts.held == 0 && counts.sold > 0 =>
        {
            "sold_out"
        }
        Sale::Scheduled | Sale::Open => "open",
    }
}
