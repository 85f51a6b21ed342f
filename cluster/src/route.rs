//! From an event, a buyer or an order to the shard that answers for it.

use ledger::event::EventPlan;
use ledger::{BuyerId, EventId, OrderId, ShardId};
use sha2::{Digest, Sha256};

/// Most ledger shards a cluster can have: an order's id has 12 bits to name its home.
pub const SHARDS_MAX: u16 = 0x0fff;

/// How many ledger shards the cluster has, fixed when it is initialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Router {
    /// At least 1, at most [`SHARDS_MAX`].
    shards: u16,
}

impl Router {
    /// A router over `shards` shards; `None` when that is 0 or does not fit an order id.
    pub fn new(shards: u16) -> Option<Self> {
        (1..=SHARDS_MAX)
            .contains(&shards)
            .then_some(Self { shards })
    }

    /// All ledger shards, in order.
    pub fn shards(self) -> impl Iterator<Item = ShardId> {
        (1..=self.shards).map(ShardId)
    }

    /// How many.
    pub fn count(self) -> u16 {
        self.shards
    }

    /// The shard that keeps this event's waiting room.
    pub fn room(self, event: EventId) -> ShardId {
        let number = number(b"room", &[event.0.to_be_bytes()]);
        ShardId(1 + (number % u64::from(self.shards)) as u16)
    }

    /// Whether an order id names a shard of this cluster.
    pub fn order_home(self, order: OrderId) -> Option<ShardId> {
        let home = order.home();
        (1..=self.shards).contains(&home.0).then_some(home)
    }
}

/// The home of this person's orders at this event: one of the shards that own its sections, always
/// the same one, so that limits per person hold over all sections (P7). `None` for a plan without
/// sections.
pub fn home(plan: &EventPlan, buyer: BuyerId) -> Option<ShardId> {
    let parts = [plan.event.0.to_be_bytes(), buyer.0.to_be_bytes()];
    let count = plan.sections.len() as u64;
    let chosen = number(b"home", &parts).checked_rem(count)?;
    let section = plan.sections.get(usize::try_from(chosen).ok()?)?;
    Some(section.shard)
}

/// An even number of 64 bits. The bias of `%` over it and a few thousand is below 2^-50.
fn number(label: &[u8], parts: &[[u8; 16]]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(label);
    for part in parts {
        hash.update(part);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(bytes[..8].try_into().expect("8 of 32 bytes"))
}

#[cfg(test)]
mod tests {
    use ledger::Timestamp;
    use ledger::event::{EventRules, Layout, Sale, SectionPlan};

    use super::*;

    fn plan(shards: &[u16]) -> EventPlan {
        let section = |shard: &u16| SectionPlan {
            shard: ShardId(*shard),
            layout: Layout::Standing { capacity: 10 },
            price: 1,
            tier: 0,
        };
        EventPlan {
            event: EventId(7),
            version: 1,
            rules: EventRules {
                sale: Sale::Open,
                opens_at: Timestamp(0),
                hold_ms: 1_000,
                order_seats_max: 4,
                buyer_seats_max: 4,
                currency: *b"EUR",
                room_shard: ShardId(1),
                queue: None,
            },
            sections: shards.iter().map(section).collect(),
        }
    }

    #[test]
    fn homes_spread_over_the_shards_of_the_sections_and_stay_put() {
        let plan = plan(&[3, 5, 8, 5, 3, 8]);
        let mut counts = [0u32; 9];
        for buyer in 0..6_000 {
            let found = home(&plan, BuyerId(buyer)).expect("there are sections");
            assert_eq!(Some(found), home(&plan, BuyerId(buyer)));
            counts[usize::from(found.0)] += 1;
        }
        assert_eq!(counts[3] + counts[5] + counts[8], 6_000, "{counts:?}");
        for shard in [3, 5, 8] {
            assert!((1_800..2_200).contains(&counts[shard]), "{counts:?}");
        }
    }

    #[test]
    fn a_plan_without_sections_has_no_homes() {
        assert_eq!(home(&plan(&[]), BuyerId(1)), None);
    }

    #[test]
    fn zero_shards_and_more_than_an_order_id_can_name_are_refused() {
        assert!(Router::new(0).is_none());
        assert!(Router::new(0x0fff).is_some());
        assert!(Router::new(0x1000).is_none());
        let router = Router::new(2).expect("2 shards");
        assert_eq!(
            router.order_home(OrderId::new(ShardId(2), 5)),
            Some(ShardId(2))
        );
        assert_eq!(router.order_home(OrderId::new(ShardId(3), 5)), None);
        assert_eq!(router.order_home(OrderId(0)), None);
    }
}
