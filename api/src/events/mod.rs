//! Events: creating them, looking at them and their seats, running their sale.

mod browse;
mod create;
mod request;
mod sale;
mod seats;
mod stream;

pub use browse::{
    CountsView, EventList, EventSummary, EventView, QueueView, SectionView, list, show,
};
pub use create::create;
pub use request::{CreateRequest, CreatedAnswer, QueueRequest, SectionRequest};
pub use sale::{SaleAnswer, SaleRequest, change, run as run_sale};
pub use seats::{SeatMaps, SeatQuery, seats};

pub(crate) use browse::{__path_list, __path_show};
pub(crate) use create::__path_create;
pub(crate) use sale::__path_change;
pub(crate) use seats::__path_seats;

use std::time::Duration;

use ledger::EventId;
use tokio::time::Instant;

use crate::extract::PathText;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// The event in a route's path.
pub(crate) fn in_path(path: &PathText) -> Result<EventId, Problem> {
    text::parse_event(&path.0).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::new(Code::EventUnknown, "no such event")
}

/// Waits until every shard has an event's version `version`, a while at most: whoever asks next
/// then meets shards that know it. Not having waited long enough costs a repeat, no promise.
pub(crate) async fn installed(state: &AppState, event: EventId, version: u64) {
    let deadline = Instant::now() + state.config.limits.deadline;
    let mut pause = Duration::from_millis(5);
    while Instant::now() < deadline {
        let known = state
            .backend
            .event(event)
            .is_some_and(|record| record.plan.version >= version);
        if known && state.backend.installed_everywhere(event) {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
