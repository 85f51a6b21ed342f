//! Lists and feeds: a buyer's orders and tickets, an organizer's feed of what happened. Told by
//! the node's read model ([`crate::history`]), which may be missing or behind; the sale does not
//! depend on it.

use axum::Json;
use axum::extract::State;
use cluster::catalogue::EventRecord;
use cluster::names;
use ledger::SeatNo;
use ledger::change::{Change, Moved};
use ledger::event::Layout;
use ledger::outcome::{OrderPhase, Places};
use ledger::tickets::{TicketState, ticket_id};
use ledger::{OrderId, ShardId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::extract::{PathText, Query};
use crate::history::{FeedLine, History, HistoryError, OrderLine};
use crate::orders::status;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// Lines of an answer, unless fewer are asked for.
const LINES: usize = 200;
/// Lines of an answer, at most.
const LINES_MAX: usize = 1_000;

/// How much of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// 1 to 1000.
    pub limit: Option<usize>,
}

/// Which piece of a feed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// Which shard's; each numbers its own facts.
    pub shard: u16,
    /// Number of the first fact wanted; default 1.
    pub from: Option<u64>,
    /// Facts looked at, 1 to 1000.
    pub limit: Option<usize>,
}

/// One of a buyer's orders.
#[derive(Serialize, ToSchema)]
pub struct OrderSummary {
    /// Its id.
    pub order_id: String,
    /// The event.
    pub event_id: String,
    /// As in the order.
    pub status: &'static str,
    /// When it was opened; when it ended, if it did.
    pub at: String,
}

/// A buyer's orders.
#[derive(Serialize, ToSchema)]
pub struct OrderList {
    /// In no particular order.
    pub orders: Vec<OrderSummary>,
    /// Whether all but the last moment's are there; `false` while this node catches up.
    pub complete: bool,
}

/// One of a buyer's tickets.
#[derive(Serialize, ToSchema)]
pub struct TicketSummary {
    /// Its id.
    pub ticket_id: String,
    /// Its order.
    pub order_id: String,
    /// Its event.
    pub event_id: String,
    /// Its section.
    pub section: String,
    /// Its seat; null in a standing section.
    pub seat_id: Option<String>,
    /// `valid` or `void`.
    pub status: &'static str,
}

/// A buyer's tickets.
#[derive(Serialize, ToSchema)]
pub struct TicketList {
    /// In no particular order.
    pub tickets: Vec<TicketSummary>,
    /// Whether all but the last moment's are there; `false` while this node catches up.
    pub complete: bool,
}

/// A fact. Fields that do not apply are left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct FeedLineView {
    /// Its number in its shard.
    #[schema(minimum = 1, maximum = 9007199254740991i64)]
    pub number: u64,
    /// Index of its entry in the shard's log.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub index: u64,
    /// When.
    pub at: String,
    /// What: `order_opened`, `seats_held`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// The event.
    pub event_id: String,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// Hash of the buyer, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer: Option<String>,
    /// The section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Numbered seats that moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<String>,
    /// How many places moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 65535)]
    pub places: Option<u16>,
    /// Tickets issued or made void.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ticket_ids: Vec<String>,
    /// When the hold ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Which try to pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 255)]
    pub attempt: Option<u8>,
    /// Minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub amount: Option<u64>,
    /// Why an order ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// A version, people in the queue, or the admission cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub value: Option<u64>,
}

/// A piece of a shard's feed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedView {
    /// The shard.
    #[schema(minimum = 1, maximum = 4095)]
    pub shard: u16,
    /// How many shards there are; an event's facts are spread over them.
    #[schema(minimum = 0, maximum = 4095)]
    pub shards: u16,
    /// Number of the oldest fact this node has.
    #[schema(minimum = 1, maximum = 9007199254740991i64)]
    pub first: u64,
    /// Number the next fact will have.
    #[schema(minimum = 1, maximum = 9007199254740991i64)]
    pub end: u64,
    /// Whether older facts are gone here; another node may have them.
    pub rebuilt: bool,
    /// Ask from here on next. Every fact of the event up to it, from what was asked for on, is in
    /// `facts`; numbers in between belong to other events.
    #[schema(minimum = 1, maximum = 9007199254740991i64)]
    pub next: u64,
    /// The facts.
    pub facts: Vec<FeedLineView>,
}

/// The caller's orders.
#[utoipa::path(get, path = "/api/v1/orders", tag = "orders",
    params(("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)),
    responses((status = 200, body = OrderList), (status = "4XX", body = crate::openapi::ProblemBody),
        (status = "5XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn orders(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<OrderList>, Problem> {
    let buyer = caller.buyer()?;
    let limit = limit(query.limit)?;
    let told = ask(&state, move |history| history.orders_of(buyer, limit)).await?;
    let summary = |line: &OrderLine| {
        let phase = match line.closed {
            Some(why) => OrderPhase::Closed(why),
            None => phase(&state, line.order)?,
        };
        Some(OrderSummary {
            order_id: text::id(line.order.0),
            event_id: text::id(line.event.0),
            status: status(phase),
            at: text::time(line.at),
        })
    };
    let orders = told.lines.iter().filter_map(summary).collect();
    Ok(Json(OrderList {
        orders,
        complete: told.complete,
    }))
}

/// The caller's tickets.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets",
    params(("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)),
    responses((status = 200, body = TicketList), (status = "4XX", body = crate::openapi::ProblemBody),
        (status = "5XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn tickets(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<TicketList>, Problem> {
    let buyer = caller.buyer()?;
    let limit = limit(query.limit)?;
    let told = ask(&state, move |history| history.tickets_of(buyer, limit)).await?;
    let tickets = told.lines.iter().filter_map(|ticket| {
        let record = state.event(ticket.section.event).ok()?;
        let section = record.section_name(ticket.section.section).to_owned();
        Some(TicketSummary {
            ticket_id: text::id(ticket.id.0),
            order_id: text::id(ticket.order.0),
            event_id: text::id(ticket.section.event.0),
            seat_id: ticket
                .seat
                .map(|seat| seat_name(&record, ticket.section.section, seat)),
            section,
            status: if ticket.state == TicketState::Valid {
                "valid"
            } else {
                "void"
            },
        })
    });
    Ok(Json(TicketList {
        tickets: tickets.collect(),
        complete: told.complete,
    }))
}

/// What happened at an event, shard by shard, with numbers that have no gaps: for those who run
/// it.
#[utoipa::path(get, path = "/api/v1/events/{id}/feed", tag = "events",
    params(("id" = String, Path), ("shard" = u16, Query, minimum = 1, maximum = 4095),
        ("from" = Option<u64>, Query, minimum = 0, maximum = 9007199254740991i64),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000)),
    responses((status = 200, body = FeedView), (status = "4XX", body = crate::openapi::ProblemBody),
        (status = "5XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn feed(
    State(state): State<AppState>,
    caller: Caller,
    PathText(id): PathText,
    Query(query): Query<FeedQuery>,
) -> Result<Json<FeedView>, Problem> {
    let event =
        text::parse_event(&id).ok_or_else(|| Problem::new(Code::EventUnknown, "no such event"))?;
    let record = state.event(event)?;
    caller.looks_at(&record)?;
    let shards = state.router()?.count();
    if !(1..=shards).contains(&query.shard) {
        return Err(Problem::new(Code::QueryInvalid, format!("1 to {shards}")).at("shard"));
    }
    let (shard, limit) = (ShardId(query.shard), limit(query.limit)?);
    let from = query.from.unwrap_or(1);
    let page = ask(&state, move |history| history.feed(shard, from, limit)).await?;
    let next = page
        .lines
        .last()
        .map_or(page.end.min(from.max(page.first)), |line| line.number + 1);
    let mine = page
        .lines
        .iter()
        .filter(|line| line.change.event() == event);
    Ok(Json(FeedView {
        shard: query.shard,
        shards,
        first: page.first,
        end: page.end,
        rebuilt: page.rebuilt,
        next,
        facts: mine
            .map(|line| FeedLineView::of(shard, line, Some(&record)))
            .collect(),
    }))
}

impl FeedLineView {
    /// A fact of `shard` in words; names of sections and seats from its event's record.
    pub fn of(shard: ShardId, line: &FeedLine, record: Option<&EventRecord>) -> Self {
        let mut view = Self {
            number: line.number,
            index: line.index,
            at: text::time(line.at),
            event_id: text::id(line.change.event().0),
            ..Self::default()
        };
        if let Some(order) = line.change.order() {
            view.order_id = Some(text::id(order.order.0));
            view.buyer = Some(text::hex(&order.buyer.0.to_be_bytes()));
        }
        if let Some(moved) = line.change.moved() {
            view.tell_places(moved, record);
        }
        view.kind = match &line.change {
            Change::EventInstalled { version, .. } => view.with("event_installed", *version),
            Change::RulesChanged { version, .. } => view.with("rules_changed", *version),
            Change::QueueJoined { joined, .. } => view.with("queue_joined", *joined),
            Change::QueueDrawn { people, .. } => view.with("queue_drawn", *people),
            Change::QueueAdmitted { cursor, .. } => view.with("queue_admitted", *cursor),
            Change::OrderOpened { .. } => "order_opened",
            Change::OrderHeld { until, .. } => {
                view.until = Some(text::time(*until));
                "order_held"
            }
            Change::OrderExtended { until, .. } => {
                view.until = Some(text::time(*until));
                "order_extended"
            }
            Change::PaymentStarted {
                attempt, amount, ..
            } => {
                view.amount = Some(*amount);
                view.trying("payment_started", *attempt)
            }
            Change::PaymentDeclined { attempt, .. } => view.trying("payment_declined", *attempt),
            Change::PaymentInDoubt { attempt, .. } => view.trying("payment_in_doubt", *attempt),
            Change::OrderCommitted { .. } => "order_committed",
            Change::OrderPaid { amount, .. } => {
                view.amount = Some(*amount);
                "order_paid"
            }
            Change::OrderClosed { why, .. } => {
                view.why = Some(status(OrderPhase::Closed(*why)).to_owned());
                "order_closed"
            }
            Change::RefundStarted { .. } => "refund_started",
            Change::OrderRefunded { .. } => "order_refunded",
            Change::SeatsHeld(_) => "seats_held",
            Change::SeatsPinned(_) => "seats_pinned",
            Change::SeatsUnpinned(_) => "seats_unpinned",
            Change::SeatsSold(moved) => view.tickets("seats_sold", shard, moved),
            Change::SeatsFreed(_) => "seats_freed",
            Change::SaleRevoked(moved) => view.tickets("sale_revoked", shard, moved),
        }
        .to_owned();
        view
    }

    fn with(&mut self, kind: &'static str, value: u64) -> &'static str {
        self.value = Some(value);
        kind
    }

    fn trying(&mut self, kind: &'static str, attempt: u8) -> &'static str {
        self.attempt = Some(attempt);
        kind
    }

    fn tickets(&mut self, kind: &'static str, shard: ShardId, moved: &Moved) -> &'static str {
        let ids = (0..moved.places.count() as u8).map(|place| ticket_id(shard, moved.leg, place));
        self.ticket_ids = ids.map(|ticket| text::id(ticket.0)).collect();
        kind
    }

    fn tell_places(&mut self, moved: &Moved, record: Option<&EventRecord>) {
        let section = moved.section.section;
        self.order_id = Some(text::id(moved.leg.order.0));
        self.buyer = Some(text::hex(&moved.buyer.0.to_be_bytes()));
        self.places = Some(moved.places.count());
        self.section = Some(match record {
            Some(record) => record.section_name(section).to_owned(),
            None => format!("#{}", section.0),
        });
        if let Places::Seats(seats) = &moved.places {
            let name = |seat: &SeatNo| match record {
                Some(record) => seat_name(record, section, *seat),
                None => format!("#{}", seat.0),
            };
            self.seats = seats.as_slice().iter().map(name).collect();
        }
    }
}

fn seat_name(record: &EventRecord, section: ledger::SectionNo, seat: SeatNo) -> String {
    let width = match record.plan.section(section).map(|plan| &plan.layout) {
        Some(Layout::Seated { seats_per_row, .. }) => *seats_per_row,
        _ => 1,
    };
    names::seat_id(record.section_name(section), width, seat)
}

/// Where an order stands at its home; `None` when that has forgotten it.
fn phase(state: &AppState, order: OrderId) -> Option<OrderPhase> {
    let look = state.read(order.home(), |ledger, _| {
        let live = ledger.order(order).map(|order| order.phase());
        live.or_else(|| {
            ledger
                .closed_order(order)
                .map(|closed| OrderPhase::Closed(closed.why))
        })
    });
    look.ok().flatten()
}

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LINES),
        Some(limit) if (1..=LINES_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::new(Code::QueryInvalid, "1 to 1000").at("limit")),
    }
}

/// Asks the read model beside the workers, and not for ever: it reads a disk that may hang.
#[allow(
    deprecated,
    reason = "the simulator's way of saying that it runs it in place"
)]
async fn ask<T: Send + 'static>(
    state: &AppState,
    question: impl FnOnce(&dyn History) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Problem> {
    let not_ready = || Problem::new(Code::NotReady, "this node's history is not ready");
    let history = state.history.get().cloned().ok_or_else(not_ready)?;
    let answer = tokio::task::spawn_blocking(move || question(&*history));
    match tokio::time::timeout(state.config.limits.deadline, answer).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => Err(not_ready()),
    }
}
