//! One hash over a ledger. Equal states have equal digests, on every replica and through
//! snapshots; a replica whose digest differs has diverged and must stop.

use std::hash::{Hash, Hasher};

use crate::digest::Digest;
use crate::ledger::Ledger;

impl Ledger {
    /// The digest of everything. Costs a walk over the whole state.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Digest::new();
        digest.put_u16(self.shard.0);
        digest.put_time(self.clock.now);
        digest.put_u64(self.applied);
        digest.put_u64(self.feed_sequence());
        put_all(
            &mut digest,
            "events",
            self.events
                .values()
                .map(|state| (&state.plan, state.room_due)),
        );
        digest.put_table("rooms", self.rooms.len());
        self.rooms
            .values()
            .for_each(|room| room.digest(&mut digest));
        self.seats.digest(&mut digest);
        self.tickets().digest(&mut digest);
        put_all(&mut digest, "orders", self.orders().into_iter());
        put_all(&mut digest, "closed orders", self.closed.iter());
        put_all(&mut digest, "buyers", self.buyers.sorted().into_iter());
        put_all(&mut digest, "attempts", self.payments.sorted().into_iter());
        put_all(&mut digest, "outboxes", self.outboxes.iter());
        put_all(&mut digest, "inboxes", self.inboxes.iter());
        put_all(&mut digest, "due", self.due.iter());
        digest.finish()
    }
}

fn put_all(digest: &mut Digest, name: &str, entries: impl Iterator<Item = impl Hash>) {
    let mut count = 0;
    digest.put_bytes(name.as_bytes());
    for entry in entries {
        entry.hash(&mut Words(digest));
        count += 1;
    }
    digest.put_u64(count);
}

/// Lets a type's derived [`Hash`] write itself into the digest: its numbers and texts in the order
/// of its fields, each in a fixed width.
struct Words<'a>(&'a mut Digest);

impl Hasher for Words<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.put_bytes(bytes);
    }

    fn write_u8(&mut self, value: u8) {
        self.0.put_u8(value);
    }

    fn write_u16(&mut self, value: u16) {
        self.0.put_u16(value);
    }

    fn write_u32(&mut self, value: u32) {
        self.0.put_u32(value);
    }

    fn write_u64(&mut self, value: u64) {
        self.0.put_u64(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.0.put_u128(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.0.put_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is finished as a whole")
    }
}
