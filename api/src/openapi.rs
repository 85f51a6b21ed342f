//! The OpenAPI 3.1 document, generated from the handlers. A test compares it with the routes.

use serde::Serialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

/// A refusal, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The kind, for programs; stable.
    pub error: String,
    /// The offending field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Seconds until asking again makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 86400)]
    pub retry_after: Option<u32>,
    /// The request's id.
    pub instance: String,
}

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(title = "Usher", description = "Selling seats when everyone comes at once."),
    paths(
        crate::events::create, crate::events::list, crate::events::show, crate::events::seats,
        crate::events::change, crate::queue::join, crate::queue::status, crate::queue::document,
        crate::queue::proof, crate::reserve::reserve, crate::orders::show, crate::orders::pay,
        crate::orders::cancel, crate::orders::refund, crate::tickets::show, crate::tickets::qr,
        crate::tickets::keys, crate::routes_history::orders, crate::routes_history::tickets,
        crate::routes_history::feed, crate::payments::webhook, crate::auth::dev_token,
        crate::probes::livez, crate::probes::readyz, crate::probes::metrics,
    ),
    modifiers(&Bearers)
)]
pub struct Document;

struct Bearers;

impl Modify for Bearers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        let bearer = |text: &str| {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(text))
                .build();
            SecurityScheme::Http(scheme)
        };
        components.add_security_scheme(
            "bearer",
            bearer("A token of the operator's identity provider"),
        );
        components.add_security_scheme("queue_token", bearer("The token that joining gave"));
    }
}
