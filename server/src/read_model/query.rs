//! Questions to the read model. Each reads a bounded amount, and each answer that makes no sense
//! gives the database up.

use api::history::{FeedPage, Listing, OrderLine, SeatHistory};
use ledger::outcome::Places;
use ledger::tickets::Ticket;
use ledger::{BuyerId, OrderId, SeatNo, SectionKey, ShardId, TicketId};

use super::codec;
use super::keys;
use super::store::{Store, StoreError};

/// Chunks that one question about a seat looks through.
const CHUNKS_PER_QUESTION: usize = 500;

/// A buyer's orders.
pub fn orders_of(
    store: &Store,
    buyer: BuyerId,
    limit: usize,
    complete: bool,
) -> Result<Listing<OrderLine>, StoreError> {
    let read =
        |key: &[u8], bytes: &[u8]| codec::read_order_line(OrderId(keys::last_u128(key)?), bytes);
    let lines = list(store, &keys::orders_of(buyer), limit, read)?;
    Ok(Listing { lines, complete })
}

/// A buyer's tickets.
pub fn tickets_of(
    store: &Store,
    buyer: BuyerId,
    limit: usize,
    complete: bool,
) -> Result<Listing<Ticket>, StoreError> {
    let read = |key: &[u8], bytes: &[u8]| {
        codec::read_ticket(TicketId(keys::last_u128(key)?), buyer, bytes)
    };
    let lines = list(store, &keys::tickets_of(buyer), limit, read)?;
    Ok(Listing { lines, complete })
}

fn list<T>(
    store: &Store,
    prefix: &[u8],
    limit: usize,
    read: impl Fn(&[u8], &[u8]) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let mut lines = Vec::new();
    for pair in store.db.scan_prefix(prefix).take(limit) {
        let (key, bytes) = pair?;
        lines.push(read(&key, &bytes).ok_or(StoreError::Damaged("a line of a list"))?);
    }
    Ok(lines)
}

/// Facts of a shard from number `from` on. `None` while the shard's part is not built.
pub fn feed(
    store: &Store,
    shard: ShardId,
    from: u64,
    limit: usize,
) -> Result<Option<FeedPage>, StoreError> {
    let Some(standing) = store.standing(shard)? else {
        return Ok(None);
    };
    let mut next = from.max(standing.first);
    let mut lines = Vec::new();
    let prefix = keys::chunks(shard);
    let start = store
        .db
        .range(&prefix[..]..=&keys::chunk(shard, next)[..])
        .next_back()
        .transpose()?
        .map_or_else(|| keys::chunk(shard, next), |(key, _)| key.to_vec());
    let end = keys::chunk(shard, u64::MAX);
    for pair in store.db.range(&start[..]..=&end[..]) {
        if lines.len() >= limit || next > standing.through {
            break;
        }
        let (key, bytes) = pair?;
        let first = keys::last_u64(&key).ok_or(StoreError::Damaged("a key of a feed"))?;
        let chunk =
            codec::read_chunk(first, &bytes).ok_or(StoreError::Damaged("facts of a feed"))?;
        for line in chunk {
            if line.number < next || line.number > standing.through || lines.len() >= limit {
                continue;
            }
            if line.number > next {
                return Err(StoreError::Damaged("facts are missing from a feed"));
            }
            lines.push(line);
            next += 1;
        }
    }
    if lines.len() < limit && next <= standing.through {
        return Err(StoreError::Damaged("a feed ends too early"));
    }
    let rebuilt = standing.first > 1;
    Ok(Some(FeedPage {
        first: standing.first,
        end: standing.through + 1,
        rebuilt,
        lines,
    }))
}

/// What became of a seat, newest first.
pub fn seat_history(
    store: &Store,
    shard: ShardId,
    section: SectionKey,
    seat: SeatNo,
    before: Option<u64>,
    limit: usize,
) -> Result<Option<SeatHistory>, StoreError> {
    if store.standing(shard)?.is_none() {
        return Ok(None);
    }
    let has = |places: &Places| matches!(places, Places::Seats(seats) if seats.as_slice().contains(&seat));
    let before = before.unwrap_or(u64::MAX);
    let start = keys::section_chunk(section, 0);
    let end = keys::section_chunk(section, before);
    let mut lines = Vec::new();
    let mut looked = 0;
    for pair in store.db.range(&start[..]..&end[..]).keys().rev() {
        let first = keys::last_u64(&pair?).ok_or(StoreError::Damaged("a key of a section"))?;
        let bytes = store.db.get(keys::chunk(shard, first))?;
        let chunk = bytes.and_then(|bytes| codec::read_chunk(first, &bytes));
        let chunk = chunk.ok_or(StoreError::Damaged("facts of a section"))?;
        for line in chunk.into_iter().rev() {
            let about = line.change.moved();
            let mine = about.is_some_and(|moved| moved.section == section && has(&moved.places));
            if line.number < before && mine {
                if lines.len() >= limit {
                    return Ok(Some(more(lines, line.number + 1)));
                }
                lines.push(line);
            }
        }
        looked += 1;
        if looked >= CHUNKS_PER_QUESTION {
            return Ok(Some(more(lines, first)));
        }
    }
    let base = store.db.get(keys::base(section))?;
    let base = base.map(|bytes| codec::read_base(&bytes).ok_or(StoreError::Damaged("a base")));
    let mut legs = base.transpose()?.unwrap_or_default().into_iter();
    let at_first = legs
        .find(|(_, _, _, places)| has(places))
        .map(|(state, order, buyer, _)| (state, order, buyer));
    Ok(Some(SeatHistory {
        lines,
        before: None,
        at_first,
    }))
}

fn more(lines: Vec<api::history::FeedLine>, before: u64) -> SeatHistory {
    SeatHistory {
        lines,
        before: Some(before),
        at_first: None,
    }
}
