//! Frames that are lost, repeated and late, and answers that never arrive.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use raft_node::transport::faults::{FrameInfo, LinkFaults, Verdict};

use crate::fault::Tally;
use crate::seed::Stream;

/// How often what happens.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// Percent of all frames to which one of three things happens.
    pub any_percent: u64,
    /// Links, as (sender's id, receiver's id), and the percent of frames they lose.
    pub lossy: Vec<((u64, u64), u64)>,
    /// Percent of frames that come again, and by how much later at most.
    pub echo: (u64, u64),
    /// Percent of frames that are late, and by how much at most.
    pub spikes: (u64, u64),
    /// Percent of answers to people that are lost.
    pub lost_reply_percent: u64,
    /// Groups to which no forwarded command gets.
    pub hushed: Vec<u32>,
    /// Groups of which no frame at all gets through.
    pub silenced: Vec<u32>,
    /// Percent of forwarded commands that come again, and by how much later at most.
    pub twins: (u64, u64),
}

/// The kind of a frame that forwards a command to a leader, as the links number it.
const FORWARDED: u32 = 5;

/// The faults of all links; switched off for good when the world heals.
pub struct Faults {
    tally: Arc<Tally>,
    chance: Stream,
    rates: Mutex<Rates>,
}

impl Faults {
    /// Faults at these rates.
    pub fn new(rates: Rates, chance: Stream, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            tally,
            chance,
            rates: Mutex::new(rates),
        })
    }

    /// Changes the rates.
    pub fn change<R>(&self, change: impl FnOnce(&mut Rates) -> R) -> R {
        change(&mut self.rates.lock().expect("nobody panics holding it"))
    }

    /// Whether this answer to somebody is lost.
    pub fn loses_reply(&self) -> bool {
        let percent = self.change(|rates| rates.lost_reply_percent);
        let lost = percent > 0 && self.chance.percent(percent);
        if lost {
            self.tally.count("15 an answer is lost after the deed");
        }
        lost
    }

    fn draw(&self, frame: FrameInfo) -> Verdict {
        let rates = self.change(|rates| rates.clone());
        let some = |percent: u64| percent > 0 && self.chance.percent(percent);
        let late = |max: u64| Duration::from_millis(self.chance.between(1, max.max(1)));
        let link = (frame.from, frame.to);
        let loss = rates.lossy.iter().find(|(lossy, _)| *lossy == link);
        if loss.is_some_and(|(_, percent)| some(*percent)) {
            return Verdict::Drop;
        }
        let hushed = frame.kind == FORWARDED && rates.hushed.contains(&frame.group);
        if hushed || rates.silenced.contains(&frame.group) {
            return Verdict::Drop;
        }
        if frame.kind == FORWARDED && some(rates.twins.0) {
            return Verdict::Repeat(late(rates.twins.1));
        }
        if some(rates.echo.0) {
            return Verdict::Repeat(late(rates.echo.1));
        }
        if some(rates.spikes.0) {
            return Verdict::Delay(late(rates.spikes.1));
        }
        if !some(rates.any_percent) {
            return Verdict::Deliver;
        }
        match self.chance.below(3) {
            0 => Verdict::Drop,
            1 => Verdict::Duplicate,
            _ => Verdict::Delay(late(1_500)),
        }
    }
}

impl LinkFaults for Faults {
    fn judge(&self, frame: FrameInfo) -> Verdict {
        let verdict = self.draw(frame);
        match verdict {
            Verdict::Deliver => {}
            Verdict::Drop => self.tally.count("12 a frame is lost"),
            Verdict::Duplicate => self.tally.count("13 a frame arrives twice"),
            Verdict::Repeat(late) if late > Duration::from_secs(5) => {
                self.tally.count("13 a frame arrives again much later");
            }
            Verdict::Repeat(_) => self.tally.count("13 a frame arrives again later"),
            Verdict::Delay(_) => self.tally.count("14 a frame is late"),
        }
        verdict
    }
}
