//! Newtypes for everything that has an identity. A bare integer in a signature is a question.

use std::fmt;

/// Milliseconds since the Unix epoch, on the ledger's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment plus `ms`, stopping at the end of time.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`, 0 when that is later.
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A show. A UUID chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

/// A person, as the operator's identity provider knows them: the first 16 bytes of
/// SHA-256(issuer, subject). The ledger never sees a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuyerId(pub u128);

/// One Raft group holding seats, orders and rooms. Number 0 is the `system` group's (catalogue),
/// which runs another machine; ledgers are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// A section's position in its event's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionNo(pub u16);

/// A seat's position in its section, row by row from the front, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatNo(pub u16);

/// A section of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionKey {
    /// The show.
    pub event: EventId,
    /// Which of its sections.
    pub section: SectionNo,
}

/// Number of a hold. Every hold of a shard gets a new one, so that a late command about an old
/// hold can be told apart and refused (fencing).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// What one buyer reserves in one go. A UUID (version 8) that carries its home shard, so that an
/// order is found without a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u128);

/// A ticket. A UUID (version 8) that carries the shard of its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(pub u128);

/// A leg of an order: the part of it in one section's shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegKey {
    /// The order.
    pub order: OrderId,
    /// Which of its legs, from 0.
    pub leg: u8,
}

/// The 16 bytes of an id as two words, which sort as it does: a record with a `u128` in it has its
/// size rounded up to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Halves([u64; 2]);

impl Halves {
    pub(crate) fn of(id: u128) -> Self {
        Self([(id >> 64) as u64, id as u64])
    }

    pub(crate) fn id(self) -> u128 {
        let Self([high, low]) = self;
        u128::from(high) << 64 | u128::from(low)
    }
}

/// Layout of our version 8 UUIDs (RFC 9562 §5.8), from the top: 48 bits free, 4 bits version (8),
/// 12 bits shard, 2 bits variant (binary 10), 62 bits free.
fn uuid_v8(shard: ShardId, high48: u64, low62: u64) -> u128 {
    let high = (high48 << 16) | 0x8000 | u64::from(shard.0 & 0x0fff);
    let low = (low62 & (u64::MAX >> 2)) | (1 << 63);
    (u128::from(high) << 64) | u128::from(low)
}

fn shard_of(uuid: u128) -> ShardId {
    ShardId(((uuid >> 64) & 0x0fff) as u16)
}

impl OrderId {
    /// An order whose home is `shard`, told apart by 110 bits of the caller's choice.
    pub fn new(shard: ShardId, chosen: u128) -> Self {
        Self(uuid_v8(
            shard,
            (chosen >> 64) as u64 & (u64::MAX >> 16),
            chosen as u64,
        ))
    }

    /// The shard that decides this order.
    pub fn home(self) -> ShardId {
        shard_of(self.0)
    }
}

impl TicketId {
    /// A ticket for a seat of `shard`, told apart by 110 bits of the caller's choice.
    pub fn new(shard: ShardId, chosen: u128) -> Self {
        Self(uuid_v8(
            shard,
            (chosen >> 64) as u64 & (u64::MAX >> 16),
            chosen as u64,
        ))
    }

    /// The shard that keeps this ticket.
    pub fn shard(self) -> ShardId {
        shard_of(self.0)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
