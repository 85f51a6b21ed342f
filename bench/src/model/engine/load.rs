//! What a load and the engine say to each other.

use super::Engine;
use crate::model::request::{Class, Request, Ticket};

/// What a load wants to be woken for. The engine only hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The next slot of aggregated arrivals.
    Slot,
    /// The next heartbeats.
    Beat,
    /// One more of a kind arrives.
    Arrival(Class),
    /// Somebody has thought.
    Person(u32),
    /// Seats held by somebody who left are free again.
    Expired(u32),
    /// The waiting room's turn.
    Turn,
    /// A node dies; `true`: so that its machine answers nothing at all.
    Death(usize, bool),
}

/// What a load hears.
#[derive(Clone, Copy, Debug)]
pub enum Notice {
    /// It is time.
    Alarm(Alarm),
    /// A command of a request was applied. The request is still under way.
    Applied(Ticket),
    /// A request was answered.
    Answered(Request),
    /// So many people have a place now.
    Joined(u64),
}

/// Somebody who sends requests.
pub trait Load {
    /// Before anything happens.
    fn start(&mut self, engine: &mut Engine);
    /// Something happened.
    fn hear(&mut self, engine: &mut Engine, notice: Notice);
    /// Whether the run is over.
    fn is_over(&self) -> bool {
        false
    }
}
