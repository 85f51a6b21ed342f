//! Names for ids, so that tests read like stories.

use ledger::{BuyerId, EventId, OrderId, ShardId};

/// The only show.
pub const SHOW: EventId = EventId(0x5030);

/// A number for a name: FNV-1a.
fn number(name: &str) -> u128 {
    let step = |hash: u128, byte: u8| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    };
    name.bytes()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, step)
}

pub fn buyer(name: &str) -> BuyerId {
    BuyerId(number(name))
}

/// `o7` is an order at home in shard 1, `o7@2` one in shard 2.
pub fn order(name: &str) -> OrderId {
    let home = name
        .split_once('@')
        .map_or(1, |(_, home)| home.parse().expect("a shard after @"));
    OrderId::new(ShardId(home), number(name))
}

/// Ids as they come in life: spread over all their bits.
pub fn spread(n: u64) -> u128 {
    (u128::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}
