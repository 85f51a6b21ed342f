//! The operators' web page: the cluster and its sale as this node sees them, live, and what operators do
//! most often, through the routes that the command line asks as well.
//!
//! The page is files in this program; it loads nothing from anywhere else, and the browser is told not to.
//! What it shows is one picture a second (`picture`), made once for all who watch (`live`).

mod live;
mod picture;
mod sale;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};

use self::live::Live;
use super::Admin;
use super::access::{Least, Row, change, look, routes};

/// Everything from here, nothing inline, in nobody's frame.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page's routes need.
pub struct Page {
    admin: Arc<Admin>,
    live: Live,
}

/// The page's routes, and who may ask for them.
const ROUTES: &[Row<Arc<Page>>] = &[
    look("/", || get(|| file(HTML, include_str!("static/page.html")))),
    look("/page/page.css", || {
        get(|| file(CSS, include_str!("static/page.css")))
    }),
    look("/page/page.js", || {
        get(|| file(JS, include_str!("static/page.js")))
    }),
    look("/page/show.js", || {
        get(|| file(JS, include_str!("static/show.js")))
    }),
    look("/page/act.js", || {
        get(|| file(JS, include_str!("static/act.js")))
    }),
    look("/page/dom.js", || {
        get(|| file(JS, include_str!("static/dom.js")))
    }),
    look("/page/icon.svg", || {
        get(|| file("image/svg+xml", include_str!("static/icon.svg")))
    }),
    look("/admin/live", || get(live::watch)),
    change(Method::PATCH, "/admin/events/{id}/sale", || {
        patch(sale::change)
    }),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// The rows, for tests.
pub(super) fn table() -> impl Iterator<Item = (Method, &'static str, Least)> {
    ROUTES
        .iter()
        .map(|row| (row.method.clone(), row.path, row.least))
}

/// The routes, to be merged into the operators'.
pub(super) fn router(admin: Arc<Admin>) -> Router {
    let door = admin.door.clone();
    let live = Live::default();
    routes(ROUTES, &door).with_state(Arc::new(Page { admin, live }))
}

async fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A node that was upgraded has another page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}
