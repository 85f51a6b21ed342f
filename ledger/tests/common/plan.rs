//! Events to test with.

use ledger::event::{EventPlan, EventRules, Layout, Sale, SectionPlan};
use ledger::{ShardId, Timestamp};

use super::names::SHOW;

pub fn rules() -> EventRules {
    EventRules {
        sale: Sale::Open,
        opens_at: Timestamp(0),
        hold_ms: 600_000,
        order_seats_max: 8,
        buyer_seats_max: 8,
        currency: *b"EUR",
        queue: None,
        room_shard: ShardId(1),
    }
}

pub fn seated(shard: u16, rows: u16, seats_per_row: u16, price: u64) -> SectionPlan {
    let layout = Layout::Seated {
        rows,
        seats_per_row,
        blocked: vec![],
        accessible: vec![],
    };
    SectionPlan {
        shard: ShardId(shard),
        layout,
        price,
        tier: 1,
    }
}

pub fn standing(shard: u16, capacity: u32, price: u64) -> SectionPlan {
    SectionPlan {
        shard: ShardId(shard),
        layout: Layout::Standing { capacity },
        price,
        tier: 1,
    }
}

pub fn event(sections: Vec<SectionPlan>) -> EventPlan {
    EventPlan {
        event: SHOW,
        version: 1,
        rules: rules(),
        sections,
    }
}
