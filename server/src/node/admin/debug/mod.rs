//! What somebody needs who looks into a problem of this node, beside what operators see anyway: its
//! settings, its process, the files in its data directory, the last lines of its log. No secret is in it:
//! settings that are secrets are not shown, and whatever is told goes through [`Secrets`].

mod facts;
mod secrets;

use std::sync::Arc;

use api::AppState;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

pub use self::facts::{FactsView, FileView, FilesView, ProcessView};
use self::secrets::Secrets;
pub use self::secrets::without_credentials;
use super::access::{Least, Row, look, routes};
use super::problem;
use crate::node::config::Config;
use crate::recent_log::RECENT;

/// What the routes need.
pub struct Debug {
    config: Config,
    secrets: Secrets,
}

const ROUTES: &[Row<Arc<Debug>>] = &[
    look("/admin/debug/facts", || get(facts)),
    look("/admin/debug/log", || get(log)),
];

/// The rows, for tests.
pub(super) fn table() -> impl Iterator<Item = (Method, &'static str, Least)> {
    ROUTES
        .iter()
        .map(|row| (row.method.clone(), row.path, row.least))
}

/// The routes, to be merged into the operators'.
pub fn router(config: Config, door: &AppState) -> Router {
    let secrets = Secrets::of(&config);
    routes(ROUTES, door).with_state(Arc::new(Debug { config, secrets }))
}

async fn facts(State(debug): State<Arc<Debug>>) -> Response {
    // A directory may have many files, and a disk in trouble is slow.
    let told = tokio::task::spawn_blocking(move || FactsView::of(&debug.config, &debug.secrets));
    match told.await {
        Ok(facts) => Json(facts).into_response(),
        Err(error) => {
            let detail = error.to_string();
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "FACTS_UNREADABLE",
                detail,
            )
        }
    }
}

async fn log(State(debug): State<Arc<Debug>>) -> Response {
    let (lines, gone) = RECENT.all();
    let mut text = format!("({gone} lines went before these)\n");
    for line in lines {
        text.push_str(&debug.secrets.removed(&line));
        text.push('\n');
    }
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
