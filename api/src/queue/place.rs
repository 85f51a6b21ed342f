//! Where a place stands, read from a replica's room.

use ledger::Timestamp;
use ledger::event::EventRules;
use ledger::limits::PASS_MS;
use ledger::queue::{Room, RoomState};
use probes::Bug;

/// A place in a waiting room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// From 0; `None` before the draw.
    pub position: Option<u64>,
    /// Positions below it have been admitted.
    pub cursor: u64,
    /// People admitted a minute.
    pub rate: u32,
    /// When the pass ends; `None` while it waits.
    pub until: Option<Timestamp>,
    /// What the room does.
    pub state: RoomState,
    /// Places for sale, as the shards told.
    pub available: u64,
    /// The shard's clock.
    pub now: Timestamp,
}

impl Place {
    /// The place of a roster index. Right also when this replica has not heard of that index yet:
    /// whoever came after the draw stands where they came.
    pub fn of(room: &Room, rules: &EventRules, index: u64, now: Timestamp) -> Self {
        let position = room.drawn().and_then(|draw| {
            if index < draw.people {
                draw.position(index)
            } else if probes::planted(Bug::LateComersJumpIn) {
                Some(index - draw.people)
            } else {
                Some(index)
            }
        });
        let status = room.status(rules);
        let reached = position.and_then(|position| room.reached(position));
        Self {
            position,
            cursor: status.cursor,
            rate: status.admit_per_minute,
            until: reached.map(|at| at.plus_ms(PASS_MS)),
            state: status.state,
            available: status.available,
            now,
        }
    }

    /// People who are before it; `None` before the draw.
    pub fn ahead(&self) -> Option<u64> {
        self.position
            .map(|position| position.saturating_sub(self.cursor))
    }

    /// Minutes until its turn at the present rate, to a tenth; `None` when nobody can say.
    pub fn wait_minutes(&self) -> Option<f64> {
        let ahead = self.ahead()?;
        let moving = self.state == RoomState::Open && self.rate > 0;
        // Tenths of a minute, so that equal waits print equally.
        moving.then(|| (ahead * 10).div_ceil(u64::from(self.rate)) as f64 / 10.0)
    }

    /// The chance that something is left, told plainly: most people take two.
    pub fn odds(&self) -> Option<&'static str> {
        let ahead = self.ahead()?;
        Some(match self.available {
            left if ahead.saturating_mul(2) <= left => "good",
            left if ahead <= left => "fair",
            _ => "poor",
        })
    }
}
