//! One change: tried on a copy, told, and then committed.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cluster::catalogue::{Catalogue, CatalogueCommand, CatalogueRejection, Deed};
use cluster::members::Registry;
use cluster::plan::{Blocked, Reason, Rehearsal, rehearse};
use serde::Deserialize;

use super::not_initialized;
use super::views::ChangeView;
use crate::node::admin::commit::{NotDone, commit};
use crate::node::admin::{Admin, problem};
use crate::node::members::{BOUNDS, Look, look};

/// How a change is to be made.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::node::admin) struct How {
    /// Only tells what would be done.
    pub(super) dry_run: bool,
    /// Records the wish although it cannot be carried out now.
    pub(super) anyway: bool,
}

/// Every group as it is now.
pub(super) async fn seen(admin: &Admin) -> Result<Look, Response> {
    let client = admin.node.client();
    let look = look(&client, &admin.replicas).await;
    look.ok_or_else(not_initialized)
}

/// Tries a command on a copy of what is known, and commits it unless it cannot come to its end.
pub(super) async fn change(
    admin: &Admin,
    by: &Deed,
    command: &CatalogueCommand,
    how: How,
) -> Response {
    match seen(admin).await {
        Ok(look) => change_from(admin, &look, by, command, how).await,
        Err(refusal) => refusal,
    }
}

/// The same from what was already looked at.
pub(super) async fn change_from(
    admin: &Admin,
    look: &Look,
    by: &Deed,
    command: &CatalogueCommand,
    how: How,
) -> Response {
    let rehearsal = match tried(look, command) {
        Ok(registry) => rehearse(registry, look.seen.clone(), BOUNDS),
        Err(rejection) => return refused(rejection),
    };
    if !how.anyway && rehearsal.blocked.iter().any(is_lasting) {
        return blocked(&rehearsal);
    }
    if how.dry_run {
        return Json(ChangeView::of(&rehearsal, false)).into_response();
    }
    match commit(admin, by, command).await {
        Ok(()) => Json(ChangeView::of(&rehearsal, true)).into_response(),
        Err(NotDone::Refused(rejection)) => refused(rejection),
        Err(NotDone::NotCommitted(detail)) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "NOT_COMMITTED", detail)
        }
    }
}

fn tried(look: &Look, command: &CatalogueCommand) -> Result<Registry, CatalogueRejection> {
    let mut copy = Catalogue::from_parts(look.shards, None, [], [], look.registry.clone());
    copy.apply(command)?;
    Ok(copy.registry().clone())
}

/// Whether a reason to wait does not go away by itself.
fn is_lasting(blocked: &Blocked) -> bool {
    match blocked.reason {
        Reason::Unsettled | Reason::Behind { .. } | Reason::LeaderNotReady { .. } => false,
        Reason::NoLeader
        | Reason::NoQuorum { .. }
        | Reason::NoNewQuorum { .. }
        | Reason::NotHeard { .. }
        | Reason::ZonesCrowded
        | Reason::TooFewMembers { .. } => true,
    }
}

fn refused(rejection: CatalogueRejection) -> Response {
    let status = match rejection {
        CatalogueRejection::NodeUnknown => StatusCode::NOT_FOUND,
        CatalogueRejection::NodeInvalid => StatusCode::BAD_REQUEST,
        _ => StatusCode::CONFLICT,
    };
    problem(status, code(rejection), rejection.to_string())
}

fn code(rejection: CatalogueRejection) -> &'static str {
    match rejection {
        CatalogueRejection::NodeInvalid => "NODE_INVALID",
        CatalogueRejection::NodeIdTaken => "NODE_ID_TAKEN",
        CatalogueRejection::NodeWasRemoved => "NODE_WAS_REMOVED",
        CatalogueRejection::AddressTaken { .. } => "ADDRESS_TAKEN",
        CatalogueRejection::NodesMax => "NODES_MAX",
        CatalogueRejection::NodeUnknown => "NODE_UNKNOWN",
        CatalogueRejection::NotPlaced => "NOT_PLACED",
        CatalogueRejection::TooFewNodes { .. } => "TOO_FEW_NODES",
        CatalogueRejection::NodeIsLeaving => "NODE_IS_LEAVING",
        CatalogueRejection::NotDrained => "NOT_DRAINED",
        CatalogueRejection::PlacementConflict { .. } => "PLACEMENT_CONFLICT",
        CatalogueRejection::PlacementInvalid => "PLACEMENT_INVALID",
        CatalogueRejection::ShardsAreFixed { .. } => "SHARDS_ARE_FIXED",
        CatalogueRejection::NodeTooOld { .. } => "NODE_TOO_OLD",
        CatalogueRejection::VersionTooLow { .. } => "VERSION_TOO_LOW",
        _ => "REFUSED",
    }
}

fn blocked(rehearsal: &Rehearsal) -> Response {
    let lasting = rehearsal
        .blocked
        .iter()
        .filter(|blocked| is_lasting(blocked));
    let lines = lasting.map(|blocked| format!("{blocked}: {}", blocked.remedy()));
    let detail = lines.collect::<Vec<_>>().join("; ");
    problem(StatusCode::CONFLICT, "PLAN_BLOCKED", detail)
}
