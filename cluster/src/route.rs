//! From an event, a buyer or an order to the shard that answers for it.

use ledger::{BuyerId, EventId, OrderId, ShardId};
use sha2::{Digest, Sha256};

/// How many ledger shards the cluster has, fixed when it is initialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Router {
    /// At least 1, at most 4095 (a UUID carries 12 bits of it).
    shards: u16,
}

impl Router {
    /// A router over `shards` shards; `None` when that is 0 or does not fit an order id.
    pub fn new(shards: u16) -> Option<Self> {
        (1..=0x0fff).contains(&shards).then_some(Self { shards })
    }

    /// All ledger shards, in order.
    pub fn shards(self) -> impl Iterator<Item = ShardId> {
        (1..=self.shards).map(ShardId)
    }

    /// How many.
    pub fn count(self) -> u16 {
        self.shards
    }

    /// The home of this person's orders at this event: one shard, so that limits per person hold
    /// over all sections (P7).
    pub fn home(self, event: EventId, buyer: BuyerId) -> ShardId {
        self.pick(b"home", &[event.0.to_be_bytes(), buyer.0.to_be_bytes()])
    }

    /// The shard that keeps this event's waiting room.
    pub fn room(self, event: EventId) -> ShardId {
        self.pick(b"room", &[event.0.to_be_bytes()])
    }

    /// Whether an order id names a shard of this cluster.
    pub fn order_home(self, order: OrderId) -> Option<ShardId> {
        let home = order.home();
        (1..=self.shards).contains(&home.0).then_some(home)
    }

    fn pick(self, label: &[u8], parts: &[[u8; 16]]) -> ShardId {
        if self.shards == 1 {
            return ShardId(1);
        }
        let mut hash = Sha256::new();
        hash.update(label);
        for part in parts {
            hash.update(part);
        }
        let bytes: [u8; 32] = hash.finalize().into();
        let number = u64::from_be_bytes(bytes[..8].try_into().expect("8 of 32 bytes"));
        // The bias of `%` over 2^64 and at most 4095 shards is below 2^-51.
        ShardId(1 + (number % u64::from(self.shards)) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_spread_over_all_shards_and_stay_put() {
        let router = Router::new(8).expect("8 shards");
        let mut counts = [0u32; 8];
        for buyer in 0..8_000 {
            let home = router.home(EventId(7), BuyerId(buyer));
            assert_eq!(home, router.home(EventId(7), BuyerId(buyer)));
            counts[usize::from(home.0) - 1] += 1;
        }
        assert!(
            counts.iter().all(|&count| (800..1_200).contains(&count)),
            "{counts:?}"
        );
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
