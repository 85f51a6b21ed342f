//! What happens around every route, once: the request's name, shedding under overload, who may ask at
//! all, problems' bodies, panics, counting, the access log.
//!
//! Under overload strangers wait, promises do not (P9): browsing is shed first, then polling,
//! joining, reserving; payments, refunds and webhooks never.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;
use trace::{Done, Span, Trace};

use crate::auth::access::{self, Entry};
use crate::auth::{RequestName, Role};
use crate::extract;
use crate::metrics::{Answer, Kind};
use crate::problem::{Code, Problem};
use crate::rejections::no_room;
use crate::request_id;
use crate::state::AppState;

/// How early a route is shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Looking around.
    Browse,
    /// Asking for one's place or order.
    Poll,
    /// Entering a waiting room.
    Join,
    /// Reserving, and running a sale.
    Reserve,
    /// Paying, giving back, webhooks, probes.
    Never,
}

impl Class {
    /// Whether it begins something that will write for long: a place in a line, an order, a show.
    fn is_new_demand(self) -> bool {
        matches!(self, Self::Join | Self::Reserve)
    }

    /// Its label, and the share of all requests at which it is shed, in percent.
    fn entry(self) -> (&'static str, usize) {
        match self {
            Self::Browse => ("browse", 50),
            Self::Poll => ("poll", 70),
            Self::Join => ("join", 85),
            Self::Reserve => ("reserve", 100),
            Self::Never => ("never", usize::MAX),
        }
    }
}

/// A route, as the guard knows it.
#[derive(Clone)]
pub struct Guard {
    /// The door's state.
    pub state: AppState,
    /// The route's name in metrics and logs.
    pub route: &'static str,
    /// How early it is shed.
    pub class: Class,
    /// Who may ask for it.
    pub access: &'static Entry,
}

/// A request in the count of requests.
struct Counted<'a>(&'a AppState);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Guard {
    /// The guard of a route. Every route stands in the table of who may ask for it.
    pub fn of(state: &AppState, route: &'static str, class: Class) -> Self {
        Self {
            state: state.clone(),
            route,
            class,
            access: access::entry(route).expect("every route says who may ask for it"),
        }
    }

    /// Asks who it is where that matters, and leaves the answer to the handler.
    fn identify(&self, request: &mut Request, name: &str) -> Result<(), Problem> {
        let Some(roles) = self.access.roles(request.method()) else {
            return Ok(());
        };
        let caller = self.state.caller(request.headers())?;
        if !roles.contains(&caller.role) {
            return Err(Problem::new(Code::Forbidden, access::refusal(roles)));
        }
        request.extensions_mut().insert(caller);
        if caller.role != Role::Buyer {
            let name = RequestName(name.to_owned());
            request.extensions_mut().insert(name);
        }
        Ok(())
    }

    /// What a caller wants followed (`traceparent`).
    fn follow(&self, headers: &HeaderMap) -> Option<Span> {
        let cause = Trace::parse(headers.get("traceparent")?.to_str().ok()?)?;
        let now_ms = self.state.backend.now().0;
        let salt = self.state.request_ids.number();
        Some(Span::begin(cause, self.route, salt, now_ms))
    }

    fn admit(&self, running: usize) -> Result<(), Problem> {
        let (label, percent) = self.class.entry();
        let max = self.state.config.limits.requests_max;
        if percent == usize::MAX || running < max * percent / 100 {
            return Ok(());
        }
        self.state
            .metrics
            .shed
            .get_or_create(&Kind { kind: label })
            .inc();
        Err(Problem::new(
            Code::Overloaded,
            "this node is busy; try again shortly",
        ))
    }
}

/// The middleware.
pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let state = &guard.state;
    let started = Instant::now();
    let name = state.request_ids.of(request.headers());
    let running = state.requests.fetch_add(1, Ordering::Relaxed);
    let _counted = Counted(state);
    let span = guard.follow(request.headers());
    let trace = span.as_ref().map(Span::trace);
    let outcome = match checked(&guard, &mut request, running, &name) {
        Ok(()) => AssertUnwindSafe(trace::within(trace, next.run(request)))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                state.metrics.panics.inc();
                tracing::error!(request = name, route = guard.route, "a handler panicked");
                axum::response::IntoResponse::into_response(Problem::new(
                    Code::Internal,
                    "the request failed",
                ))
            }),
        Err(problem) => axum::response::IntoResponse::into_response(problem),
    };
    let mut response = finished(state, outcome, &name);
    if let Ok(value) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    let status = response.status().as_u16();
    state
        .metrics
        .answers
        .get_or_create(&Answer {
            route: guard.route,
            status,
        })
        .inc();
    let took = started.elapsed();
    state.metrics.took(guard.route, took);
    let trace = trace.map(|trace| trace.id());
    tracing::debug!(
        request = name,
        trace,
        route = guard.route,
        status,
        "answered"
    );
    if let Some(span) = span {
        let failed = status >= 500;
        span.end(
            took,
            Done {
                status,
                failed,
                ..Done::default()
            },
        );
    }
    response
}

fn checked(
    guard: &Guard,
    request: &mut Request,
    running: usize,
    name: &str,
) -> Result<(), Problem> {
    guard.admit(running)?;
    if guard.class.is_new_demand() && !guard.state.backend.has_room() {
        return Err(no_room());
    }
    if request.method() == Method::POST {
        extract::idempotency_key(request.headers())?;
    }
    guard.identify(request, name)
}

/// Gives problems their bodies.
fn finished(state: &AppState, mut response: Response, name: &str) -> Response {
    let problem = response.extensions_mut().remove::<Problem>();
    let Some(problem) = problem.or_else(|| foreign(&response)) else {
        return response;
    };
    state
        .metrics
        .refusals
        .get_or_create(&Kind {
            kind: problem.code().entry().1,
        })
        .inc();
    let mut rendered = problem.render(name);
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
        rendered.headers_mut().insert(header::ALLOW, allow);
    }
    rendered
}

/// Refusals that axum makes itself.
fn foreign(response: &Response) -> Option<Problem> {
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            Some(Problem::new(Code::MethodNotAllowed, "see the Allow header"))
        }
        _ => None,
    }
}

/// Answers paths that no route has.
pub async fn unknown() -> Problem {
    Problem::new(Code::RouteUnknown, "see /openapi.json")
}
