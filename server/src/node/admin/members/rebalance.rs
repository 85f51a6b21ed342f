//! Spreading voters and leaders evenly, when an operator says so: it moves data and leaders, so it is
//! nothing that happens by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use cluster::catalogue::CatalogueCommand;
use cluster::members::REPLICATION_MAX;
use cluster::plan::balance;
use serde::{Deserialize, Serialize};

use super::change::{How, change_from, seen};
use crate::node::admin::access::By;
use crate::node::admin::{Admin, problem};

/// `POST /admin/rebalance`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RebalanceRequest {
    /// How many voters a group is to have; as many as now when left out. Odd: one more than an odd
    /// number survives no further failure.
    pub replicas: Option<u8>,
}

pub(in crate::node::admin) async fn rebalance(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<By>,
    Query(how): Query<How>,
    Json(request): Json<RebalanceRequest>,
) -> Response {
    let look = match seen(&admin).await {
        Ok(look) => look,
        Err(refusal) => return refusal,
    };
    let placement = look.registry.placement();
    if placement.version == 0 {
        let detail = "the members are being registered; ask again in a moment".to_owned();
        return problem(StatusCode::CONFLICT, "NOT_PLACED", detail);
    }
    if let Some(replicas) = request.replicas
        && (replicas % 2 == 0 || replicas > REPLICATION_MAX)
    {
        let detail = format!("replicas must be odd, from 1 to {REPLICATION_MAX}");
        return problem(StatusCode::BAD_REQUEST, "REPLICAS_INVALID", detail);
    }
    let replication = request.replicas.unwrap_or(placement.replication);
    let mut base = placement.groups.clone();
    let mut load = BTreeMap::new();
    for (group, seen) in &look.seen {
        let Some(seen) = seen else { continue };
        // What a group has written so far is what leading it has cost.
        load.insert(*group, seen.last_log);
        // Whoever leads keeps leading where that is as good as anybody.
        let wish = base.entry(*group).or_default();
        wish.leader = wish.leader.or(Some(seen.leader));
    }
    match balance(&look.registry, replication, &base, &load) {
        Ok(groups) => {
            let command = CatalogueCommand::Place {
                expected: placement.version,
                replication,
                groups: groups.into_iter().collect(),
            };
            let deed = by.deed("cluster.rebalance", format!("{replication} voters a group"));
            change_from(&admin, &look, &deed, &command, how).await
        }
        Err(error) => problem(StatusCode::CONFLICT, "TOO_FEW_NODES", error.to_string()),
    }
}
