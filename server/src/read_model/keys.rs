//! Keys of the read model. Persisted: a prefix is never reused; numbers are big-endian, so that
//! keys sort as numbers do. A change of what stands under a key raises [`FORMAT`], and a model of
//! another format is built anew.
//!
//! | key | value |
//! |---|---|
//! | 0 | format, cluster, node |
//! | 1, shard | where the shard's feed begins and how far it goes |
//! | 2, shard, number of the first fact | facts of some entries |
//! | 3, event, section, number of the first fact | empty: that chunk moves places of the section |
//! | 4, buyer, order | event, time, how it ended |
//! | 6, buyer, ticket | the ticket |
//! | 7, event, section | its legs when the feed began |
//! | 8, shard | number of the last fact that is in people's lists |

use ledger::{BuyerId, OrderId, SectionKey, ShardId, TicketId};

/// Of everything persisted here.
pub const FORMAT: u32 = 2;

/// Whose model it is.
pub const OWNER: [u8; 1] = [0];

fn key<const N: usize>(prefix: u8, parts: [&[u8]; N]) -> Vec<u8> {
    let mut key = vec![prefix];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// How far a shard's feed goes.
pub fn standing(shard: ShardId) -> Vec<u8> {
    key(1, [&shard.0.to_be_bytes()])
}

/// How far people's lists go.
pub fn listed(shard: ShardId) -> Vec<u8> {
    key(8, [&shard.0.to_be_bytes()])
}

/// All chunks of a shard's feed.
pub fn chunks(shard: ShardId) -> Vec<u8> {
    key(2, [&shard.0.to_be_bytes()])
}

/// A chunk of a shard's feed.
pub fn chunk(shard: ShardId, first: u64) -> Vec<u8> {
    key(2, [&shard.0.to_be_bytes(), &first.to_be_bytes()])
}

/// All chunks that move places of a section.
pub fn section_chunks(section: SectionKey) -> Vec<u8> {
    key(
        3,
        [
            &section.event.0.to_be_bytes(),
            &section.section.0.to_be_bytes(),
        ],
    )
}

/// A chunk that moves places of a section.
pub fn section_chunk(section: SectionKey, first: u64) -> Vec<u8> {
    let mut key = section_chunks(section);
    key.extend_from_slice(&first.to_be_bytes());
    key
}

/// All orders of a buyer.
pub fn orders_of(buyer: BuyerId) -> Vec<u8> {
    key(4, [&buyer.0.to_be_bytes()])
}

/// An order of a buyer.
pub fn order_of(buyer: BuyerId, order: OrderId) -> Vec<u8> {
    key(4, [&buyer.0.to_be_bytes(), &order.0.to_be_bytes()])
}

/// All tickets of a buyer.
pub fn tickets_of(buyer: BuyerId) -> Vec<u8> {
    key(6, [&buyer.0.to_be_bytes()])
}

/// A ticket of a buyer.
pub fn ticket_of(buyer: BuyerId, ticket: TicketId) -> Vec<u8> {
    key(6, [&buyer.0.to_be_bytes(), &ticket.0.to_be_bytes()])
}

/// A section's legs when the feed began.
pub fn base(section: SectionKey) -> Vec<u8> {
    key(
        7,
        [
            &section.event.0.to_be_bytes(),
            &section.section.0.to_be_bytes(),
        ],
    )
}

/// The number a key ends with.
pub fn last_u64(key: &[u8]) -> Option<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes)
}

/// The id a key ends with.
pub fn last_u128(key: &[u8]) -> Option<u128> {
    key.last_chunk().copied().map(u128::from_be_bytes)
}
