//! Queue tokens: proof of a place in a waiting room, checked without any look-up.
//!
//! Bytes: version (1), key id, event (16), buyer (16), index (8), joined at (8), then the
//! HMAC-SHA256 of all that. Bound to event and buyer, so a stolen token serves nobody else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use ledger::{BuyerId, EventId, Timestamp};
use probes::Bug;
use sha2::Sha256;

use crate::auth::hmac;
use crate::config::QueueKey;

const VERSION: u8 = 1;
const SIGNED: usize = 50;
const WHOLE: usize = SIGNED + 32;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueTicket {
    /// The show.
    pub event: EventId,
    /// Who waits.
    pub buyer: BuyerId,
    /// Their index in the waiting room.
    pub index: u64,
    /// When this token was made.
    pub joined_at: Timestamp,
}

/// Makes and checks queue tokens.
pub struct QueueTokens {
    keys: Vec<(u8, Hmac<Sha256>)>,
}

impl QueueTokens {
    /// With these keys, the newest first.
    pub fn new(keys: &[QueueKey]) -> Result<Self, String> {
        if keys.is_empty() {
            return Err("queue_keys: at least one is needed".to_owned());
        }
        Ok(Self {
            keys: keys
                .iter()
                .map(|key| (key.key_id, hmac(&key.secret)))
                .collect(),
        })
    }

    /// The token of a place.
    pub fn sign(&self, ticket: &QueueTicket) -> String {
        let (key_id, mac) = &self.keys[0];
        let mut bytes = Vec::with_capacity(WHOLE);
        bytes.extend([VERSION, *key_id]);
        bytes.extend(ticket.event.0.to_be_bytes());
        bytes.extend(ticket.buyer.0.to_be_bytes());
        bytes.extend(ticket.index.to_be_bytes());
        bytes.extend(ticket.joined_at.0.to_be_bytes());
        let tag = mac.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says, if it is ours.
    pub fn verify(&self, token: &str) -> Option<QueueTicket> {
        let mut bytes = [0; WHOLE + 2];
        let length = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
        let (signed, tag) = bytes
            .get(..length)
            .filter(|whole| whole.len() == WHOLE)?
            .split_at(SIGNED);
        if signed[0] != VERSION {
            return None;
        }
        let (_, mac) = self.keys.iter().find(|(key_id, _)| *key_id == signed[1])?;
        let genuine = mac.clone().chain_update(signed).verify_slice(tag);
        if genuine.is_err() && !probes::planted(Bug::TokenUnsigned) {
            return None;
        }
        let long = |from: usize| {
            u128::from_be_bytes(signed[from..from + 16].try_into().expect("16 bytes"))
        };
        let short =
            |from: usize| u64::from_be_bytes(signed[from..from + 8].try_into().expect("8 bytes"));
        Some(QueueTicket {
            event: EventId(long(2)),
            buyer: BuyerId(long(18)),
            index: short(34),
            joined_at: Timestamp(short(42)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: QueueTicket = QueueTicket {
        event: EventId(1),
        buyer: BuyerId(u128::MAX),
        index: 77,
        joined_at: Timestamp(9),
    };

    fn key(key_id: u8) -> QueueKey {
        QueueKey {
            key_id,
            secret: [key_id; 32],
        }
    }

    #[test]
    fn a_token_outlives_the_rotation_of_its_key_and_not_its_removal() {
        let old = QueueTokens::new(&[key(1)]).expect("a key");
        let both = QueueTokens::new(&[key(2), key(1)]).expect("keys");
        let new = QueueTokens::new(&[key(2)]).expect("a key");
        let token = old.sign(&TICKET);
        assert_eq!(both.verify(&token), Some(TICKET));
        assert_eq!(new.verify(&token), None);
        assert_eq!(new.verify(&both.sign(&TICKET)), Some(TICKET));
    }

    #[test]
    fn no_single_flipped_bit_leaves_a_token_valid() {
        let tokens = QueueTokens::new(&[key(1)]).expect("a key");
        let token = tokens.sign(&TICKET);
        for place in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let forged = String::from_utf8_lossy(&bytes).into_owned();
                assert_eq!(tokens.verify(&forged), None, "byte {place} bit {bit}");
            }
        }
        assert_eq!(tokens.verify(""), None);
        assert_eq!(tokens.verify(&"A".repeat(10_000)), None);
    }
}
