//! `PATCH /admin/events/{id}/sale`: an operator runs a sale, as an organizer does at the public door.

use std::sync::Arc;

use api::events::{SaleRequest, run_sale};
use api::extract::Json;
use api::problem::Problem;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::Page;
use crate::node::admin::access::By;

/// Operators may run every sale: the row asks for the role.
pub(super) async fn change(
    State(page): State<Arc<Page>>,
    Extension(by): Extension<By>,
    Path(event): Path<String>,
    request: Result<Json<SaleRequest>, Problem>,
) -> Response {
    let changed = async {
        let Json(request) = request?;
        let deed = |action: &str, about: String| by.deed(action, about);
        run_sale(&page.admin.door, &event, &request, |_| Ok(()), deed).await
    };
    match changed.await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(problem) => problem.render(by.request()),
    }
}
