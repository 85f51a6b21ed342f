//! Tickets: signed so that a gate can check them without a network.
//!
//! A token is `base64url(payload) "." base64url(signature)`: an Ed25519 signature over the first
//! part's ASCII. The payload says which key; the keys are public.

mod show;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use ledger::{EventId, OrderId, TicketId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use show::{__path_keys, __path_qr, __path_show};
pub use show::{TicketView, keys, qr, show};

use crate::config::TicketKey;
use crate::text;

/// What a ticket's token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketPayload {
    /// Version of this layout: 1.
    pub v: u8,
    /// The ticket.
    pub t: String,
    /// Its order.
    pub o: String,
    /// Its event.
    pub e: String,
    /// Its seat, or its section when that has no seats.
    pub s: String,
    /// The key that signed it.
    pub k: String,
}

/// A published key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedKey {
    /// Its name in tickets.
    pub key_id: String,
    /// `Ed25519`.
    pub alg: String,
    /// The 32 bytes, base64url.
    pub public_key: String,
}

/// The document at `/.well-known/usher-ticket-keys.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketKeySet {
    /// All keys that ever signed a ticket still in use.
    pub keys: Vec<PublishedKey>,
}

/// What a ticket is for.
pub struct TicketFacts<'a> {
    /// The ticket.
    pub ticket: TicketId,
    /// Its order.
    pub order: OrderId,
    /// Its event.
    pub event: EventId,
    /// Its seat or section.
    pub label: &'a str,
}

/// Signs tickets.
pub struct TicketKeys {
    key_id: String,
    signer: SigningKey,
    set: Arc<TicketKeySet>,
    document: Bytes,
}

impl TicketKeys {
    /// With these keys, the newest first.
    pub fn new(keys: &[TicketKey]) -> Result<Self, String> {
        let newest = keys.first().ok_or("ticket_keys: at least one is needed")?;
        let published = keys.iter().map(|key| PublishedKey {
            key_id: key.key_id.clone(),
            alg: "Ed25519".to_owned(),
            public_key: URL_SAFE_NO_PAD
                .encode(SigningKey::from_bytes(&key.seed).verifying_key().as_bytes()),
        });
        let set = TicketKeySet {
            keys: published.collect(),
        };
        let document = serde_json::to_vec(&set).map_err(|error| error.to_string())?;
        Ok(Self {
            key_id: newest.key_id.clone(),
            signer: SigningKey::from_bytes(&newest.seed),
            set: Arc::new(set),
            document: document.into(),
        })
    }

    /// The name of the key that signs.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The published keys.
    pub fn published(&self) -> &TicketKeySet {
        &self.set
    }

    /// The published keys, as JSON.
    pub fn document(&self) -> Bytes {
        self.document.clone()
    }

    /// The token of a ticket. The same ticket gets the same token.
    pub fn sign(&self, facts: &TicketFacts<'_>) -> String {
        let payload = TicketPayload {
            v: 1,
            t: text::id(facts.ticket.0),
            o: text::id(facts.order.0),
            e: text::id(facts.event.0),
            s: facts.label.to_owned(),
            k: self.key_id.clone(),
        };
        let json = serde_json::to_vec(&payload).expect("a payload of strings is JSON");
        let message = URL_SAFE_NO_PAD.encode(json);
        let signature = self.signer.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

/// What a token says, if one of `keys` signed it. All a gate needs; no network, no clock.
pub fn verify(token: &str, keys: &TicketKeySet) -> Option<TicketPayload> {
    let (message, signature) = token.split_once('.')?;
    let payload: TicketPayload =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(message).ok()?).ok()?;
    let key = keys
        .keys
        .iter()
        .find(|key| key.key_id == payload.k && key.alg == "Ed25519")?;
    let public: [u8; 32] = URL_SAFE_NO_PAD
        .decode(&key.public_key)
        .ok()?
        .try_into()
        .ok()?;
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let key = VerifyingKey::from_bytes(&public).ok()?;
    key.verify_strict(message.as_bytes(), &signature).ok()?;
    (payload.v == 1).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(seed: u8) -> TicketKeys {
        let key = TicketKey {
            key_id: "k".into(),
            seed: [seed; 32],
        };
        TicketKeys::new(&[key]).expect("a key")
    }

    #[test]
    fn a_token_is_valid_under_its_key_alone_and_not_after_any_change() {
        let facts = TicketFacts {
            ticket: TicketId(1),
            order: OrderId(2),
            event: EventId(3),
            label: "A-1-2",
        };
        let token = keys(1).sign(&facts);
        assert_eq!(token, keys(1).sign(&facts));
        assert_eq!(
            verify(&token, keys(1).published()).expect("valid").s,
            "A-1-2"
        );
        assert_eq!(verify(&token, keys(2).published()), None);
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] ^= 1;
            let forged = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(verify(&forged, keys(1).published()), None, "byte {place}");
        }
    }
}
