//! Who may ask for what: one table of all routes. A route that is not in it is not served
//! (`routes.rs` asks for each), and the guard refuses by it before a handler runs.

use http::Method;

use super::Role;
use super::Role::{Buyer, Gate, Operator, Organizer, ReadOnly};

/// To whom a route is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To everybody.
    Open,
    /// To whoever shows what the route itself checks: a queue token, a webhook's signature.
    Checked,
    /// To these roles.
    Roles(&'static [Role]),
}

/// A route.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in metrics and logs.
    pub route: &'static str,
    /// Its method; `GET` answers `HEAD` as well.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
}

const fn row(route: &'static str, method: Method, path: &'static str, access: Access) -> Entry {
    Entry {
        route,
        method,
        path,
        access,
    }
}

const OPEN: Access = Access::Open;
const CHECKED: Access = Access::Checked;
/// What buyers do for themselves.
const BUYERS: Access = Access::Roles(&[Buyer]);
/// What changes an event.
const ORGANIZERS: Access = Access::Roles(&[Organizer, Operator]);
/// What those see who run events.
const WATCHERS: Access = Access::Roles(&[Organizer, Operator, ReadOnly]);
/// An order, for its buyer and those who run its event.
const PARTIES: Access = Access::Roles(&[Buyer, Organizer, Operator, ReadOnly]);
/// A ticket lets its bearer in: nobody sees it who merely looks on.
const TICKETS: Access = Access::Roles(&[Buyer, Organizer, Operator, Gate]);

/// Every route of the public door.
pub const ROUTES: &[Entry] = &[
    row("events_list", Method::GET, "/api/v1/events", OPEN),
    row("event_create", Method::POST, "/api/v1/events", ORGANIZERS),
    row("event_show", Method::GET, "/api/v1/events/{id}", OPEN),
    row("seats", Method::GET, "/api/v1/events/{id}/seats", OPEN),
    row(
        "sale_change",
        Method::PATCH,
        "/api/v1/events/{id}/sale",
        ORGANIZERS,
    ),
    row(
        "queue_document",
        Method::GET,
        "/api/v1/events/{id}/queue",
        OPEN,
    ),
    row("feed", Method::GET, "/api/v1/events/{id}/feed", WATCHERS),
    row("queue_join", Method::POST, "/api/v1/queue/join", BUYERS),
    row("queue_status", Method::GET, "/api/v1/queue/status", CHECKED),
    row("queue_proof", Method::GET, "/api/v1/queue/proof", CHECKED),
    row("reserve", Method::POST, "/api/v1/seats/reserve", BUYERS),
    row("orders_list", Method::GET, "/api/v1/orders", BUYERS),
    row("order_show", Method::GET, "/api/v1/orders/{id}", PARTIES),
    row("order_pay", Method::POST, "/api/v1/orders/{id}/pay", BUYERS),
    row(
        "order_cancel",
        Method::DELETE,
        "/api/v1/orders/{id}/hold",
        BUYERS,
    ),
    row(
        "order_refund",
        Method::POST,
        "/api/v1/orders/{id}/refund",
        ORGANIZERS,
    ),
    row("tickets_list", Method::GET, "/api/v1/tickets", BUYERS),
    row("ticket_show", Method::GET, "/api/v1/tickets/{id}", TICKETS),
    row(
        "ticket_qr",
        Method::GET,
        "/api/v1/tickets/{id}/qr.svg",
        TICKETS,
    ),
    row(
        "ticket_keys",
        Method::GET,
        "/.well-known/usher-ticket-keys.json",
        OPEN,
    ),
    row(
        "webhook",
        Method::POST,
        "/webhooks/payments/{gateway}",
        CHECKED,
    ),
    row("dev_token", Method::POST, "/dev/token", OPEN),
    row("livez", Method::GET, "/livez", OPEN),
    row("readyz", Method::GET, "/readyz", OPEN),
    row("metrics", Method::GET, "/metrics", OPEN),
    row("docs", Method::GET, "/docs", OPEN),
    row("unknown", Method::GET, "/{unknown}", OPEN),
];

/// The route called `route`.
pub fn entry(route: &str) -> Option<&'static Entry> {
    ROUTES.iter().find(|entry| entry.route == route)
}

impl Entry {
    /// The roles that a request with this method needs one of; none for what is open, and for a
    /// method that the route does not have.
    pub fn roles(&self, method: &Method) -> Option<&'static [Role]> {
        let asks = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        match self.access {
            Access::Roles(roles) if *asks == self.method => Some(roles),
            _ => None,
        }
    }
}

/// What is said to somebody in another role.
pub fn refusal(roles: &[Role]) -> String {
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    format!("this needs the role {}", names.join(" or "))
}
