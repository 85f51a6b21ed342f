//! What a sale is like.

use clap::Args;

use crate::model::calendar::{MILLISECOND, MINUTE, Nanos};
use crate::model::chance::Chance;

/// Places for which one shard is enough (`cluster/src/placement.rs`, ADR 0006).
const PLACES_PER_SHARD: u64 = 100_000;

/// A sale. Percentages are of those who get as far.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Plan {
    /// People who join the lobby before the opening.
    #[arg(long, default_value_t = 2_000_000)]
    pub buyers: u64,
    /// Of them so many are connected at once, and poll.
    #[arg(long, default_value_t = 500_000)]
    pub connected: u64,
    /// Seats.
    #[arg(long, default_value_t = 100_000)]
    pub seats: u64,
    /// Shards of the event; left out: one for every 100,000 seats, as by default.
    #[arg(long)]
    pub spread: Option<usize>,
    /// People admitted a minute.
    #[arg(long, default_value_t = 2_000)]
    pub admit_per_minute: u64,
    /// How long the lobby is open; arrivals rise with the cube of time.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub lobby_minutes: u64,
    /// Everybody polls so often; left out: as the server tells them to, 2 s in the lobby, then a fortieth
    /// of the wait, 1 to 30 s.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub poll_seconds: Option<u64>,
    /// Polls that a cache in front answers.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    pub cdn_percent: u32,
    /// Admitted people who are there.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=100))]
    pub show_percent: u32,
    /// Of them, those who look and leave.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=100))]
    pub leave_percent: u32,
    /// Reservations of the best that is left; the others name seats that they saw.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=100))]
    pub best_percent: u32,
    /// Holds that nobody pays.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(..=100))]
    pub abandon_percent: u32,
    /// How much likelier a seat that one wants is taken than any other.
    #[arg(long, default_value_t = 4)]
    pub crowding: u32,
    /// Mean time at the seat map.
    #[arg(long, default_value_t = 25)]
    pub look_seconds: u64,
    /// Mean time before the payment.
    #[arg(long, default_value_t = 60)]
    pub pay_seconds: u64,
    /// Length of a hold.
    #[arg(long, default_value_t = 600)]
    pub hold_seconds: u64,
    /// A sale that is not sold out ends so long after its opening.
    #[arg(long, default_value_t = 120)]
    pub minutes_max: u64,
    /// Polls and joins come in slots of so many ns, as one piece of work a node.
    #[arg(skip = 2 * MILLISECOND)]
    pub slot: Nanos,
}

impl Plan {
    /// A small sale, over in minutes.
    #[must_use]
    pub fn small() -> Self {
        Self {
            buyers: 20_000,
            connected: 5_000,
            seats: 1_000,
            spread: None,
            admit_per_minute: 600,
            lobby_minutes: 1,
            poll_seconds: None,
            cdn_percent: 0,
            show_percent: 100,
            leave_percent: 10,
            best_percent: 50,
            abandon_percent: 8,
            crowding: 4,
            look_seconds: 10,
            pay_seconds: 10,
            hold_seconds: 30,
            minutes_max: 10,
            slot: 2 * MILLISECOND,
        }
    }

    /// When it opens, from the beginning of the run.
    #[must_use]
    pub fn opening(&self) -> Nanos {
        self.lobby_minutes * MINUTE
    }

    /// Over how many shards its seats lie.
    #[must_use]
    pub fn event_shards(&self) -> usize {
        let own = self.seats.div_ceil(PLACES_PER_SHARD) as usize;
        self.spread.unwrap_or(own)
    }

    /// How many seats somebody wants: 15 % one, 55 % two, 10 % three, 20 % four.
    pub(super) fn party(&self, chance: &mut Chance) -> u32 {
        match chance.below(100) {
            0..15 => 1,
            15..70 => 2,
            70..80 => 3,
            _ => 4,
        }
    }
}
