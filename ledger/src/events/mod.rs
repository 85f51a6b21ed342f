//! What this shard knows of each event: its sections and rules, and its waiting room if that is
//! kept here.

mod install;
mod room;

pub(crate) use install::valid_sections;

use crate::event::EventPlan;
use crate::ids::Timestamp;

/// An event, as one shard sees it.
#[derive(Clone, Debug)]
pub struct EventState {
    /// Sections and rules.
    pub plan: EventPlan,
    /// When its waiting room is looked after next; noted in the due index.
    pub(crate) room_due: Option<Timestamp>,
}
