//! A shard's part of the model from its ledger, when facts are missing: all orders, tickets and
//! the seats as they are. What happened before is gone here; the feed starts anew behind the
//! ledger's last fact and says so.

use std::collections::BTreeMap;

use ledger::{Ledger, SectionKey, ShardId};

use super::codec::{self, Standing};
use super::keys;
use super::store::{Store, StoreError};

/// Keys written or removed between two rests.
const SLICE: usize = 500;

/// Everything the model says of a shard, as its ledger stood at one moment.
pub struct Base {
    shard: ShardId,
    standing: Standing,
    sections: Vec<SectionKey>,
    puts: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Base {
    /// Takes what is needed of a ledger: a copy, for it takes some times as long as to copy all of it.
    /// Written is later.
    pub fn of(ledger: &Ledger, index: u64) -> Self {
        let mut puts = Vec::new();
        for closed in ledger.closed_orders() {
            let line = codec::order_line(closed.event, closed.closed_at, Some(closed.why));
            puts.push((keys::order_of(closed.buyer, closed.id), line));
        }
        for order in ledger.orders() {
            let line = codec::order_line(order.event, order.opened_at(), None);
            puts.push((keys::order_of(order.buyer, order.id), line));
        }
        for ticket in ledger.tickets().sorted() {
            puts.push((
                keys::ticket_of(ticket.buyer, ticket.id),
                codec::ticket(&ticket),
            ));
        }
        let mut legs: BTreeMap<SectionKey, Vec<u8>> = BTreeMap::new();
        let events = ledger.seats().events();
        for event in events {
            let sections = ledger.seats().sections(event);
            legs.extend(sections.map(|section| (section.key(), Vec::new())));
        }
        for leg in ledger.seats().legs() {
            let key = SectionKey {
                event: leg.event,
                section: leg.section,
            };
            codec::put_base(legs.entry(key).or_default(), &leg);
        }
        let sections = legs.keys().copied().collect();
        puts.extend(
            legs.into_iter()
                .map(|(section, legs)| (keys::base(section), legs)),
        );
        let through = ledger.feed_sequence();
        let standing = Standing {
            index,
            first: through + 1,
            through,
        };
        Self {
            shard: ledger.shard(),
            standing,
            sections,
            puts,
        }
    }

    /// Writes it, resting between slices; stops early, with nothing to show, when `rest` says so.
    pub fn write(
        self,
        store: &Store,
        mut rest: impl FnMut() -> bool,
    ) -> Result<Option<Standing>, StoreError> {
        // Without its standing, a shard that is half rebuilt is one that is not built.
        store.db.remove(keys::standing(self.shard))?;
        let chunks = std::iter::once(keys::chunks(self.shard));
        for prefix in chunks.chain(self.sections.iter().copied().map(keys::section_chunks)) {
            while remove_some(store, &prefix)? {
                if rest() {
                    return Ok(None);
                }
            }
        }
        for slice in self.puts.chunks(SLICE) {
            let mut batch = sled::Batch::default();
            for (key, value) in slice {
                batch.insert(&key[..], &value[..]);
            }
            store.db.apply_batch(batch)?;
            if rest() {
                return Ok(None);
            }
        }
        let mut batch = sled::Batch::default();
        batch.insert(
            keys::listed(self.shard),
            &self.standing.through.to_be_bytes(),
        );
        batch.insert(keys::standing(self.shard), self.standing.encode());
        store.db.apply_batch(batch)?;
        Ok(Some(self.standing))
    }
}

/// Removes a slice of what stands under a prefix; whether there was any.
fn remove_some(store: &Store, prefix: &[u8]) -> Result<bool, StoreError> {
    let mut batch = sled::Batch::default();
    let mut removed = 0;
    for key in store.db.scan_prefix(prefix).keys().take(SLICE) {
        batch.remove(key?);
        removed += 1;
    }
    store.db.apply_batch(batch)?;
    Ok(removed > 0)
}
