//! Moving one group's leader by hand.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cluster::catalogue::CatalogueCommand;
use serde::Deserialize;

use super::change::{How, change_from, seen};
use crate::node::admin::access::By;
use crate::node::admin::commit::{NotDone, commit};
use crate::node::admin::{Admin, problem};
use crate::node::members::{BOUNDS, Look};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::node::admin) struct MoveLeader {
    group: u32,
    to: u64,
}

pub(in crate::node::admin) async fn move_leader(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Query(how): Query<How>,
    Json(request): Json<MoveLeader>,
) -> Response {
    let MoveLeader { group, to } = request;
    let deed = by.deed("leader.move", format!("group {group} to node {to}"));
    let not_moved = |detail| problem(StatusCode::CONFLICT, "LEADER_NOT_MOVED", detail);
    if how.dry_run || !how.anyway {
        let look = match seen(&admin).await {
            Ok(look) => look,
            Err(refusal) => return refusal,
        };
        if let Err(detail) = able(&look, group, to) {
            return not_moved(detail);
        }
        if how.dry_run {
            return Json(serde_json::json!({ "group": group, "leader": to, "done": false }))
                .into_response();
        }
        // A placement that wants somebody else would have the mover move it back.
        if let Some(command) = wanted_there(&look, group, to) {
            let noted = change_from(
                &admin,
                &look,
                &deed,
                &command,
                How {
                    anyway: true,
                    ..how
                },
            )
            .await;
            if !noted.status().is_success() {
                return noted;
            }
        }
    }
    // Before it moves: no log holds the move itself. A placement that said so was the record already,
    // and the same deed is written down once.
    match commit(&admin, &deed, &CatalogueCommand::Note).await {
        Ok(()) => {}
        Err(NotDone::NotCommitted(detail)) => {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "NOT_COMMITTED", detail);
        }
        Err(NotDone::Refused(rejection)) => return not_moved(rejection.to_string()),
    }
    match admin.node.move_leader(group, to).await {
        Ok(()) => {
            Json(serde_json::json!({ "group": group, "leader": to, "done": true })).into_response()
        }
        Err(error) => not_moved(error.to_string()),
    }
}

fn able(look: &Look, group: u32, to: u64) -> Result<(), String> {
    let Some(seen) = look.seen.get(&group) else {
        let last = look.shards;
        return Err(format!("there is no group {group}; groups are 0 to {last}"));
    };
    let Some(seen) = seen else {
        return Err(format!("no leader of group {group} answers; wait for one"));
    };
    let voters = seen.voters();
    if !voters.contains(&to) {
        return Err(format!(
            "node {to} is not a voter of group {group}; its voters are {voters:?}"
        ));
    }
    match seen.is_ready(to, BOUNDS) {
        true => Ok(()),
        false => Err(format!(
            "node {to} has not answered lately or lacks {} entries; wait until it has caught up",
            seen.lag(to)
        )),
    }
}

/// The placement with this leader, if it names another one.
fn wanted_there(look: &Look, group: u32, to: u64) -> Option<CatalogueCommand> {
    let placement = look.registry.placement();
    let wish = placement.groups.get(&group)?;
    let other = wish.leader.is_some_and(|leader| leader != to);
    if !other || !wish.voters.contains(&to) {
        return None;
    }
    let mut groups = placement.groups.clone();
    groups.entry(group).or_default().leader = Some(to);
    Some(CatalogueCommand::Place {
        expected: placement.version,
        replication: placement.replication,
        groups: groups.into_iter().collect(),
    })
}
