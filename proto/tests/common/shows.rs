//! Shows over two shards: each has a seated and a standing section in both.

use ledger::event::*;
use ledger::{EventId, SeatNo, ShardId, Timestamp};

/// How many shows there are; the last has a waiting room.
pub const SHOWS: usize = 3;
/// Its waiting room is kept in shard 1.
pub const QUEUED: EventId = EventId(SHOWS as u128);
pub const START_MS: u64 = 1_700_000_000_000;

pub fn rules(show: usize) -> EventRules {
    let queue = QueueRules {
        admit_per_minute: 600,
        secret: [7; 32],
        beacon: b"4 8 15 16 23 42".to_vec(),
    };
    EventRules {
        sale: Sale::Scheduled,
        opens_at: Timestamp(START_MS + 20_000),
        hold_ms: 60_000,
        order_seats_max: 8,
        buyer_seats_max: 12,
        currency: *b"EUR",
        queue: (EventId(show as u128) == QUEUED).then_some(queue),
        room_shard: ShardId(1),
    }
}

/// Show number `show`, from 1.
pub fn plan(show: usize) -> EventPlan {
    let seated = |shard| SectionPlan {
        shard: ShardId(shard),
        layout: Layout::Seated {
            rows: 8,
            seats_per_row: 20,
            blocked: vec![SeatNo(0), SeatNo(19)],
            accessible: vec![SeatNo(140), SeatNo(150)],
        },
        price: 4_500,
        tier: 1,
    };
    let standing = |shard| SectionPlan {
        shard: ShardId(shard),
        layout: Layout::Standing { capacity: 120 },
        price: 2_000,
        tier: 2,
    };
    EventPlan {
        event: EventId(show as u128),
        version: 1,
        rules: rules(show),
        sections: vec![seated(1), standing(1), seated(2), standing(2)],
    }
}
