//! Tickets over HTTP: the token, its QR code, the published keys.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cluster::names;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::qr::QRBuilder;
use http::{HeaderValue, header};
use ledger::event::Layout;
use ledger::tickets::{Ticket, TicketState};
use serde::Serialize;
use utoipa::ToSchema;

use super::{TicketFacts, TicketKeySet};
use crate::auth::{Caller, Role};
use crate::extract::PathText;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// A ticket.
#[derive(Serialize, ToSchema)]
pub struct TicketView {
    /// Its id.
    pub ticket_id: String,
    /// Its order.
    pub order_id: String,
    /// Its event.
    pub event_id: String,
    /// Its seat; null in a standing section.
    pub seat_id: Option<String>,
    /// Its section.
    pub section: String,
    /// `valid` or `void`.
    pub status: &'static str,
    /// What the QR code says; verifiable offline.
    pub token: String,
    /// The key that signed it.
    pub key_id: String,
}

/// A ticket: for its buyer, those who run its event, and the gate.
#[utoipa::path(get, path = "/api/v1/tickets/{id}", tag = "tickets", params(("id" = String, Path)),
    responses((status = 200, body = TicketView), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn show(
    State(state): State<AppState>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<axum::Json<TicketView>, Problem> {
    find(&state, &caller, &id).await.map(axum::Json)
}

/// A ticket's QR code.
#[utoipa::path(get, path = "/api/v1/tickets/{id}/qr.svg", tag = "tickets", params(("id" = String, Path)),
    responses((status = 200, content_type = "image/svg+xml", body = String),
        (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn qr(
    State(state): State<AppState>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Response, Problem> {
    let ticket = find(&state, &caller, &id).await?;
    if ticket.status == "void" {
        return Err(Problem::new(Code::OrderOver, "this ticket is void"));
    }
    let code = QRBuilder::new(ticket.token)
        .build()
        .map_err(|_| Problem::new(Code::Internal, "the code does not fit"))?;
    let svg = SvgBuilder::default().to_str(&code);
    let kind = HeaderValue::from_static("image/svg+xml");
    let private = HeaderValue::from_static("private, no-store");
    Ok((
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, private),
        ],
        svg,
    )
        .into_response())
}

/// The keys that tickets are verified with.
#[utoipa::path(get, path = "/.well-known/usher-ticket-keys.json", tag = "tickets",
    responses((status = 200, body = TicketKeySet)))]
pub async fn keys(State(state): State<AppState>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let hour = HeaderValue::from_static("public, max-age=3600");
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, hour)];
    (headers, state.ticket_keys.document()).into_response()
}

async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<TicketView, Problem> {
    let unknown = || Problem::new(Code::TicketUnknown, "no such ticket");
    let id = text::parse_ticket(id).ok_or_else(unknown)?;
    let shard = id.shard();
    if !(1..=state.router()?.count()).contains(&shard.0) {
        return Err(unknown());
    }
    let look = || state.read(shard, |ledger, _| ledger.tickets().get(id));
    let ticket = match look()? {
        Some(ticket) => ticket,
        // Sold through another node a moment ago, perhaps.
        None => {
            state
                .backend
                .catch_up(shard, state.config.limits.deadline)
                .await?;
            look()?.ok_or_else(unknown)?
        }
    };
    let record = state.event(ticket.section.event).map_err(|_| unknown())?;
    let may = match caller.role {
        Role::Buyer => ticket.buyer == caller.person,
        _ => caller.looks_at(&record).is_ok(),
    };
    if !may {
        return Err(unknown());
    }
    Ok(view(state, &record, &ticket))
}

fn view(state: &AppState, record: &cluster::catalogue::EventRecord, ticket: &Ticket) -> TicketView {
    let section = record.section_name(ticket.section.section);
    let layout = record
        .plan
        .section(ticket.section.section)
        .map(|plan| &plan.layout);
    let seat_id = match (ticket.seat, layout) {
        (Some(seat), Some(Layout::Seated { seats_per_row, .. })) => {
            Some(names::seat_id(section, *seats_per_row, seat))
        }
        _ => None,
    };
    let facts = TicketFacts {
        ticket: ticket.id,
        order: ticket.order,
        event: ticket.section.event,
        label: seat_id.as_deref().unwrap_or(section),
    };
    TicketView {
        token: state.ticket_keys.sign(&facts),
        key_id: state.ticket_keys.key_id().to_owned(),
        ticket_id: text::id(ticket.id.0),
        order_id: text::id(ticket.order.0),
        event_id: text::id(ticket.section.event.0),
        section: section.to_owned(),
        status: match ticket.state {
            TicketState::Valid => "valid",
            TicketState::Void => "void",
        },
        seat_id,
    }
}
