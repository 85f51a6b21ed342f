//! `PATCH /api/v1/events/{id}/sale`: the organizer runs the sale. Operators do the same at their own
//! listener, through [`run`].

use axum::extract::State;
use cluster::catalogue::{
    CatalogueCommand, CatalogueReceipt, CatalogueRejection, Deed, EventRecord,
};
use ledger::Timestamp;
use ledger::event::{EventRules, Sale};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::request::ADMIT_PER_MINUTE_MAX;
use crate::auth::{Acting, Caller};
use crate::extract::{Json, PathText};
use crate::problem::{Code, Problem};
use crate::rejections;
use crate::state::AppState;
use crate::text;

/// How often a change is computed anew because somebody else was faster.
const RETRIES_MAX: usize = 8;

/// A change; at least one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaleRequest {
    /// `open`, `pause`, `resume` or `close`.
    #[schema(pattern = "^(open|pause|resume|close)$")]
    pub action: Option<String>,
    /// People admitted a minute.
    #[schema(minimum = 0, maximum = 10000000)]
    pub admit_per_minute: Option<u32>,
}

/// The sale after the change.
#[derive(Serialize, ToSchema)]
pub struct SaleAnswer {
    /// `scheduled`, `open`, `paused` or `closed`.
    pub sale: &'static str,
    /// People admitted a minute; null without a waiting room.
    #[schema(minimum = 0, maximum = 4294967295i64)]
    pub admit_per_minute: Option<u32>,
    /// The event's version.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub version: u64,
}

/// Opens, pauses, resumes or closes the sale, or changes how fast people are admitted.
#[utoipa::path(patch, path = "/api/v1/events/{id}/sale", tag = "events", params(("id" = String, Path)),
    request_body = SaleRequest,
    responses((status = 200, body = SaleAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("bearer" = [])))]
pub async fn change(
    State(state): State<AppState>,
    caller: Caller,
    acting: Acting,
    path: PathText,
    Json(request): Json<SaleRequest>,
) -> Result<axum::Json<SaleAnswer>, Problem> {
    let deed = |action: &str, about| acting.deed(&state, action, about);
    let may = |record: &EventRecord| caller.organizer_of(record);
    run(&state, &path.0, &request, may, deed)
        .await
        .map(axum::Json)
}

/// What the route does, for whoever asks: `may` says whether this event is theirs to run, `deed` makes
/// the record of what they do, from an action and what it is about.
pub async fn run(
    state: &AppState,
    event: &str,
    request: &SaleRequest,
    may: impl Fn(&EventRecord) -> Result<(), Problem>,
    deed: impl FnOnce(&str, String) -> Deed,
) -> Result<SaleAnswer, Problem> {
    let event = text::parse_event(event).ok_or_else(super::unknown)?;
    request.check()?;
    let (action, about) = request.told();
    let deed = deed(action, format!("{}{about}", text::id(event.0)));
    for _ in 0..RETRIES_MAX {
        let record = state.event(event)?;
        may(&record)?;
        let now = state.backend.now();
        let rules = request.changed(&record.plan.rules, now)?;
        if rules == record.plan.rules {
            return Ok(answer(&rules, record.plan.version, now));
        }
        let expected = record.plan.version;
        let command = CatalogueCommand::ChangeRules {
            event,
            expected,
            rules: Box::new(rules.clone()),
        };
        let committed = state
            .backend
            .propose_catalogue(deed.clone(), command, state.config.limits.deadline)
            .await?;
        match committed.outcome {
            Ok(CatalogueReceipt::EventAt { version }) => {
                super::installed(state, event, version).await;
                return Ok(answer(&rules, version, now));
            }
            Ok(_) => {
                return Err(Problem::new(
                    Code::Internal,
                    "the catalogue answered something else",
                ));
            }
            // Wait until the local replica has what we lost against.
            Err(CatalogueRejection::VersionConflict { version }) => {
                super::installed(state, event, version).await
            }
            Err(why) => return Err(rejections::catalogue(why)),
        }
    }
    Err(Problem::new(Code::VersionConflict, "others keep changing this event").retry_after_s(1))
}

impl SaleRequest {
    fn check(&self) -> Result<(), Problem> {
        if self.action.is_none() && self.admit_per_minute.is_none() {
            return Err(Problem::field("action", "say action or admit_per_minute"));
        }
        let known = ["open", "pause", "resume", "close"];
        if self
            .action
            .as_deref()
            .is_some_and(|action| !known.contains(&action))
        {
            return Err(Problem::field("action", "open, pause, resume or close"));
        }
        if self
            .admit_per_minute
            .is_some_and(|rate| rate > ADMIT_PER_MINUTE_MAX)
        {
            return Err(Problem::field(
                "admit_per_minute",
                format!("0 to {ADMIT_PER_MINUTE_MAX}"),
            ));
        }
        Ok(())
    }

    /// What it is called in the trail, and what else it changes.
    fn told(&self) -> (&'static str, String) {
        let action = match self.action.as_deref() {
            Some("open") => "sale.open",
            Some("pause") => "sale.pause",
            Some("resume") => "sale.resume",
            Some("close") => "sale.close",
            _ => "sale.rate",
        };
        let rate = self.admit_per_minute;
        let about = rate.map_or(String::new(), |rate| format!(" {rate} admitted a minute"));
        (action, about)
    }

    fn changed(&self, rules: &EventRules, now: Timestamp) -> Result<EventRules, Problem> {
        let mut rules = rules.clone();
        if let Some(action) = &self.action {
            rules.sale = moved(&rules, action, now)?;
        }
        if let Some(rate) = self.admit_per_minute {
            let queue = rules.queue.as_mut();
            let queue = queue.ok_or_else(|| {
                Problem::new(Code::QueueNone, "this event has no waiting room")
                    .at("admit_per_minute")
            })?;
            queue.admit_per_minute = rate;
        }
        Ok(rules)
    }
}

/// Where an action leads. Repeating one changes nothing; closed is final.
fn moved(rules: &EventRules, action: &str, now: Timestamp) -> Result<Sale, Problem> {
    let illegal =
        |detail: &'static str| Err(Problem::new(Code::TransitionIllegal, detail).at("action"));
    let opened = match rules.sale {
        Sale::Scheduled => now >= rules.opens_at,
        Sale::Open => true,
        Sale::Paused | Sale::Closed => false,
    };
    match (action, rules.sale) {
        ("close", _) => Ok(Sale::Closed),
        (_, Sale::Closed) => illegal("the sale is closed for good"),
        ("open", _) => Ok(Sale::Open),
        ("resume", Sale::Paused) => Ok(Sale::Open),
        ("resume", sale) if opened => Ok(sale),
        ("pause", Sale::Paused) => Ok(Sale::Paused),
        ("pause", _) if opened => Ok(Sale::Paused),
        _ => illegal("the sale has not opened yet"),
    }
}

fn answer(rules: &EventRules, version: u64, now: Timestamp) -> SaleAnswer {
    let sale = match rules.sale {
        Sale::Closed => "closed",
        Sale::Paused => "paused",
        Sale::Scheduled if now < rules.opens_at => "scheduled",
        Sale::Scheduled | Sale::Open => "open",
    };
    SaleAnswer {
        sale,
        admit_per_minute: rules.queue.as_ref().map(|queue| queue.admit_per_minute),
        version,
    }
}
