//! Spreading voters and leaders evenly, when an operator says so: it moves data and leaders, so it is
//! nothing that happens by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use cluster::catalogue::CatalogueCommand;
use cluster::members::REPLICATION_MAX;
use cluster::plan::{Seen, balance};
use serde::{Deserialize, Serialize};

use super::change::{How, change_from, seen};
use crate::node::admin::access::By;
use crate::node::admin::{Admin, problem};

/// For so long all logs are watched, to see which of them grow.
const WATCHED_FOR: Duration = Duration::from_secs(1);

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
    let before = match seen(&admin).await {
        Ok(look) => look,
        Err(refusal) => return refusal,
    };
    if before.registry.placement().version == 0 {
        let detail = "the members are being registered; ask again in a moment".to_owned();
        return problem(StatusCode::CONFLICT, "NOT_PLACED", detail);
    }
    if let Some(replicas) = request.replicas
        && (replicas % 2 == 0 || replicas > REPLICATION_MAX)
    {
        let detail = format!("replicas must be odd, from 1 to {REPLICATION_MAX}");
        return problem(StatusCode::BAD_REQUEST, "REPLICAS_INVALID", detail);
    }
    tokio::time::sleep(WATCHED_FOR).await;
    let look = match seen(&admin).await {
        Ok(look) => look,
        Err(refusal) => return refusal,
    };
    let placement = look.registry.placement();
    let replication = request.replicas.unwrap_or(placement.replication);
    let mut base = placement.groups.clone();
    let load = loads(&before.seen, &look.seen);
    for (group, seen) in &look.seen {
        let Some(seen) = seen else { continue };
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

/// What leading each group costs: the entries it wrote between two looks, or all it ever wrote when none
/// wrote any. Groups that were seen only once cost nothing that is known.
fn loads(before: &Seen, now: &Seen) -> BTreeMap<u32, u64> {
    let mut written = BTreeMap::new();
    let mut grown = BTreeMap::new();
    for (group, seen) in now {
        let Some(seen) = seen else { continue };
        written.insert(*group, seen.last_log);
        if let Some(Some(earlier)) = before.get(group) {
            grown.insert(*group, seen.last_log.saturating_sub(earlier.last_log));
        }
    }
    match grown.values().any(|entries| *entries > 0) {
        true => grown,
        false => written,
    }
}

#[cfg(test)]
mod tests {
    use cluster::plan::GroupSeen;

    use super::*;

    fn seen(last_logs: [Option<u64>; 3]) -> Seen {
        let group = |last_log| GroupSeen {
            leader: 1,
            configs: Vec::new(),
            settled: true,
            last_log,
            replicas: BTreeMap::new(),
        };
        let groups = last_logs.into_iter().map(|last| last.map(group));
        (0..).zip(groups).collect()
    }

    #[test]
    fn what_is_sold_now_counts_and_last_weeks_sale_only_while_nothing_is() {
        let before = seen([Some(5), Some(900_000), Some(70)]);
        let now = seen([Some(5), Some(900_001), Some(270)]);
        let sale = BTreeMap::from([(0, 0), (1, 1), (2, 200)]);
        assert_eq!(loads(&before, &now), sale);
        let ever = BTreeMap::from([(0, 5), (1, 900_000), (2, 70)]);
        assert_eq!(loads(&before, &before), ever);
    }

    #[test]
    fn a_group_that_no_leader_describes_is_left_out() {
        let before = seen([Some(1), None, Some(1)]);
        let now = seen([Some(3), Some(50), None]);
        assert_eq!(loads(&before, &now), BTreeMap::from([(0, 2)]));
    }
}
