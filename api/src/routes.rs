//! All routes, each behind its guard.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, patch, post};
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use crate::guard::{self, Class, Guard, guard};
use crate::openapi::Document;
use crate::state::AppState;
use crate::{auth, events, orders, payments, probes, queue, reserve, routes_history, tickets};

/// The public door.
pub fn router(state: AppState) -> Router {
    let on = |route: &'static str, class: Class, methods: MethodRouter<AppState>| {
        let guarded = Guard::of(&state, route, class);
        methods.layer(from_fn_with_state(guarded, guard))
    };
    let docs: Router<AppState> = SwaggerUi::new("/docs")
        .url("/openapi.json", Document::openapi())
        .into();
    let docs_guard = Guard::of(&state, "docs", Class::Browse);
    let unknown = on("unknown", Class::Browse, axum::routing::any(guard::unknown));
    let mut router = Router::new()
        .route(
            "/api/v1/events",
            on("events_list", Class::Browse, get(events::list)).merge(on(
                "event_create",
                Class::Reserve,
                post(events::create),
            )),
        )
        .route(
            "/api/v1/events/{id}",
            on("event_show", Class::Browse, get(events::show)),
        )
        .route(
            "/api/v1/events/{id}/seats",
            on("seats", Class::Browse, get(events::seats)),
        )
        .route(
            "/api/v1/events/{id}/sale",
            on("sale_change", Class::Never, patch(events::change)),
        )
        .route(
            "/api/v1/events/{id}/queue",
            on("queue_document", Class::Poll, get(queue::document)),
        )
        .route(
            "/api/v1/queue/join",
            on("queue_join", Class::Join, post(queue::join)),
        )
        .route(
            "/api/v1/queue/status",
            on("queue_status", Class::Poll, get(queue::status)),
        )
        .route(
            "/api/v1/queue/proof",
            on("queue_proof", Class::Browse, get(queue::proof)),
        )
        .route(
            "/api/v1/seats/reserve",
            on("reserve", Class::Reserve, post(reserve::reserve)),
        )
        .route(
            "/api/v1/orders",
            on("orders_list", Class::Poll, get(routes_history::orders)),
        )
        .route(
            "/api/v1/tickets",
            on("tickets_list", Class::Poll, get(routes_history::tickets)),
        )
        .route(
            "/api/v1/events/{id}/feed",
            on("feed", Class::Browse, get(routes_history::feed)),
        )
        .route(
            "/api/v1/orders/{id}",
            on("order_show", Class::Poll, get(orders::show)),
        )
        .route(
            "/api/v1/orders/{id}/pay",
            on("order_pay", Class::Never, post(orders::pay)),
        )
        .route(
            "/api/v1/orders/{id}/hold",
            on("order_cancel", Class::Never, delete(orders::cancel)),
        )
        .route(
            "/api/v1/orders/{id}/refund",
            on("order_refund", Class::Never, post(orders::refund)),
        )
        .route(
            "/api/v1/tickets/{id}",
            on("ticket_show", Class::Poll, get(tickets::show)),
        )
        .route(
            "/api/v1/tickets/{id}/qr.svg",
            on("ticket_qr", Class::Browse, get(tickets::qr)),
        )
        .route(
            "/.well-known/usher-ticket-keys.json",
            on("ticket_keys", Class::Browse, get(tickets::keys)),
        )
        .route(
            "/webhooks/payments/{gateway}",
            on("webhook", Class::Never, post(payments::webhook)),
        );
    if state.config.dev {
        router = router.route(
            "/dev/token",
            on("dev_token", Class::Join, post(auth::dev_token)),
        );
    }
    router
        .merge(probes_of(&state))
        .merge(docs.layer(from_fn_with_state(docs_guard, guard)))
        .fallback_service(unknown.with_state(state.clone()))
        .with_state(state)
}

/// Probes and metrics for the operators' listener.
pub fn admin_router(state: AppState) -> Router {
    probes_of(&state).with_state(state)
}

fn probes_of(state: &AppState) -> Router<AppState> {
    let on = |route: &'static str, methods: MethodRouter<AppState>| {
        let guarded = Guard::of(state, route, Class::Never);
        methods.layer(from_fn_with_state(guarded, guard))
    };
    Router::new()
        .route("/livez", on("livez", get(probes::livez)))
        .route("/readyz", on("readyz", get(probes::readyz)))
        .route("/metrics", on("metrics", get(probes::metrics)))
}
