//! One hash over the whole state, so that replicas can compare themselves.
//!
//! Every table writes what it holds in an order of its own choosing that does not depend on how
//! it got there. Numbers are big-endian, texts carry their length, tables carry a name and a
//! count: no two states write the same bytes.

use sha2::{Digest as _, Sha256};

use crate::ids::{EventId, LegKey, OrderId, SectionKey, Timestamp};

/// Collects a state's canonical bytes.
#[derive(Clone, Default)]
pub struct Digest {
    hasher: Sha256,
}

impl Digest {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a table of `count` entries.
    pub fn put_table(&mut self, name: &str, count: usize) {
        self.put_bytes(name.as_bytes());
        self.put_u64(count as u64);
    }

    /// A byte.
    pub fn put_u8(&mut self, value: u8) {
        self.hasher.update([value]);
    }

    /// Yes or no.
    pub fn put_bool(&mut self, value: bool) {
        self.put_u8(u8::from(value));
    }

    /// A number of 16 bits.
    pub fn put_u16(&mut self, value: u16) {
        self.hasher.update(value.to_be_bytes());
    }

    /// A number of 32 bits.
    pub fn put_u32(&mut self, value: u32) {
        self.hasher.update(value.to_be_bytes());
    }

    /// A number of 64 bits.
    pub fn put_u64(&mut self, value: u64) {
        self.hasher.update(value.to_be_bytes());
    }

    /// A number of 128 bits.
    pub fn put_u128(&mut self, value: u128) {
        self.hasher.update(value.to_be_bytes());
    }

    /// Bytes with their length.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_u64(bytes.len() as u64);
        self.hasher.update(bytes);
    }

    /// A moment.
    pub fn put_time(&mut self, at: Timestamp) {
        self.put_u64(at.0);
    }

    /// A moment that may be missing.
    pub fn put_time_option(&mut self, at: Option<Timestamp>) {
        self.put_bool(at.is_some());
        self.put_time(at.unwrap_or_default());
    }

    /// An event.
    pub fn put_event(&mut self, event: EventId) {
        self.put_u128(event.0);
    }

    /// An order.
    pub fn put_order(&mut self, order: OrderId) {
        self.put_u128(order.0);
    }

    /// A leg.
    pub fn put_leg(&mut self, leg: LegKey) {
        self.put_order(leg.order);
        self.put_u8(leg.leg);
    }

    /// A section.
    pub fn put_section(&mut self, key: SectionKey) {
        self.put_event(key.event);
        self.put_u16(key.section.0);
    }

    /// The hash of all that was put.
    pub fn finish(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_from_one_text_to_the_next_changes_the_digest() {
        let digest = |texts: [&str; 2]| {
            let mut digest = Digest::new();
            texts
                .iter()
                .for_each(|text| digest.put_bytes(text.as_bytes()));
            digest.finish()
        };
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_eq!(digest(["ab", "c"]), digest(["ab", "c"]));
    }
}
