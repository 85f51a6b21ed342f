//! Checking a ticket as a gate without a network does: with the published keys alone.
//!
//! Written a second time on purpose, not borrowed from the server: a buyer's proof must not lean
//! on the code that made the ticket.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;

use super::messages::Ticket;
use crate::audit_client::claims::plain_id;

/// The published keys.
#[derive(Clone, Debug, Default)]
pub struct TicketKeys {
    keys: BTreeMap<String, VerifyingKey>,
}

/// Why a ticket proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not a token, or not one of this version.
    #[error("the token cannot be read")]
    Malformed,
    /// Signed by nobody who is known.
    #[error("its key {key_id} is not published")]
    UnknownKey {
        /// The key's id.
        key_id: String,
    },
    /// Changed, or signed by another key.
    #[error("the signature is wrong")]
    Forged,
    /// A good token of another ticket, order or event.
    #[error("it is a ticket for something else")]
    Foreign,
}

#[derive(Deserialize)]
struct Payload {
    v: u32,
    t: String,
    o: String,
    e: String,
    k: String,
}

impl TicketKeys {
    /// Reads `GET /.well-known/usher-ticket-keys.json`.
    pub fn read(document: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Key>,
        }
        #[derive(Deserialize)]
        struct Key {
            key_id: String,
            alg: String,
            public_key: String,
        }
        let document: Document = serde_json::from_slice(document).ok()?;
        let mut keys = BTreeMap::new();
        for key in document.keys.into_iter().filter(|key| key.alg == "Ed25519") {
            let bytes = URL_SAFE_NO_PAD.decode(key.public_key).ok()?;
            let bytes: [u8; 32] = bytes.try_into().ok()?;
            keys.insert(key.key_id, VerifyingKey::from_bytes(&bytes).ok()?);
        }
        Some(Self { keys })
    }

    /// Whether `ticket` is a ticket of this order and event.
    pub fn verify(&self, ticket: &Ticket, order: &str, event: &str) -> Result<(), Invalid> {
        let (signed, signature) = ticket.token.split_once('.').ok_or(Invalid::Malformed)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid::Malformed);
        let payload: Payload =
            serde_json::from_slice(&decode(signed)?).map_err(|_| Invalid::Malformed)?;
        let signature =
            Signature::from_slice(&decode(signature)?).map_err(|_| Invalid::Malformed)?;
        let key = self.keys.get(&payload.k);
        let key = key.ok_or_else(|| Invalid::UnknownKey {
            key_id: payload.k.clone(),
        })?;
        key.verify_strict(signed.as_bytes(), &signature)
            .map_err(|_| Invalid::Forged)?;
        let same = |a: &str, b: &str| plain_id(a) == plain_id(b);
        let ours = payload.v == 1
            && same(&payload.t, &ticket.ticket_id)
            && same(&payload.o, order)
            && same(&payload.e, event)
            && same(&ticket.order_id, order);
        if ours { Ok(()) } else { Err(Invalid::Foreign) }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::json;

    use super::*;

    fn signed(key: &SigningKey, payload: &serde_json::Value) -> Ticket {
        let first = URL_SAFE_NO_PAD.encode(payload.to_string());
        let signature = key.sign(first.as_bytes());
        let token = format!("{first}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
        let text = |name: &str| payload[name].as_str().unwrap().to_owned();
        Ticket {
            ticket_id: text("t"),
            order_id: text("o"),
            seat_id: None,
            token,
        }
    }

    #[test]
    fn only_an_unchanged_ticket_of_this_order_signed_by_a_published_key_is_good() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        let document = json!({"keys": [{"key_id": "k1", "alg": "Ed25519", "public_key": public}]});
        let keys = TicketKeys::read(document.to_string().as_bytes()).unwrap();
        let payload = json!({"v": 1, "t": "t1", "o": "o1", "e": "e1", "s": "A-1-1", "k": "k1"});
        let ticket = signed(&key, &payload);
        assert_eq!(keys.verify(&ticket, "o1", "e1"), Ok(()));
        assert_eq!(keys.verify(&ticket, "o2", "e1"), Err(Invalid::Foreign));
        assert_eq!(keys.verify(&ticket, "o1", "e2"), Err(Invalid::Foreign));

        let forged = signed(&SigningKey::from_bytes(&[8; 32]), &payload);
        assert_eq!(keys.verify(&forged, "o1", "e1"), Err(Invalid::Forged));
        let mut unknown = payload.clone();
        unknown["k"] = json!("k9");
        let unknown = keys.verify(&signed(&key, &unknown), "o1", "e1");
        assert_eq!(
            unknown,
            Err(Invalid::UnknownKey {
                key_id: "k9".to_owned()
            })
        );
        let cut = Ticket {
            token: ticket.token[..20].to_owned(),
            ..ticket
        };
        assert_eq!(keys.verify(&cut, "o1", "e1"), Err(Invalid::Malformed));
    }
}
