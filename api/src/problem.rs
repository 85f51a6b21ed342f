//! Refusals as people and programs read them: RFC 9457 problems with a stable `error` code.
//!
//! One table, [`Code::entry`], says the status and title of every code. A [`Problem`] becomes a
//! response without a body; the guard around every route writes the body, because only it knows
//! the request's id.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $text:literal, $title:literal;)*) => {
        /// A stable reason for a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Status, stable text and title.
            pub fn entry(self) -> (StatusCode, &'static str, &'static str) {
                match self { $(Self::$name => (StatusCode::$status, $text, $title),)* }
            }

            /// Every code, for documents and tests.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

codes! {
    /// Not JSON, a wrong type, an unknown or missing field.
    BodyInvalid = BAD_REQUEST, "BODY_INVALID", "The request body could not be read";
    /// More bytes than the route takes.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "The request body is too large";
    /// The body did not arrive in time.
    BodyTooSlow = REQUEST_TIMEOUT, "BODY_TOO_SLOW", "The request body came too slowly";
    /// A body that is not JSON by its own account.
    MediaTypeUnsupported = UNSUPPORTED_MEDIA_TYPE, "MEDIA_TYPE_UNSUPPORTED", "Send application/json";
    /// A value out of its range.
    FieldInvalid = UNPROCESSABLE_ENTITY, "FIELD_INVALID", "A field has an impossible value";
    /// A query parameter that is missing, unknown or malformed.
    QueryInvalid = BAD_REQUEST, "QUERY_INVALID", "The query could not be read";
    /// Not 1 to 255 printable characters.
    IdempotencyKeyInvalid = BAD_REQUEST, "IDEMPOTENCY_KEY_INVALID", "The Idempotency-Key is malformed";
    /// The key was used with another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key belongs to another request";
    /// No token, or one that proves nothing.
    Unauthenticated = UNAUTHORIZED, "UNAUTHENTICATED", "A valid bearer token is needed";
    /// The token's role does not allow it.
    Forbidden = FORBIDDEN, "FORBIDDEN", "Not allowed";
    /// More wrong keys a second than are told what is wrong with them.
    TooManyWrongKeys = TOO_MANY_REQUESTS, "TOO_MANY_WRONG_KEYS", "Too many wrong keys";
    /// An operator's certificate or key of another role.
    RoleMissing = FORBIDDEN, "ROLE_MISSING", "The role does not allow this";
    /// No such route.
    RouteUnknown = NOT_FOUND, "NOT_FOUND", "No such resource";
    /// The route exists, not with this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Method not allowed";
    /// No such event.
    EventUnknown = NOT_FOUND, "EVENT_UNKNOWN", "No such event";
    /// No such order, or somebody else's.
    OrderUnknown = NOT_FOUND, "ORDER_UNKNOWN", "No such order";
    /// No such ticket, or somebody else's.
    TicketUnknown = NOT_FOUND, "TICKET_UNKNOWN", "No such ticket";
    /// The event has no such section.
    SectionUnknown = UNPROCESSABLE_ENTITY, "SECTION_UNKNOWN", "No such section";
    /// The section has no such seat.
    SeatUnknown = UNPROCESSABLE_ENTITY, "SEAT_UNKNOWN", "No such seat";
    /// The wanted seats make no order.
    OrderInvalid = UNPROCESSABLE_ENTITY, "ORDER_INVALID", "These seats make no order";
    /// More seats than one order may have.
    TooManySeats = UNPROCESSABLE_ENTITY, "TOO_MANY_SEATS", "Too many seats in one order";
    /// Somebody else has one of the seats.
    SeatTaken = CONFLICT, "SEAT_TAKEN", "A seat is taken";
    /// Not so many left together.
    NotEnoughSeats = CONFLICT, "NOT_ENOUGH_SEATS", "Not enough seats are left";
    /// More seats than one person may have.
    AllowanceExceeded = FORBIDDEN, "ALLOWANCE_EXCEEDED", "More seats than one person may have";
    /// The event has a waiting room and no token was given.
    PassRequired = FORBIDDEN, "PASS_REQUIRED", "Join the waiting room first";
    /// The queue token is forged, or for another event or buyer.
    QueueTokenInvalid = FORBIDDEN, "QUEUE_TOKEN_INVALID", "The queue token is not valid here";
    /// The place has not come up.
    NotAdmittedYet = FORBIDDEN, "NOT_ADMITTED_YET", "Your place has not come up yet";
    /// The pass has ended.
    PassExpired = FORBIDDEN, "PASS_EXPIRED", "The pass has ended";
    /// The pass was used.
    PassSpent = FORBIDDEN, "PASS_SPENT", "The pass was used before";
    /// Before the opening.
    SaleNotOpen = CONFLICT, "SALE_NOT_OPEN", "The sale has not opened yet";
    /// Paused.
    SalePaused = CONFLICT, "SALE_PAUSED", "The sale is paused";
    /// Closed.
    SaleClosed = CONFLICT, "SALE_CLOSED", "The sale is closed";
    /// A change of the sale that makes no sense now.
    TransitionIllegal = CONFLICT, "TRANSITION_ILLEGAL", "The sale cannot go there from here";
    /// Others changed the event at the same time, again and again.
    VersionConflict = CONFLICT, "VERSION_CONFLICT", "The event was changed by somebody else";
    /// The event has no waiting room.
    QueueNone = CONFLICT, "QUEUE_NONE", "This event has no waiting room";
    /// The waiting room takes nobody any more.
    QueueClosed = CONFLICT, "QUEUE_CLOSED", "The waiting room is closed";
    /// The waiting room is full.
    QueueFull = CONFLICT, "QUEUE_FULL", "The waiting room is full";
    /// There was no draw yet.
    NotDrawnYet = CONFLICT, "NOT_DRAWN_YET", "The draw has not taken place yet";
    /// The order is over.
    OrderOver = CONFLICT, "ORDER_OVER", "The order is over";
    /// The hold has ended.
    HoldExpired = CONFLICT, "HOLD_EXPIRED", "The hold has ended";
    /// A payment runs or is done.
    OrderInPayment = CONFLICT, "ORDER_IN_PAYMENT", "The order is being paid";
    /// Seats are still being gathered.
    OrderNotHeldYet = CONFLICT, "ORDER_NOT_HELD_YET", "The order's seats are still being held";
    /// The provider declined.
    PaymentDeclined = PAYMENT_REQUIRED, "PAYMENT_DECLINED", "The payment was declined";
    /// The provider's answer came for something that is over.
    PaymentStale = CONFLICT, "PAYMENT_STALE", "The payment answer is stale";
    /// Nothing to refund.
    NotPaid = CONFLICT, "NOT_PAID", "The order has not been paid";
    /// As many events as fit.
    EventsMax = CONFLICT, "EVENTS_MAX", "The cluster has as many events as fit";
    /// A webhook that is forged, too old or not understood.
    WebhookInvalid = BAD_REQUEST, "WEBHOOK_INVALID", "The webhook was not accepted";
    /// Too much at once.
    Overloaded = SERVICE_UNAVAILABLE, "OVERLOADED", "Too many requests at the moment";
    /// The disks of those who lead are all but full.
    DiskFull = SERVICE_UNAVAILABLE, "DISK_FULL", "The cluster has no room for new orders";
    /// No leader in time.
    NoLeader = SERVICE_UNAVAILABLE, "NO_LEADER", "The cluster is choosing a leader";
    /// This node has no copy of what was asked for.
    NoReplica = SERVICE_UNAVAILABLE, "NO_REPLICA", "Ask another node";
    /// The node is stopping or not yet part of a cluster.
    NotReady = SERVICE_UNAVAILABLE, "NOT_READY", "The node is not serving";
    /// It may or may not have happened.
    OutcomeUnknown = GATEWAY_TIMEOUT, "OUTCOME_UNKNOWN", "The outcome is not known";
    /// A fault of ours.
    Internal = INTERNAL_SERVER_ERROR, "INTERNAL", "Something went wrong here";
}

/// A refusal. Boxed: it travels in every `Result` of the hot path.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug, PartialEq)]
struct Parts {
    code: Code,
    detail: Cow<'static, str>,
    field: Option<String>,
    retry_after_s: Option<u32>,
    more: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A refusal with its explanation.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_s = (code.entry().0 == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            field: None,
            retry_after_s,
            more: Vec::new(),
        }))
    }

    /// A value out of its range.
    pub fn field(field: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::FieldInvalid, detail).at(field)
    }

    /// Names the offending field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Says when asking again makes sense.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Adds an extension member.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.more.push((name, value.into()));
        self
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The complete response for the request called `instance`.
    pub fn render(&self, instance: &str) -> Response {
        let parts = &*self.0;
        let (status, error, title) = parts.code.entry();
        let mut body = Map::with_capacity(8);
        let kebab = error.to_ascii_lowercase().replace('_', "-");
        body.insert(
            "type".into(),
            format!("https://usher.invalid/problems/{kebab}").into(),
        );
        body.insert("title".into(), title.into());
        body.insert("status".into(), status.as_u16().into());
        body.insert("detail".into(), json!(parts.detail));
        body.insert("error".into(), error.into());
        if let Some(field) = &parts.field {
            body.insert("field".into(), json!(field));
        }
        if let Some(seconds) = parts.retry_after_s {
            body.insert("retry_after".into(), seconds.into());
        }
        for (name, value) in &parts.more {
            body.insert((*name).into(), value.clone());
        }
        body.insert("instance".into(), instance.into());
        let mut response = (status, Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = parts.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if parts.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.code.entry().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_none_is_a_success() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.entry().1).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.entry().0.as_u16() >= 400));
    }
}
