//! What operators and organizers did, as this node's replica has it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use cluster::catalogue::{TrailRecord, Who};
use serde::{Deserialize, Serialize};

use super::Admin;

/// Records of one answer, at most.
const RECORDS_MAX: usize = 1_000;

/// Which records are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrailQuery {
    /// Those from this number on.
    from: u64,
    /// Those from this moment on, in ms since the epoch.
    since_ms: u64,
}

/// `GET /admin/trail`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrailView {
    /// Number of the oldest record that is kept; older ones are in backups.
    pub first: u64,
    /// Where to go on.
    pub next: u64,
    /// Whether there are more already.
    pub more: bool,
    /// Oldest first.
    pub records: Vec<RecordView>,
}

/// One thing somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// From 1, without gaps.
    pub number: u64,
    /// When, by the log's clock.
    pub at: String,
    /// The same in ms since the epoch.
    pub at_ms: u64,
    /// `unproven` (loopback, no certificate), `certificate`, `key`, `person` or `command line`.
    pub by: String,
    /// The certificate's or the key's name, the person's id.
    pub name: String,
    /// In which role.
    pub role: String,
    /// The key, if it was one.
    pub key: Option<String>,
    /// What kind, for programs.
    pub action: String,
    /// What exactly.
    pub about: String,
    /// The request's name, as in logs.
    pub request: String,
}

pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<TrailQuery>,
) -> Json<TrailView> {
    let view = admin.replicas.catalogue.look(|catalogue, _, _| {
        let trail = catalogue.trail();
        let wanted =
            |record: &&TrailRecord| record.number >= query.from && record.at.0 >= query.since_ms;
        let mut records = trail.records().filter(wanted).map(RecordView::of);
        let page: Vec<_> = records.by_ref().take(RECORDS_MAX).collect();
        let more = records.next().is_some();
        TrailView {
            first: trail.records().next().map_or(1, |record| record.number),
            next: match (more, page.last()) {
                (true, Some(last)) => last.number + 1,
                _ => trail.next(),
            },
            more,
            records: page,
        }
    });
    Json(view)
}

impl RecordView {
    /// A record as operators see it.
    pub fn of(record: &TrailRecord) -> Self {
        let deed = &record.deed;
        let (by, name, role, key) = match &deed.who {
            Who::Unproven => ("unproven", String::new(), "", None),
            Who::Certificate { name, role } => ("certificate", name.clone(), role.as_str(), None),
            Who::Key { id, name, role } => {
                ("key", name.clone(), role.as_str(), Some(id.to_string()))
            }
            Who::Person { id, role } => ("person", api::text::id(*id), role.as_str(), None),
            Who::CommandLine => ("command line", String::new(), "", None),
        };
        Self {
            number: record.number,
            at: api::text::time(record.at),
            at_ms: record.at.0,
            by: by.to_owned(),
            name,
            role: role.to_owned(),
            key,
            action: deed.action.clone(),
            about: deed.about.clone(),
            request: deed.request.clone(),
        }
    }
}
